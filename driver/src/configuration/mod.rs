//! The configuration on its way to the machine: judged before.

mod judged;

pub(crate) use judged::Judged;
