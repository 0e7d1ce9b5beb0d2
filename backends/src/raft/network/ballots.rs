//! Whose ballot a message may have.
//!
//! Raft takes every greater ballot for its own, and leads at once where it is said to be elected. So a
//! ballot that names this node, and that it has not cast itself, would put it in office beside whoever is.

use openraft::Vote;
use stepdown_wire::raft as wire;

use super::convert::{self, Malformed};
use crate::raft::types::NodeId;

/// That of a leader, which speaks for itself.
pub(super) fn of_leader(
    ballot: Option<wire::Ballot>,
    from: NodeId,
) -> Result<Vote<NodeId>, Malformed> {
    of_sender(ballot, from, true)
}

/// That of a candidate, which nobody has elected yet.
pub(super) fn of_candidate(
    ballot: Option<wire::Ballot>,
    from: NodeId,
) -> Result<Vote<NodeId>, Malformed> {
    of_sender(ballot, from, false)
}

fn of_sender(
    ballot: Option<wire::Ballot>,
    from: NodeId,
    elected: bool,
) -> Result<Vote<NodeId>, Malformed> {
    let vote = convert::ballot(ballot)?;
    if vote.leader_id.node_id != from || vote.committed != elected {
        return Err(Malformed::NotIts { vote, of: from });
    }
    Ok(vote)
}

/// That in the answer of this node to a candidate, or a leader, which has sent this one: no greater one names
/// it, since it has cast none. Raft would have it stand by one and be elected by the other.
///
/// But the node may have been told of it, and then follows nobody in an earlier term. So one of a later term
/// is taken for a vote of the node's own, which elects nobody, and which the next election is after.
pub(super) fn in_answer_to(
    sent: &Vote<NodeId>,
    ballot: Option<wire::Ballot>,
    answering: NodeId,
) -> Result<Vote<NodeId>, Malformed> {
    let vote = convert::ballot(ballot)?;
    let (asked, term) = (sent.leader_id.node_id, vote.leader_id.term);
    if vote.leader_id.node_id != asked || vote <= *sent {
        return Ok(vote);
    }
    if term > sent.leader_id.term && answering != asked {
        return Ok(Vote::new(term, answering));
    }
    Err(Malformed::NotIts { vote, of: asked })
}

/// That in the answer to a leader which is followed by another, as it is said: it is greater. Raft gives the
/// other node up for good where it is not.
pub(super) fn after(
    sent: &Vote<NodeId>,
    ballot: Option<wire::Ballot>,
    answering: NodeId,
) -> Result<Vote<NodeId>, Malformed> {
    let vote = own_or_after(sent, ballot, answering)?;
    if vote == *sent {
        return Err(Malformed::NotAfter { vote, sent: *sent });
    }
    Ok(vote)
}

/// That in the answer to a leader whose snapshot was installed, which is its own, or was not.
pub(super) fn own_or_after(
    sent: &Vote<NodeId>,
    ballot: Option<wire::Ballot>,
    answering: NodeId,
) -> Result<Vote<NodeId>, Malformed> {
    let vote = in_answer_to(sent, ballot, answering)?;
    if vote < *sent {
        return Err(Malformed::NotAfter { vote, sent: *sent });
    }
    Ok(vote)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wired(vote: Vote<NodeId>) -> Option<wire::Ballot> {
        Some(convert::to_ballot(&vote))
    }

    fn is_refused(heard: Result<Vote<NodeId>, Malformed>) -> bool {
        matches!(heard, Err(Malformed::NotIts { .. }))
    }

    #[test]
    fn nobody_says_that_another_leads_or_stands() {
        for node in [1, 2] {
            let (elected, standing) = (Vote::new_committed(3, node), Vote::new(3, node));
            assert_eq!(is_refused(of_leader(wired(elected), 1)), node != 1);
            assert_eq!(is_refused(of_candidate(wired(standing), 1)), node != 1);
            assert!(is_refused(of_leader(wired(standing), 1)));
            assert!(is_refused(of_candidate(wired(elected), 1)));
        }
    }

    #[test]
    fn no_answer_has_a_ballot_of_whoever_is_answered_that_it_has_not_cast() {
        let sent = Vote::new_committed(3, 1);
        for (term, node) in [(3, 1), (2, 1), (4, 2)] {
            let answered = Vote::new_committed(term, node);
            let heard = in_answer_to(&sent, wired(answered), 5);
            assert_eq!(heard.unwrap(), answered);
        }
        let stood = Vote::new(3, 1);
        assert!(is_refused(in_answer_to(&stood, wired(sent), 5)));
        assert!(is_refused(in_answer_to(&sent, wired(Vote::new(4, 1)), 1)));
    }

    #[test]
    fn a_node_that_was_told_of_another_election_of_whoever_it_answers_has_it_stand_again() {
        let sent = Vote::new_committed(3, 1);
        for told in [Vote::new_committed(4, 1), Vote::new(4, 1)] {
            let heard = in_answer_to(&sent, wired(told), 5).unwrap();
            assert_eq!(heard, Vote::new(4, 5));
            assert_eq!(after(&sent, wired(told), 5).unwrap(), heard);
            assert_eq!(own_or_after(&sent, wired(told), 5).unwrap(), heard);
        }
    }

    #[test]
    fn a_leader_is_followed_by_a_later_one_alone() {
        let sent = Vote::new_committed(3, 2);
        let is_before = |heard| matches!(heard, Err(Malformed::NotAfter { .. }));
        for before in [Vote::new(3, 2), Vote::new_committed(3, 1), Vote::new(2, 9)] {
            assert!(is_before(after(&sent, wired(before), 5)), "{before}");
            assert!(is_before(own_or_after(&sent, wired(before), 5)), "{before}");
        }
        assert!(is_before(after(&sent, wired(sent), 5)));
        assert_eq!(own_or_after(&sent, wired(sent), 5).unwrap(), sent);
        for later in [Vote::new(3, 3), Vote::new_committed(4, 1)] {
            assert_eq!(after(&sent, wired(later), 5).unwrap(), later);
            assert_eq!(own_or_after(&sent, wired(later), 5).unwrap(), later);
        }
    }
}
