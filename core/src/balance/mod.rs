//! Where shards are put: which servers replicate a shard, by anti-affinity and by load.

mod affinity;
mod load;
mod place;
mod select;

pub use load::Load;
pub use place::Placement;
pub use select::{EnsembleSelector, SelectionError};
