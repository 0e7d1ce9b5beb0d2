//! What can go wrong with the lease, its server and its watch.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;

use crate::sim::clock::At;
use crate::sim::world::{What, World};

/// What can go wrong with the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaseTrouble {
    /// Somebody deletes it.
    Deleted,
    /// The next write comes after its sender has given up.
    Held,
    /// Requests and answers are lost.
    Lossy {
        /// Out of 100.
        percent: u32,
    },
    /// Nobody may read or write it.
    Refused,
    /// Requests and answers are slow.
    Slow {
        /// The longest delay, in milliseconds.
        most_ms: u32,
    },
    /// Somebody else takes it.
    Stolen(Thief),
    /// Somebody changes nothing but its version.
    Touched,
    /// Somebody asks for it to be given to a coordinator.
    TransferRequested {
        /// Which; taken modulo their number.
        to: usize,
    },
    /// Its server is away.
    Unavailable,
    /// Its watch shows nothing.
    Unwatched,
}

/// Under which name it is stolen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thief {
    /// The holder's, and another process's id.
    Double,
    /// The holder's, by a coordinator that leaves no process's id.
    Namesake,
    /// Another.
    Stranger,
}

/// Draws some trouble.
pub fn trouble() -> BoxedStrategy<LeaseTrouble> {
    use LeaseTrouble::*;
    let thief = prop_oneof![
        Just(Thief::Double),
        Just(Thief::Namesake),
        Just(Thief::Stranger)
    ];
    prop_oneof![
        Just(Deleted),
        Just(Held),
        (5_u32..60).prop_map(|percent| Lossy { percent }),
        Just(Refused),
        (100_u32..12_000).prop_map(|most_ms| Slow { most_ms }),
        thief.prop_map(Stolen),
        Just(Touched),
        (0_usize..5).prop_map(|to| TransferRequested { to }),
        Just(Unavailable),
        Just(Unwatched),
    ]
    .boxed()
}

impl World<'_> {
    pub(in crate::sim) fn strike_lease(&mut self, trouble: LeaseTrouble, until: At) {
        let lease = &mut self.lease;
        let passes = matches!(
            trouble,
            LeaseTrouble::Touched | LeaseTrouble::TransferRequested { .. }
        );
        let troubled = if passes { self.queue.now() } else { until };
        lease.troubled = lease.troubled.max(troubled);
        match trouble {
            LeaseTrouble::Deleted => self.delete_lease(),
            LeaseTrouble::Held => lease.held += 1,
            LeaseTrouble::Lossy { percent } => lease.lossy = (until, percent),
            LeaseTrouble::Refused => lease.refuses = until,
            LeaseTrouble::Slow { most_ms } => {
                lease.slow = (until, Duration::from_millis(u64::from(most_ms)));
            }
            LeaseTrouble::Stolen(thief) => self.steal_lease(thief),
            LeaseTrouble::Touched => self.touch_lease(|_| {}),
            LeaseTrouble::TransferRequested { to } => {
                let name = format!("c{}", to % self.hosts.len());
                self.touch_lease(|record| record.transfer_requested = Some(name.into()));
            }
            LeaseTrouble::Unavailable => lease.unavailable = until,
            LeaseTrouble::Unwatched => {
                lease.unwatched = until;
                self.hint_at_lease();
                self.queue.at(until, What::LeaseHinted);
            }
        }
    }

    pub(in crate::sim) fn heal_lease(&mut self) {
        let now = self.queue.now();
        let lease = &mut self.lease;
        lease.held = 0;
        lease.unavailable = now;
        lease.refuses = now;
        lease.lossy.0 = now;
        lease.slow.0 = now;
        lease.unwatched = now;
        self.hint_at_lease();
    }
}
