//! Leadership by a Lease: the election of `stepdown_core::lease`, on a real API server.

mod client;
mod leadership;
mod object;
mod request;
mod task;
mod vacancy;

pub(crate) use client::LeaseClient;
pub(crate) use leadership::{LeaseLeadership, Parts};
#[cfg(feature = "fuzzing")]
pub(crate) use object::encode;
pub(crate) use object::{Introduction, TRANSFER_REQUESTED, decode};
