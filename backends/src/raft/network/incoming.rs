//! The one snapshot that is taken in.
//!
//! A newer one ends an older one, whose sender may have gone. But anybody may say that it leads: one of
//! whoever leads this node by its own ballot is ended by nobody else's.

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
    /// One with this ballot begins to come, unless one with the node's own does, and this is another.
    pub fn begin(&self, ballot: Vote<NodeId>, own: Vote<NodeId>) -> Option<Turn<'_>> {
        let mut number = None;
        self.0.send_if_modified(|present| {
            if present.ballot == Some(own) && ballot != own {
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
    fn a_snapshot_of_the_node_s_leader_is_ended_by_a_newer_one_of_it_and_by_no_other() {
        let incoming = Incoming::default();
        let own = Vote::new_committed(3, 1);
        let begin = |term| incoming.begin(Vote::new_committed(term, 1), own);
        let mut first = begin(3).unwrap();
        assert!(begin(2).is_none() && begin(4).is_none() && !is_over(&mut first));
        let mut second = begin(3).unwrap();
        assert!(is_over(&mut first) && !is_over(&mut second));
        drop(first);
        assert!(begin(4).is_none());
        drop(second);
        assert!(begin(4).is_some());
    }

    #[test]
    fn a_snapshot_with_a_ballot_that_the_node_does_not_have_is_ended_by_any() {
        let incoming = Incoming::default();
        let of = |term| Vote::new_committed(term, 1);
        let mut unproven = incoming.begin(of(9), of(3)).unwrap();
        let mut lesser = incoming.begin(of(8), of(3)).unwrap();
        assert!(is_over(&mut unproven) && !is_over(&mut lesser));
        let mut leader = incoming.begin(of(3), of(3)).unwrap();
        assert!(is_over(&mut lesser) && !is_over(&mut leader));
        // The node has heard of a later one meanwhile.
        assert!(incoming.begin(of(4), of(4)).is_some() && is_over(&mut leader));
    }
}
