//! The YAML that both documents need: read as Go's YAML 1.1 and protobuf's JSON mapping together
//! read it, written as Go writes it. JSON is read as the YAML that it is.

mod cursor;
mod emit;
mod parse;
mod scalar;
mod tree;

pub(super) use cursor::{Cursor, Strings};
pub(super) use emit::Emitter;
pub(super) use parse::parse;

/// A text that is not the document that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Nothing is written there, or nothing but comments.
    #[error("the document is empty")]
    Empty,
    /// It is not YAML, or more than is read of it.
    #[error("line {line}: {problem}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong, and how to put it right.
        problem: String,
    },
    /// A key has a value that it can't have.
    #[error("line {line}: {key}: {problem}")]
    Key {
        /// The line, from 1.
        line: usize,
        /// The path of the key, such as `namespaces[1].name`.
        key: String,
        /// What is wrong, and how to put it right.
        problem: String,
    },
}
