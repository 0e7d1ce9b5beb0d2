//! Where shards are put: which servers replicate a shard, by anti-affinity and by load.

mod affinity;
mod leaders;
mod load;
mod place;
mod plan;
mod select;
mod survey;

pub use crate::shard::Holdup;
pub(crate) use place::placed;
pub use plan::{Handing, Move, Plan, Stuck};
pub use survey::{Forecast, HeldBack, Survey, Waiting};
