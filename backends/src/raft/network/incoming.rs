//! The one snapshot that is taken in.
//!
//! A newer one ends an older one, whose sender may have gone; and one of a leader that was followed by
//! another ends none.

use openraft::Vote;
use tokio::sync::watch;

use crate::raft::types::NodeId;

/// Which one is coming.
#[derive(Debug, Default)]
pub(super) struct Incoming(watch::Sender<Present>);

#[derive(Debug, Default)]
struct Present {
    /// How many have begun to come.
    number: u64,
    /// Of the last one, while it comes.
    ballot: Option<Vote<NodeId>>,
}

/// That one's turn, until this is dropped, or a newer one comes.
pub(super) struct Turn<'a> {
    incoming: &'a Incoming,
    number: u64,
    present: watch::Receiver<Present>,
}

impl Incoming {
    /// One with this ballot begins to come, unless one with a greater one does.
    pub fn begin(&self, ballot: Vote<NodeId>) -> Option<Turn<'_>> {
        let mut number = None;
        self.0.send_if_modified(|present| {
            if present.ballot.is_some_and(|it| it > ballot) {
                return false;
            }
            present.number = present.number.wrapping_add(1);
            present.ballot = Some(ballot);
            number = Some(present.number);
            true
        });
        Some(Turn {
            incoming: self,
            number: number?,
            present: self.0.subscribe(),
        })
    }
}

impl Turn<'_> {
    /// Returns once a newer one comes.
    pub async fn is_over(&mut self) {
        let number = self.number;
        // It fails only where nobody is there any more who could begin one.
        let _ = self.present.wait_for(|it| it.number != number).await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.incoming.0.send_if_modified(|present| {
            if present.number == self.number {
                present.ballot = None;
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_over(turn: &mut Turn<'_>) -> bool {
        turn.is_over().now_or_never().is_some()
    }

    #[test]
    fn a_snapshot_is_ended_by_one_of_the_same_leader_or_a_later_one_and_by_no_other() {
        let incoming = Incoming::default();
        let begin = |term| incoming.begin(Vote::new_committed(term, 1));
        let mut first = begin(3).unwrap();
        assert!(begin(2).is_none() && !is_over(&mut first));
        let mut second = begin(3).unwrap();
        assert!(is_over(&mut first) && !is_over(&mut second));
        drop(first);
        assert!(begin(2).is_none());
        let mut third = begin(4).unwrap();
        assert!(is_over(&mut second) && !is_over(&mut third));
        drop(third);
        assert!(begin(1).is_some());
    }
}
