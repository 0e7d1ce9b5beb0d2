//! The configuration on its way to the machine: judged before, and compared with what has come of it.

mod judged;
mod wishes;

pub(crate) use judged::Judged;
pub use judged::Reading;
pub(crate) use wishes::follow as follow_wishes;
