//! Whole clusters of real processes, to be hurt: coordinators around one status file, and sandbox
//! data servers.

// What is awaited and does not come fails a test, and this is where it is awaited.
#![allow(clippy::expect_used, clippy::panic)]

mod crowd;
mod disks;
mod history;
mod load;
mod onlooker;
mod program;
mod rig;
mod round;
mod rounds;
mod stranger;

pub use crowd::Crowd;
pub use disks::Coordinator;
pub use history::{FirstLine, History};
pub use load::Load;
pub use onlooker::Onlooker;
pub use program::{Ran, as_oxia, run, run_with, stepdown, with_few_files};
pub use rig::{DOOMED, LIMIT, Rig, leaders};
pub use round::{Afterwards, Phase, Plan, Round, Stimulus, seed};
pub use stranger::{FirstLineIs, Written};
