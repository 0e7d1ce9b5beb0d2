//! The YAML that both documents need: read as Go's YAML 1.1 and protobuf's JSON mapping together
//! read it, written as Go writes it. JSON is read as the YAML that it is.

mod cursor;
mod emit;
mod error;
mod parse;
mod scalar;
mod tree;

pub(super) use cursor::{Cursor, Strings};
pub(super) use emit::Emitter;
pub use error::DecodeError;
pub(super) use parse::parse;
