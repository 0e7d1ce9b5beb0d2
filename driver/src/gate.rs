//! The authority gate as the tasks see it: nothing leaves for a data server or the store once
//! authority has ended, even if the process slept right before it was to leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stepdown_backends::boottime;
use stepdown_core::Timestamp;

/// When the authority of one tenure ends, as its [`Tenancy`] says; shared by all its tasks.
///
/// [`Tenancy`]: stepdown_core::tenancy::Tenancy
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<AtomicU64>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// Keeps it open until then.
    pub(crate) fn set(&self, until: Timestamp) {
        self.0.store(until.0, Ordering::Release);
    }

    /// Whether something may leave now.
    pub(crate) fn is_open(&self) -> bool {
        boottime().0 < self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_sees_when_the_gate_opens_and_closes() {
        let gate = Gate::closed();
        let seen = gate.clone();
        assert!(!seen.is_open());
        gate.set(Timestamp(1));
        assert!(!seen.is_open());
        gate.set(Timestamp(u64::MAX));
        assert!(seen.is_open());
        gate.set(Timestamp(0));
        assert!(!seen.is_open());
    }
}
