//! The authority gate: nothing leaves for a data server or the store once authority has ended,
//! even if the process slept right before it was to leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stepdown_backends::boottime;
use stepdown_core::Timestamp;

/// When the authority of one tenure ends; shared by all its tasks.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<AtomicU64>);

impl Gate {
    /// A gate that is closed until leadership is won.
    pub(super) fn closed() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// Opens it until `authority`; for good, where leadership is a lock.
    pub(super) fn open(&self, authority: Option<Timestamp>) {
        let until = authority.map_or(u64::MAX, |authority| authority.0);
        self.0.store(until, Ordering::Release);
    }

    /// Keeps it open for longer; a gate that was closed stays closed.
    pub(super) fn extend(&self, authority: Timestamp) {
        let later = |until| (until != 0 && until < authority.0).then_some(authority.0);
        // An error says only that there was nothing to change.
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
    }

    /// Closes it for good.
    pub(super) fn close(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Whether something may leave now.
    pub(super) fn is_open(&self) -> bool {
        boottime().0 < self.0.load(Ordering::Acquire)
    }

    /// When it closes by itself; `None` where it never does.
    pub(super) fn closes(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Acquire) {
            u64::MAX => None,
            until => Some(Timestamp(until)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_open_from_the_win_until_authority_ends() {
        let gate = Gate::closed();
        assert!(!gate.is_open());
        gate.open(Some(Timestamp(1)));
        assert!(!gate.is_open());
        gate.extend(Timestamp(u64::MAX - 1));
        assert!(gate.is_open());
    }

    #[test]
    fn a_closed_gate_can_not_be_extended() {
        let gate = Gate::closed();
        gate.open(None);
        assert_eq!(gate.closes(), None);
        gate.close();
        gate.extend(Timestamp(u64::MAX - 1));
        assert!(!gate.is_open());
    }
}
