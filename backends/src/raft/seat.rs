//! Whether the coordinator of a node leads. A node may lead the others by Raft and have no
//! coordinator that does; then it gives its place to one that has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::types::NodeId;

/// One coordinator of a node. There is one for each process, but in tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coordinator(pub(super) u64);

/// Who sits there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sitter {
    /// Nobody.
    #[default]
    Nobody,
    /// A coordinator that leads, or did when it sat down, in this term of Raft's.
    Coordinator(Coordinator, u64),
    /// Nobody, and it is kept free for another node to be elected.
    Promised(NodeId, Promise),
}

/// One promise of all that were ever given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promise(u64);

/// The place of a node's leading coordinator.
#[derive(Debug, Default)]
pub(super) struct Seat {
    sitter: watch::Sender<Sitter>,
    /// The only node that it is given to, while there is one: whoever sits there is to get up.
    successor: watch::Sender<Option<NodeId>>,
    /// How many promises were given.
    promises: AtomicU64,
}

impl Seat {
    pub(super) fn sitter(&self) -> Sitter {
        *self.sitter.borrow()
    }

    /// The only node that it is given to, while there is one.
    pub(super) fn successor(&self) -> Option<NodeId> {
        *self.successor.borrow()
    }

    /// Is given to this node alone from now on.
    pub(super) fn reserve(&self, successor: NodeId) {
        self.successor.send_replace(Some(successor));
    }

    /// Is given to anybody again, unless it is kept for yet another node by now.
    pub(super) fn open(&self, successor: NodeId) {
        self.successor.send_if_modified(|present| {
            let is_it = *present == Some(successor);
            present.take_if(|_| is_it).is_some()
        });
    }

    /// Returns once it is kept for another node.
    pub(super) async fn reserved(&self) {
        // The sender is borrowed, so this can't fail.
        let _ = self.successor.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether nobody else sits there, and it is kept for nobody.
    pub(super) fn is_free_for(&self, coordinator: Coordinator) -> bool {
        let is_free = match self.sitter() {
            Sitter::Nobody => true,
            Sitter::Coordinator(present, _) => present == coordinator,
            Sitter::Promised(..) => false,
        };
        is_free && self.successor().is_none()
    }

    /// Sits down, if nobody else does; says whether that was possible.
    pub(super) fn take(&self, coordinator: Coordinator, term: u64) -> bool {
        if self.successor().is_some() {
            return false;
        }
        let mut sits = false;
        self.sitter.send_if_modified(|sitter| match *sitter {
            Sitter::Nobody => {
                *sitter = Sitter::Coordinator(coordinator, term);
                sits = true;
                true
            }
            Sitter::Coordinator(present, since) => {
                sits = present == coordinator && since == term;
                false
            }
            Sitter::Promised(..) => false,
        });
        sits
    }

    /// Gets up; says whether it sat there.
    pub(super) fn leave(&self, coordinator: Coordinator) -> bool {
        self.sitter.send_if_modified(|sitter| match *sitter {
            Sitter::Coordinator(present, _) if present == coordinator => {
                *sitter = Sitter::Nobody;
                true
            }
            Sitter::Coordinator(..) | Sitter::Nobody | Sitter::Promised(..) => false,
        })
    }

    /// Keeps it free for another node, if nobody sits there and it is kept for no other. Whoever is
    /// promised it again has it until the last promise is taken back.
    pub(super) fn promise(&self, candidate: NodeId) -> Option<Promise> {
        if self
            .successor()
            .is_some_and(|successor| successor != candidate)
        {
            return None;
        }
        let promise = Promise(self.promises.fetch_add(1, Ordering::Relaxed));
        let is_promised = self.sitter.send_if_modified(|sitter| match *sitter {
            Sitter::Promised(present, _) if present != candidate => false,
            Sitter::Coordinator(..) => false,
            Sitter::Nobody | Sitter::Promised(..) => {
                *sitter = Sitter::Promised(candidate, promise);
                true
            }
        });
        is_promised.then_some(promise)
    }

    /// Keeps it free no longer, unless it was promised again since; says whether that is so.
    pub(super) fn take_back(&self, promise: Promise) -> bool {
        self.sitter.send_if_modified(|sitter| match *sitter {
            Sitter::Promised(_, present) if present == promise => {
                *sitter = Sitter::Nobody;
                true
            }
            Sitter::Coordinator(..) | Sitter::Nobody | Sitter::Promised(..) => false,
        })
    }

    /// Returns once this coordinator does not sit there.
    pub(super) async fn left(&self, coordinator: Coordinator) {
        let sits = |sitter: &Sitter| matches!(sitter, Sitter::Coordinator(present, _) if *present == coordinator);
        // The sender is borrowed, so this can't fail.
        let _ = self
            .sitter
            .subscribe()
            .wait_for(|sitter| !sits(sitter))
            .await;
    }

    /// Returns once it is promised to nobody.
    pub(super) async fn unpromised(&self) {
        let mut sitters = self.sitter.subscribe();
        // The sender is borrowed, so this can't fail.
        let _ = sitters
            .wait_for(|sitter| !matches!(sitter, Sitter::Promised(..)))
            .await;
    }

    /// Returns once it was promised to another node, or after a while.
    pub(super) async fn promised(&self, within: Duration) {
        let mut sitters = self.sitter.subscribe();
        let promised = sitters.wait_for(|sitter| !matches!(sitter, Sitter::Nobody));
        // Nobody asked for it: then nobody does.
        let _ = tokio::time::timeout(within, promised).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sits_at_a_time_and_nobody_while_it_is_promised() {
        let seat = Seat::default();
        let (a, b) = (Coordinator(1), Coordinator(2));
        assert!(seat.take(a, 3) && seat.take(a, 3));
        assert!(!seat.take(b, 3) && !seat.take(a, 4));
        assert_eq!(seat.promise(9), None);
        assert!(!seat.leave(b) && seat.leave(a) && !seat.leave(a));
        let promise = seat.promise(9).unwrap();
        assert_eq!(seat.promise(8), None);
        assert!(!seat.take(b, 3));
        assert!(seat.take_back(promise) && seat.take(b, 3));
    }

    #[test]
    fn a_seat_that_is_promised_again_is_kept_until_the_last_promise_is_taken_back() {
        let seat = Seat::default();
        let (first, second) = (seat.promise(9).unwrap(), seat.promise(9).unwrap());
        assert!(!seat.take_back(first) && !seat.take(Coordinator(1), 3));
        assert!(seat.take_back(second) && seat.take(Coordinator(1), 3));
    }

    #[test]
    fn a_seat_that_is_kept_for_one_is_given_to_nobody_else() {
        let seat = Seat::default();
        let a = Coordinator(1);
        assert!(seat.take(a, 3));
        seat.reserve(9);
        assert_eq!(seat.promise(9), None, "somebody sits there");
        assert!(seat.leave(a) && !seat.take(a, 3));
        assert_eq!(seat.promise(8), None);
        let promise = seat.promise(9).unwrap();
        assert!(seat.take_back(promise));
        seat.open(8);
        assert!(!seat.take(a, 3));
        seat.open(9);
        assert!(seat.take(a, 3));
    }
}
