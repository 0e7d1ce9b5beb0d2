//! The backend that was asked for, opened.

use stepdown_backends::{Backend, Candidate, StatusSize};
use stepdown_core::Options;
use stepdown_core::lease::LeaseTiming;
use tokio::sync::watch;

use super::error::CoordinatorError;
use crate::observe::metrics::Documents;
use crate::options::CoordinatorOptions;

/// Opens it for the coordinator that `machine` is to be, which goes by its pace.
pub(super) async fn open(
    options: &CoordinatorOptions,
    machine: &mut Options,
    timing: LeaseTiming,
    metrics: &Documents,
) -> Result<Backend, CoordinatorError> {
    let candidate = candidate(options, machine, timing);
    let backend = options.provider.open(&candidate).await?;
    machine.timing.head_check_every = backend.head_check_every;
    tokio::spawn(follow_size(backend.sizes.clone(), metrics.clone()));
    Ok(backend)
}

/// Ends with the backend.
async fn follow_size(mut sizes: watch::Receiver<Option<StatusSize>>, metrics: Documents) {
    while sizes.changed().await.is_ok() {
        if let Some(size) = *sizes.borrow_and_update() {
            metrics.room_taken(size.bytes, size.limit);
        }
    }
}

fn candidate(options: &CoordinatorOptions, machine: &Options, timing: LeaseTiming) -> Candidate {
    Candidate {
        name: options.name.as_str().into(),
        process: machine.process,
        // By the downward API, where the manifest has it.
        pod: std::env::var("POD_UID")
            .ok()
            .filter(|uid| !uid.trim().is_empty())
            .map(Into::into),
        public_address: options.advertised_address.clone(),
        seed: machine.seed,
        timing,
    }
}
