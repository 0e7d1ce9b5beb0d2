//! `stepdown coordinator`: from the command line to a running event loop, and to its orderly end.

mod backend;
mod error;
mod greeting;
mod machine;
mod measured;
mod run;
mod serve;
mod signals;

pub use error::CoordinatorError;
pub(crate) use machine::process_id;
pub use run::run;
