//! Where shards are put: which servers replicate a shard, by anti-affinity and by load.

mod affinity;
mod leaders;
mod load;
mod place;
mod plan;
mod select;

pub(crate) use place::Placement;
pub(crate) use plan::{Handing, Move, Plan, Situation};
pub(crate) use select::SelectionError;
