//! What the fuzz targets feed: the decoders of what others have written, each with what has to hold of it
//! whatever that is. A function here panics where it does not.

pub use crate::configmap::fuzzing::{answer, config_map, lease};
pub use crate::file::fuzzing::{copies, lock_file, notes, sealed, status_file, torn_lock_file};
pub use crate::raft::fuzzing::{commands, image, message, node_address, records};
