//! Raft's messages, to and from their form on the wire.

use std::time::Duration;

use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, Membership, Vote};
use stepdown_wire::raft as wire;
use wire::append_response::Outcome;
use wire::entry::Payload;

use crate::raft::types::{Member, NodeId, TypeConfig};

/// A message that can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It, or a part of it, is not what was expected there.
    #[error("the message has no {0}; is the sender of another version?")]
    Missing(&'static str),
    /// A part that is JSON is not, or says something unknown.
    #[error("the message has a {part} that can't be understood: {source}")]
    Json {
        /// The part.
        part: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
}

pub(super) fn to_ballot(vote: &Vote<NodeId>) -> wire::Ballot {
    wire::Ballot {
        term: vote.leader_id.term,
        node: vote.leader_id.node_id,
        committed: vote.committed,
    }
}

pub(super) fn ballot(ballot: Option<wire::Ballot>) -> Result<Vote<NodeId>, Malformed> {
    let ballot = ballot.ok_or(Malformed::Missing("ballot"))?;
    Ok(match ballot.committed {
        true => Vote::new_committed(ballot.term, ballot.node),
        false => Vote::new(ballot.term, ballot.node),
    })
}

/// In milliseconds, rounded up.
pub(super) fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

pub(super) fn to_log_id(id: &LogId<NodeId>) -> wire::LogId {
    wire::LogId {
        term: id.leader_id.term,
        node: id.leader_id.node_id,
        index: id.index,
    }
}

pub(super) fn log_id(id: wire::LogId) -> LogId<NodeId> {
    LogId::new(CommittedLeaderId::new(id.term, id.node), id.index)
}

pub(super) fn to_membership(membership: &Membership<NodeId, Member>) -> Result<Vec<u8>, Malformed> {
    serde_json::to_vec(membership).map_err(|source| Malformed::Json {
        part: "membership",
        source,
    })
}

pub(super) fn membership(json: &[u8]) -> Result<Membership<NodeId, Member>, Malformed> {
    serde_json::from_slice(json).map_err(|source| Malformed::Json {
        part: "membership",
        source,
    })
}

pub(super) fn to_append(
    envelope: wire::Envelope,
    request: &AppendEntriesRequest<TypeConfig>,
) -> Result<wire::AppendRequest, Malformed> {
    Ok(wire::AppendRequest {
        envelope: Some(envelope),
        ballot: Some(to_ballot(&request.vote)),
        previous: request.prev_log_id.as_ref().map(to_log_id),
        entries: request
            .entries
            .iter()
            .map(to_entry)
            .collect::<Result<_, _>>()?,
        committed: request.leader_commit.as_ref().map(to_log_id),
    })
}

pub(super) fn append(
    request: wire::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, Malformed> {
    Ok(AppendEntriesRequest {
        vote: ballot(request.ballot)?,
        prev_log_id: request.previous.map(log_id),
        entries: request
            .entries
            .into_iter()
            .map(entry)
            .collect::<Result<_, _>>()?,
        leader_commit: request.committed.map(log_id),
    })
}

fn to_entry(entry: &Entry<TypeConfig>) -> Result<wire::Entry, Malformed> {
    Ok(wire::Entry {
        id: Some(to_log_id(&entry.log_id)),
        payload: Some(match &entry.payload {
            EntryPayload::Blank => Payload::Blank(wire::Nothing {}),
            EntryPayload::Normal(command) => {
                let json = serde_json::to_vec(command).map_err(|source| Malformed::Json {
                    part: "command",
                    source,
                })?;
                Payload::Command(json.into())
            }
            EntryPayload::Membership(membership) => {
                Payload::Membership(to_membership(membership)?.into())
            }
        }),
    })
}

fn entry(entry: wire::Entry) -> Result<Entry<TypeConfig>, Malformed> {
    Ok(Entry {
        log_id: log_id(entry.id.ok_or(Malformed::Missing("log id"))?),
        payload: match entry.payload.ok_or(Malformed::Missing("payload"))? {
            Payload::Blank(_) => EntryPayload::Blank,
            Payload::Command(json) => {
                EntryPayload::Normal(serde_json::from_slice(&json).map_err(|source| {
                    Malformed::Json {
                        part: "command",
                        source,
                    }
                })?)
            }
            Payload::Membership(json) => EntryPayload::Membership(membership(&json)?),
        },
    })
}

pub(super) fn to_appended(response: &AppendEntriesResponse<NodeId>) -> wire::AppendResponse {
    wire::AppendResponse {
        outcome: Some(match response {
            AppendEntriesResponse::Success => Outcome::Appended(wire::Nothing {}),
            AppendEntriesResponse::PartialSuccess(last) => Outcome::Partly(wire::Partly {
                last: last.as_ref().map(to_log_id),
            }),
            AppendEntriesResponse::Conflict => Outcome::Conflict(wire::Nothing {}),
            AppendEntriesResponse::HigherVote(vote) => Outcome::Superseded(to_ballot(vote)),
        }),
    }
}

pub(super) fn appended(
    response: wire::AppendResponse,
) -> Result<AppendEntriesResponse<NodeId>, Malformed> {
    Ok(
        match response.outcome.ok_or(Malformed::Missing("outcome"))? {
            Outcome::Appended(_) => AppendEntriesResponse::Success,
            Outcome::Partly(partly) => {
                AppendEntriesResponse::PartialSuccess(partly.last.map(log_id))
            }
            Outcome::Conflict(_) => AppendEntriesResponse::Conflict,
            Outcome::Superseded(higher) => AppendEntriesResponse::HigherVote(ballot(Some(higher))?),
        },
    )
}

pub(super) fn to_vote(
    envelope: wire::Envelope,
    request: &VoteRequest<NodeId>,
) -> wire::VoteRequest {
    wire::VoteRequest {
        envelope: Some(envelope),
        ballot: Some(to_ballot(&request.vote)),
        last: request.last_log_id.as_ref().map(to_log_id),
    }
}

pub(super) fn vote(request: wire::VoteRequest) -> Result<VoteRequest<NodeId>, Malformed> {
    Ok(VoteRequest {
        vote: ballot(request.ballot)?,
        last_log_id: request.last.map(log_id),
    })
}

pub(super) fn to_voted(response: &VoteResponse<NodeId>) -> wire::VoteResponse {
    wire::VoteResponse {
        ballot: Some(to_ballot(&response.vote)),
        granted: response.vote_granted,
        last: response.last_log_id.as_ref().map(to_log_id),
    }
}

pub(super) fn voted(response: wire::VoteResponse) -> Result<VoteResponse<NodeId>, Malformed> {
    Ok(VoteResponse {
        vote: ballot(response.ballot)?,
        vote_granted: response.granted,
        last_log_id: response.last.map(log_id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::command::{ClusterId, Command};

    fn id(index: u64) -> LogId<NodeId> {
        LogId::new(CommittedLeaderId::new(3, u64::MAX), index)
    }

    #[test]
    fn every_kind_of_entry_survives_the_wire_form() {
        let member = Member {
            name: "a".to_owned(),
            address: "a:1".to_owned(),
        };
        let membership = Membership::new(
            vec![[7].into(), [7, 8].into()],
            std::collections::BTreeMap::from([(7, member.clone()), (8, member)]),
        );
        let command = Command::Form {
            cluster: ClusterId(u128::MAX),
        };
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Normal(command),
            EntryPayload::Membership(membership),
        ];
        let request = AppendEntriesRequest::<TypeConfig> {
            vote: Vote::new_committed(3, 7),
            prev_log_id: None,
            entries: (1..)
                .zip(payloads)
                .map(|(index, payload)| Entry {
                    log_id: id(index),
                    payload,
                })
                .collect(),
            leader_commit: Some(id(1)),
        };
        let sent = to_append(wire::Envelope::default(), &request).unwrap();
        let heard = append(sent).unwrap();
        assert_eq!(format!("{heard:?}"), format!("{request:?}"));
    }

    #[test]
    fn every_answer_survives_the_wire_form() {
        for answer in [
            AppendEntriesResponse::Success,
            AppendEntriesResponse::PartialSuccess(None),
            AppendEntriesResponse::PartialSuccess(Some(id(4))),
            AppendEntriesResponse::Conflict,
            AppendEntriesResponse::HigherVote(Vote::new(9, 1)),
        ] {
            assert_eq!(appended(to_appended(&answer)).unwrap(), answer);
        }
        let answer = VoteResponse {
            vote: Vote::new(2, 5),
            vote_granted: true,
            last_log_id: Some(id(0)),
        };
        assert_eq!(voted(to_voted(&answer)).unwrap(), answer);
    }

    #[test]
    fn a_message_without_what_it_needs_is_named() {
        let error = append(wire::AppendRequest::default()).unwrap_err();
        assert!(error.to_string().contains("no ballot"), "{error}");
        let error = appended(wire::AppendResponse::default()).unwrap_err();
        assert!(error.to_string().contains("no outcome"), "{error}");
        let error = membership(b"[").unwrap_err();
        assert!(error.to_string().contains("membership"), "{error}");
    }
}
