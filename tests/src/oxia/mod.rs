//! Upstream's program, where there is one: its data servers, its coordinator, its load, and a
//! probe that tells whether shards are led. Upstream's coordinators and Stepdown's may share one
//! election here.

// What is awaited and does not come fails a test, and this is where it is awaited.
#![allow(clippy::expect_used, clippy::panic)]

mod coordinator;
mod gaps;
mod keys;
mod member;
mod mixed;
mod perf;
mod probe;
mod server;
mod switch;
mod trouble;

use std::env;
use std::path::PathBuf;

pub use coordinator::OxiaCoordinator;
pub use gaps::Longest;
pub use keys::{Keys, Pace};
pub use member::Member;
pub use mixed::Mixed;
pub use perf::{Perf, Stats};
pub use probe::Probe;
pub use server::OxiaServer;
pub use switch::Cost;

use crate::skipped::say_skipped;

/// Upstream's program (`OXIA_BIN`). Without one this says so, past the test harness that keeps what
/// a good test prints.
pub fn oxia() -> Option<PathBuf> {
    let path = env::var_os("OXIA_BIN").map(PathBuf::from);
    if path.is_none() {
        say_skipped("A test with upstream's program is SKIPPED, NOT TESTED: set OXIA_BIN");
    }
    path
}
