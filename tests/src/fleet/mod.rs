//! Whole clusters of real processes around a real API server, to be hurt: coordinators, each
//! behind a proxy of its own, and sandbox data servers.

// What is awaited and does not come fails a test, and this is where it is awaited.
#![allow(clippy::expect_used, clippy::panic)]

mod documents;
mod offices;
mod onlooker;
mod plan;
mod rig;
mod rounds;

pub use documents::Documents;
pub use offices::Offices;
pub use onlooker::Onlooker;
pub use plan::{Plan, Round, Stimulus};
pub use rig::{Fleet, FleetOptions, Profile};

const NAMESPACE: &str = "oxia";
