//! The machine's options: which process it is, the seed of its jitter, and its times.

use stepdown_core::lease::LeaseTiming;
use stepdown_core::{Options, ProcessId, Timing};

use super::error::CoordinatorError;
use crate::cli::LeaseProfile;

/// Options of a process that has no like.
pub(super) fn options(lease: LeaseTiming) -> Result<Options, CoordinatorError> {
    let process = process_id().map_err(CoordinatorError::Chance)?;
    let seed = getrandom::u64().map_err(CoordinatorError::Chance)?;
    Ok(Options {
        process,
        seed,
        timing: timing(lease),
    })
}

/// The id of a process that has no like.
pub(crate) fn process_id() -> Result<ProcessId, getrandom::Error> {
    let mut process = [0; 16];
    getrandom::fill(&mut process)?;
    Ok(ProcessId(u128::from_ne_bytes(process)))
}

/// The times of the lease that the profile stands for.
pub(super) fn lease_timing(profile: LeaseProfile) -> LeaseTiming {
    match profile {
        LeaseProfile::Default => LeaseTiming::DEFAULT,
        LeaseProfile::Short => LeaseTiming::SHORT,
    }
}

fn timing(lease: LeaseTiming) -> Timing {
    Timing {
        lease: lease.lease,
        office_within: lease.lease * 2,
        ..Timing::default()
    }
}
