//! What other nodes have acknowledged to this one.
//!
//! Raft has no answer to a follower that has lost some of it: what it sends next makes no sense. So it is
//! told to the follower, which ends, and Raft never hears of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use openraft::{LogId, Vote};

use crate::raft::heed::Forgotten;
use crate::raft::types::{NodeId, TypeConfig};

/// The last entry that each of them is known to have, in the last term in which this one led it. Clones
/// are one.
#[derive(Clone, Debug, Default)]
pub(in crate::raft) struct Acknowledged(Arc<Mutex<BTreeMap<NodeId, Known>>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    /// By which this node led.
    vote: Vote<NodeId>,
    last: LogId<NodeId>,
}

impl Acknowledged {
    /// What this node is known to have by whoever leads by this vote.
    pub(in crate::raft) fn of(&self, node: NodeId, vote: &Vote<NodeId>) -> Option<LogId<NodeId>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&node)?;
        (known.vote == *vote).then_some(known.last)
    }

    /// It has everything up to here.
    pub(in crate::raft) fn up_to(
        &self,
        node: NodeId,
        vote: &Vote<NodeId>,
        last: Option<LogId<NodeId>>,
    ) {
        let Some(last) = last else {
            return;
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = Known { vote: *vote, last };
        let known = known.entry(node).or_insert(said);
        if *vote == known.vote {
            known.last = known.last.max(last);
        } else if *vote > known.vote {
            *known = said;
        }
    }

    /// It has answered this. The error is that it differs where it did not before.
    pub(in crate::raft) fn heard(
        &self,
        node: NodeId,
        request: &Asked,
        answer: &AppendEntriesResponse<NodeId>,
    ) -> Result<(), Forgotten> {
        match answer {
            AppendEntriesResponse::Success => self.up_to(node, &request.vote, request.last),
            AppendEntriesResponse::PartialSuccess(last) => self.up_to(node, &request.vote, *last),
            AppendEntriesResponse::Conflict => {
                let known = self.of(node, &request.vote);
                if let Some(known) = known.filter(|known| request.previous <= Some(*known)) {
                    return Err(Forgotten {
                        node,
                        acknowledged: known.index,
                    });
                }
            }
            AppendEntriesResponse::HigherVote(_) => {}
        }
        Ok(())
    }
}

/// What of a request tells what its answer means.
#[derive(Clone, Copy, Debug)]
pub(in crate::raft) struct Asked {
    vote: Vote<NodeId>,
    previous: Option<LogId<NodeId>>,
    last: Option<LogId<NodeId>>,
}

impl Asked {
    /// The last entry that whoever has taken it has.
    pub(in crate::raft) fn last(&self) -> Option<LogId<NodeId>> {
        self.last
    }

    pub(in crate::raft) fn of(request: &AppendEntriesRequest<TypeConfig>) -> Self {
        let last = request.entries.last().map(|entry| entry.log_id);
        Self {
            vote: request.vote,
            previous: request.prev_log_id,
            last: last.or(request.prev_log_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use openraft::testing::log_id;

    use super::*;

    const NODE: NodeId = 5;

    fn asked(term: u64, previous: u64, last: u64) -> Asked {
        let id = |index| Some(log_id(1, 1, index));
        Asked {
            vote: Vote::new_committed(term, 1),
            previous: id(previous),
            last: id(last),
        }
    }

    #[test]
    fn a_node_that_differs_where_it_has_acknowledged_something_has_forgotten_it() {
        use AppendEntriesResponse::{Conflict, PartialSuccess, Success};
        let known = Acknowledged::default();
        assert_eq!(known.heard(NODE, &asked(1, 9, 9), &Conflict), Ok(()));
        assert_eq!(known.heard(NODE, &asked(1, 3, 7), &Success), Ok(()));
        let partly = PartialSuccess(Some(log_id(1, 1, 8)));
        assert_eq!(known.heard(NODE, &asked(1, 7, 9), &partly), Ok(()));
        // Late, and no news.
        assert_eq!(known.heard(NODE, &asked(1, 2, 2), &Success), Ok(()));
        assert_eq!(known.heard(NODE, &asked(1, 9, 9), &Conflict), Ok(()));
        for previous in [8, 1] {
            let forgotten = known.heard(NODE, &asked(1, previous, 9), &Conflict);
            let forgotten = forgotten.unwrap_err();
            assert_eq!((forgotten.node, forgotten.acknowledged), (NODE, 8));
        }
    }

    #[test]
    fn what_was_acknowledged_in_another_term_or_by_another_node_does_not_count() {
        use AppendEntriesResponse::{Conflict, Success};
        let known = Acknowledged::default();
        known.heard(NODE, &asked(1, 3, 7), &Success).unwrap();
        assert_eq!(known.heard(NODE + 1, &asked(1, 7, 7), &Conflict), Ok(()));
        assert_eq!(known.heard(NODE, &asked(2, 7, 7), &Conflict), Ok(()));
        known.heard(NODE, &asked(2, 1, 2), &Success).unwrap();
        assert_eq!(known.heard(NODE, &asked(2, 7, 7), &Conflict), Ok(()));
        known.heard(NODE, &asked(1, 9, 9), &Success).unwrap();
        let in_term = |term| known.of(NODE, &Vote::new_committed(term, 1));
        assert_eq!((in_term(1), in_term(2)), (None, Some(log_id(1, 1, 2))));
    }
}
