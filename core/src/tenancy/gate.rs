//! The authority gate of one tenure: closed until leadership is won, then open for as long as
//! authority lasts, or until the office is closed.

use crate::id::Timestamp;

/// Until when something may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Closed,
    /// Where leadership is a lock: until it is closed.
    Open,
    Until(Timestamp),
}

impl Gate {
    /// Opens it until `authority`; for good, where leadership is a lock.
    pub(super) fn open(authority: Option<Timestamp>) -> Self {
        authority.map_or(Self::Open, Self::Until)
    }

    /// Keeps it open for longer; a gate that is closed stays closed.
    pub(super) fn extend(&mut self, authority: Timestamp) {
        match self {
            Self::Closed | Self::Open => {}
            Self::Until(until) => *until = authority.max(*until),
        }
    }

    pub(super) fn is_open(self, now: Timestamp) -> bool {
        now < self.until()
    }

    /// When it closes by itself; `None` where it never does.
    pub(super) fn closes(self) -> Option<Timestamp> {
        match self {
            Self::Open => None,
            Self::Closed | Self::Until(_) => Some(self.until()),
        }
    }

    /// The first moment at which it is closed: the beginning of time where it is closed already,
    /// the end of time where it closes only with the office.
    pub(super) fn until(self) -> Timestamp {
        match self {
            Self::Closed => Timestamp(0),
            Self::Open => Timestamp(u64::MAX),
            Self::Until(until) => until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_open_from_the_win_until_authority_ends() {
        assert!(!Gate::Closed.is_open(Timestamp(0)));
        let mut gate = Gate::open(Some(Timestamp(1)));
        assert!(gate.is_open(Timestamp(0)));
        assert!(!gate.is_open(Timestamp(1)));
        gate.extend(Timestamp(9));
        assert!(gate.is_open(Timestamp(8)));
        assert!(!gate.is_open(Timestamp(9)));
        gate.extend(Timestamp(5));
        assert!(gate.is_open(Timestamp(8)));
    }

    #[test]
    fn a_closed_gate_can_not_be_extended() {
        let mut gate = Gate::Closed;
        gate.extend(Timestamp(u64::MAX - 1));
        assert!(!gate.is_open(Timestamp(0)));
    }

    #[test]
    fn the_gate_of_a_lock_never_closes_by_itself() {
        assert_eq!(Gate::open(None).closes(), None);
        assert!(Gate::open(None).is_open(Timestamp(u64::MAX - 1)));
    }
}
