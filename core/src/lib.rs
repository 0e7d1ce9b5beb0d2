//! The pure, synchronous machine of a coordinator that steps down instead of falling over; the
//! clock, the network and the disk belong to whoever drives it.
//!
//! It has no tokio, no I/O, no clock, no random source and no unordered iteration: `now` and the
//! seed are arguments, so the same events give the same effects anywhere.

pub mod assign;
pub mod call;
pub mod cluster;
mod effect;
mod event;
mod id;
mod report;
pub mod store;

pub use effect::Effect;
pub use event::{ConfigurationText, Event};
pub use id::{
    Epoch, ParseWriteIdError, ProcessId, RequestId, ServerId, ShardId, Tenure, Term, Timestamp,
    Version, WriteId,
};
pub use report::{Cause, Report, Role, ServerState, StoreResult};
