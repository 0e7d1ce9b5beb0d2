//! The file operations that the backend needs, so that tests can cut the power at each of them.

mod operations;
mod real;

pub(crate) use operations::{Stat, Vfs, VfsFile};
pub(crate) use real::RealVfs;
