//! What the fuzz targets feed: the decoders of what others have written, each with what has to hold of it
//! whatever that is. A function here panics where it does not.

pub use crate::data_servers::fuzzing::{address, failure, made, made_failures, response};
pub use crate::options::fuzzing::{options, raft_address};
