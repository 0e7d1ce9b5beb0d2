//! The machine's options: which process it is, the seed of its jitter, and its times.

use std::time::Duration;

use stepdown_core::lease::LeaseTiming;
use stepdown_core::{Options, ProcessId, Timing};

use super::error::CoordinatorError;
use crate::cli::LeaseProfile;
use crate::options::Provider;

/// Options of a process that has no like.
pub(super) fn options(
    lease: LeaseTiming,
    provider: &Provider,
) -> Result<Options, CoordinatorError> {
    let mut process = [0; 16];
    getrandom::fill(&mut process).map_err(CoordinatorError::Chance)?;
    let seed = getrandom::u64().map_err(CoordinatorError::Chance)?;
    Ok(Options {
        process: ProcessId(u128::from_ne_bytes(process)),
        seed,
        timing: timing(lease, provider),
    })
}

/// The times of the lease that the profile stands for.
pub(super) fn lease_timing(profile: LeaseProfile) -> LeaseTiming {
    match profile {
        LeaseProfile::Default => LeaseTiming::DEFAULT,
        LeaseProfile::Short => LeaseTiming::SHORT,
    }
}

fn timing(lease: LeaseTiming, provider: &Provider) -> Timing {
    let default = Timing::default();
    Timing {
        lease: lease.lease,
        office_within: lease.lease * 2,
        head_check_every: match provider {
            // Its hints come from a watch, or from looks of its own where it may not watch; this is
            // for a watch that has died unnoticed.
            Provider::ConfigMap(_) => Duration::from_secs(15),
            Provider::File { .. } | Provider::Memory => default.head_check_every,
        },
        ..default
    }
}
