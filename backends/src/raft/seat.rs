//! Whether the coordinator of a node leads. A node may lead the others by Raft and have no
//! coordinator that does; then it gives its place to one that has.

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
    Promised(NodeId),
}

/// The place of a node's leading coordinator.
#[derive(Debug, Default)]
pub(super) struct Seat {
    sitter: watch::Sender<Sitter>,
    /// The only node that it is given to, while there is one: whoever sits there is to get up.
    successor: watch::Sender<Option<NodeId>>,
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
            Sitter::Promised(_) => false,
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
            Sitter::Coordinator(..) | Sitter::Nobody | Sitter::Promised(_) => false,
        })
    }

    /// Keeps it free for another node; says whether that is new, or was promised before.
    pub(super) fn promise(&self, candidate: NodeId) -> Promise {
        if self
            .successor()
            .is_some_and(|successor| successor != candidate)
        {
            return Promise::No;
        }
        let mut promise = Promise::No;
        self.sitter.send_if_modified(|sitter| match *sitter {
            Sitter::Nobody => {
                *sitter = Sitter::Promised(candidate);
                promise = Promise::New;
                true
            }
            Sitter::Promised(present) if present == candidate => {
                promise = Promise::Given;
                false
            }
            Sitter::Coordinator(..) | Sitter::Promised(_) => false,
        });
        promise
    }

    /// Keeps it free no longer.
    pub(super) fn take_back(&self) {
        self.sitter.send_if_modified(|sitter| match *sitter {
            Sitter::Promised(_) => {
                *sitter = Sitter::Nobody;
                true
            }
            Sitter::Coordinator(..) | Sitter::Nobody => false,
        });
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

    /// Returns once it was promised to another node, or after a while.
    pub(super) async fn promised(&self, within: Duration) {
        let mut sitters = self.sitter.subscribe();
        let promised = sitters.wait_for(|sitter| !matches!(sitter, Sitter::Nobody));
        // Nobody asked for it: then nobody does.
        let _ = tokio::time::timeout(within, promised).await;
    }
}

/// Whether the seat is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// It was before.
    Given,
    /// It is now.
    New,
    /// It is not.
    No,
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
        assert_eq!(seat.promise(9), Promise::No);
        assert!(!seat.leave(b) && seat.leave(a) && !seat.leave(a));
        assert_eq!(seat.promise(9), Promise::New);
        assert_eq!(
            (seat.promise(9), seat.promise(8)),
            (Promise::Given, Promise::No)
        );
        assert!(!seat.take(b, 3));
        seat.take_back();
        assert!(seat.take(b, 3));
    }

    #[test]
    fn a_seat_that_is_kept_for_one_is_given_to_nobody_else() {
        let seat = Seat::default();
        let a = Coordinator(1);
        assert!(seat.take(a, 3));
        seat.reserve(9);
        assert_eq!(seat.promise(9), Promise::No, "somebody sits there");
        assert!(seat.leave(a) && !seat.take(a, 3));
        assert_eq!(seat.promise(8), Promise::No);
        assert_eq!(seat.promise(9), Promise::New);
        seat.take_back();
        seat.open(8);
        assert!(!seat.take(a, 3));
        seat.open(9);
        assert!(seat.take(a, 3));
    }
}
