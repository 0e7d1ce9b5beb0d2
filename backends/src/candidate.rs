//! Who stands for leadership.

use std::sync::Arc;

use stepdown_core::ProcessId;
use stepdown_core::lease::LeaseTiming;

use crate::public_address::PublicAddress;

/// One coordinator, as it stands for leadership. A backend takes of it what its kind of leadership
/// needs: a lock is content with the name and the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name, for whoever asks who leads.
    pub name: Arc<str>,
    /// Its process.
    pub process: ProcessId,
    /// The UID of the pod that the process runs in, if it does.
    pub pod: Option<Arc<str>>,
    /// Where people reach it while it leads, if that is known.
    pub public_address: Option<PublicAddress>,
    /// The only source of chance: jitter.
    pub seed: u64,
    /// The durations of an election by lease.
    pub timing: LeaseTiming,
}
