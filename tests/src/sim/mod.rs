//! A deterministic simulator of whole clusters around the pure coordinator and election
//! machines: the clock,
//! the store, the lease's server, the network, the data servers and every fault come from one seed.
//!
//! A [`Plan`] is drawn from a seed by proptest, so that it shrinks; [`run`] carries it out and
//! gives an [`Outcome`], whose violation, if any, names the property, the seed and the last
//! events. Several coordinators run their own machines against one store, under the driver's
//! rules, and every effect and every accepted version of the document is checked.
#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "test code: a wrong index is a mistake in the simulator and ends the run"
)]

mod alone;
mod by_hand;
mod chance;
mod check;
mod clock;
mod configuration;
mod converged;
mod disks;
mod documents;
mod driver;
mod effects;
mod faults;
mod health;
mod host;
mod lease;
mod leftovers;
mod machine;
mod network;
mod operator;
mod outages;
mod phases;
mod plan;
mod planted;
mod queue;
mod replication;
mod requests;
mod rollbacks;
mod run;
mod server;
mod shrink;
mod sometimes;
mod store;
mod trace;
mod turns;
mod world;

pub use check::Violation;
pub use lease::{LeaseTrouble, Thief};
pub use machine::{Candidate, Factory, Machine, Real};
pub use plan::{Bounds, Fault, FaultKind, Leadership, Plan};
pub use planted::{LooksOnce, Overlooked, Planted};
pub use run::{Outcome, run, run_traced};
pub use shrink::{Shrunk, shrink};
pub use sometimes::Sometimes;
