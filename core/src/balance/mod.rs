//! Where shards are put: which servers replicate a shard, by anti-affinity and by load.

mod affinity;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "no shard is moved yet; moves will need `subtract` and `servers`"
    )
)]
mod load;
mod place;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "no shard is moved yet; moves will need `replacement` and `moved`"
    )
)]
mod select;

pub(crate) use place::Placement;
pub(crate) use select::SelectionError;
