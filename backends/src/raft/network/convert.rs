//! Raft's messages, to and from their form on the wire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use openraft::{CommittedLeaderId, Entry, EntryPayload, LogId, Membership, Vote};
use serde::de::DeserializeOwned;
use stepdown_wire::raft as wire;
use wire::append_response::Outcome;
use wire::entry::Payload;

use super::ballots;
use super::snapshot::LARGEST_PART;
use crate::raft::room::LARGEST_ENTRY;
use crate::raft::storage::before;
use crate::raft::types::{Member, NodeId, TypeConfig};

/// A message that can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Entries are left out.
    #[error("the message has entry {found} where entry {expected} has to follow")]
    Gap {
        /// The entry that has to follow.
        expected: u64,
        /// The one that is there.
        found: u64,
    },
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
    /// A term, or an index, is greater than any that a cluster comes to.
    #[error("the message has {part} of {value}, which is none that nodes have come to by now")]
    TooGreat {
        /// Which it is.
        part: &'static str,
        /// What it says.
        value: u64,
    },
    /// A ballot names somebody who can't have cast it by what else is said.
    #[error("the message has the ballot {vote} and is of node {of}, which has cast none like this")]
    NotIts {
        /// The ballot.
        vote: Vote<NodeId>,
        /// Of whom it would have to be.
        of: NodeId,
    },
    /// A membership is changed into more than one other at once.
    #[error("the message has a membership of {0} at once; from one to another, there are two")]
    Changes(usize),
    /// A leader is said to be followed by one that is none after it.
    #[error("the answer has the ballot {vote}, which is not greater than {sent}")]
    NotAfter {
        /// The ballot.
        vote: Vote<NodeId>,
        /// That of the leader.
        sent: Vote<NodeId>,
    },
    /// Entries come together that a leader sends one by one.
    #[error("the message has several entries in {0} bytes; large ones come one by one")]
    Together(usize),
    /// A part is larger than any that a node sends.
    #[error("the message has a {part} of {bytes} bytes; no more than {most} are taken in")]
    TooLarge {
        /// The part.
        part: &'static str,
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// Somebody votes of whom it is not said where they are.
    #[error("the message has a membership in which {0} votes and is no member")]
    Unknown(NodeId),
}

/// Terms and indexes up to here are taken in at any time: no cluster comes to them by itself.
const COMMON: u64 = 1 << 40;
/// So many more are taken in for every second since 1970. A node remembers the greatest term that it has
/// heard of, and must be heard itself with the one after it: where somebody has told it of the greatest of
/// all, it is, a second later.
const EVERY_SECOND: u64 = 1 << 24;

fn greatest(since_1970: Duration) -> u64 {
    COMMON.saturating_add(EVERY_SECOND.saturating_mul(since_1970.as_secs()))
}

fn bounded(part: &'static str, value: u64) -> Result<u64, Malformed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    bounded_at(now.unwrap_or_default(), part, value)
}

fn bounded_at(since_1970: Duration, part: &'static str, value: u64) -> Result<u64, Malformed> {
    if value > greatest(since_1970) {
        return Err(Malformed::TooGreat { part, value });
    }
    Ok(value)
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
    let term = bounded("a term", ballot.term)?;
    Ok(match ballot.committed {
        true => Vote::new_committed(term, ballot.node),
        false => Vote::new(term, ballot.node),
    })
}

pub(super) fn to_log_id(id: &LogId<NodeId>) -> wire::LogId {
    wire::LogId {
        term: id.leader_id.term,
        node: id.leader_id.node_id,
        index: id.index,
    }
}

/// Of an entry that there need not be.
pub(super) fn log_id(id: Option<wire::LogId>) -> Result<Option<LogId<NodeId>>, Malformed> {
    id.map(some_log_id).transpose()
}

fn some_log_id(id: wire::LogId) -> Result<LogId<NodeId>, Malformed> {
    let leader = CommittedLeaderId::new(bounded("a term", id.term)?, id.node);
    Ok(LogId::new(leader, bounded("an index", id.index)?))
}

pub(super) fn to_membership(membership: &Membership<NodeId, Member>) -> Result<Vec<u8>, Malformed> {
    serde_json::to_vec(membership).map_err(|source| Malformed::Json {
        part: "membership",
        source,
    })
}

pub(super) fn membership(json: &[u8]) -> Result<Membership<NodeId, Member>, Malformed> {
    let membership: Membership<NodeId, Member> = parsed("membership", json, LARGEST_PART)?;
    // Raft looks each of them up, and takes it for granted that they are there.
    let unknown = membership
        .voter_ids()
        .find(|voter| membership.get_node(voter).is_none());
    if let Some(voter) = unknown {
        return Err(Malformed::Unknown(voter));
    }
    // From one to another, at most.
    let configs = membership.get_joint_config().len();
    if configs > 2 {
        return Err(Malformed::Changes(configs));
    }
    Ok(membership)
}

/// What is made of JSON may take many times as much memory.
fn parsed<T: DeserializeOwned>(
    part: &'static str,
    json: &[u8],
    most: usize,
) -> Result<T, Malformed> {
    let bytes = json.len();
    if bytes > most {
        return Err(Malformed::TooLarge { part, bytes, most });
    }
    serde_json::from_slice(json).map_err(|source| Malformed::Json { part, source })
}

pub(super) fn to_append(
    envelope: wire::Envelope,
    request: &AppendEntriesRequest<TypeConfig>,
    acknowledged: Option<&LogId<NodeId>>,
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
        acknowledged: acknowledged.map(to_log_id),
    })
}

pub(super) fn append(
    request: wire::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, Malformed> {
    let request = AppendEntriesRequest {
        vote: ballot(request.ballot)?,
        prev_log_id: log_id(request.previous)?,
        entries: request
            .entries
            .into_iter()
            .map(entry)
            .collect::<Result<_, _>>()?,
        leader_commit: log_id(request.committed)?,
    };
    consecutive(&request)?;
    Ok(request)
}

/// Raft takes for granted that there is no gap: what is before it would never be asked for again.
fn consecutive(request: &AppendEntriesRequest<TypeConfig>) -> Result<(), Malformed> {
    let mut expected = before(request.prev_log_id);
    for entry in &request.entries {
        let found = entry.log_id.index;
        if found != expected {
            return Err(Malformed::Gap { expected, found });
        }
        expected = found.saturating_add(1);
    }
    Ok(())
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
        log_id: some_log_id(entry.id.ok_or(Malformed::Missing("log id"))?)?,
        payload: match entry.payload.ok_or(Malformed::Missing("payload"))? {
            Payload::Blank(_) => EntryPayload::Blank,
            Payload::Command(json) => {
                let most = usize::try_from(LARGEST_ENTRY).unwrap_or(usize::MAX);
                EntryPayload::Normal(parsed("command", &json, most)?)
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
    sent: &Vote<NodeId>,
    answering: NodeId,
) -> Result<AppendEntriesResponse<NodeId>, Malformed> {
    Ok(
        match response.outcome.ok_or(Malformed::Missing("outcome"))? {
            Outcome::Appended(_) => AppendEntriesResponse::Success,
            Outcome::Partly(partly) => AppendEntriesResponse::PartialSuccess(log_id(partly.last)?),
            Outcome::Conflict(_) => AppendEntriesResponse::Conflict,
            Outcome::Superseded(higher) => {
                AppendEntriesResponse::HigherVote(ballots::after(sent, Some(higher), answering)?)
            }
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
        last_log_id: log_id(request.last)?,
    })
}

pub(super) fn to_voted(response: &VoteResponse<NodeId>) -> wire::VoteResponse {
    wire::VoteResponse {
        ballot: Some(to_ballot(&response.vote)),
        granted: response.vote_granted,
        last: response.last_log_id.as_ref().map(to_log_id),
    }
}

pub(super) fn voted(
    response: wire::VoteResponse,
    sent: &Vote<NodeId>,
    answering: NodeId,
) -> Result<VoteResponse<NodeId>, Malformed> {
    Ok(VoteResponse {
        vote: ballots::in_answer_to(sent, response.ballot, answering)?,
        vote_granted: response.granted,
        last_log_id: log_id(response.last)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::command::{ClusterId, Command};

    const SENT: Vote<NodeId> = Vote {
        leader_id: openraft::LeaderId {
            term: 3,
            node_id: 7,
        },
        committed: true,
    };

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
            entries: (0..)
                .zip(payloads)
                .map(|(index, payload)| Entry {
                    log_id: id(index),
                    payload,
                })
                .collect(),
            leader_commit: Some(id(1)),
        };
        let sent = to_append(wire::Envelope::default(), &request, Some(&id(9))).unwrap();
        assert_eq!(log_id(sent.acknowledged).unwrap(), Some(id(9)));
        let heard = append(sent).unwrap();
        assert_eq!(format!("{heard:?}"), format!("{request:?}"));
    }

    #[test]
    fn entries_that_do_not_follow_one_another_are_refused() {
        let sent = |previous: Option<u64>, entries: &[u64]| {
            append(wire::AppendRequest {
                ballot: Some(wire::Ballot::default()),
                previous: previous.map(|index| to_log_id(&id(index))),
                entries: entries
                    .iter()
                    .map(|index| wire::Entry {
                        id: Some(to_log_id(&id(*index))),
                        payload: Some(Payload::Blank(wire::Nothing {})),
                    })
                    .collect(),
                ..wire::AppendRequest::default()
            })
        };
        for (previous, entries) in [
            (None, &[][..]),
            (None, &[0, 1]),
            (Some(7), &[]),
            (Some(7), &[8, 9]),
        ] {
            assert!(sent(previous, entries).is_ok(), "{previous:?} {entries:?}");
        }
        // The first is what a leader says that has forgotten what is before.
        told(sent(None, &[21, 22]), "entry 21 where entry 0");
        told(sent(Some(7), &[9]), "entry 9 where entry 8");
        told(sent(Some(7), &[8, 10]), "entry 10 where entry 9");
        told(sent(Some(7), &[7]), "entry 7 where entry 8");
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
            assert_eq!(appended(to_appended(&answer), &SENT, 5).unwrap(), answer);
        }
        let answer = VoteResponse {
            vote: Vote::new(2, 5),
            vote_granted: true,
            last_log_id: Some(id(0)),
        };
        assert_eq!(voted(to_voted(&answer), &SENT, 5).unwrap(), answer);
    }

    fn told<T: std::fmt::Debug>(heard: Result<T, Malformed>, words: &str) {
        let error = heard.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn terms_and_indexes_that_raft_could_not_count_on_from_are_refused() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let in_an_hour = greatest(now + Duration::from_secs(3_600));
        for term in [in_an_hour, 1 << 62, u64::MAX] {
            let of = |term| wire::Ballot {
                term,
                ..wire::Ballot::default()
            };
            assert!(ballot(Some(of(greatest(now)))).is_ok());
            told(ballot(Some(of(term))), "a term of");
            let outcome = Some(Outcome::Superseded(of(term)));
            let answer = wire::AppendResponse { outcome };
            told(appended(answer, &SENT, 5), "a term of");

            let last = Some(wire::LogId {
                term,
                ..wire::LogId::default()
            });
            let outcome = Some(Outcome::Partly(wire::Partly { last }));
            let answer = wire::AppendResponse { outcome };
            told(appended(answer, &SENT, 5), "a term of");
            let index = wire::LogId {
                index: term,
                ..wire::LogId::default()
            };
            let request = wire::VoteRequest {
                ballot: Some(of(1)),
                last: Some(index),
                ..wire::VoteRequest::default()
            };
            told(vote(request), "an index of");
            let request = wire::AppendRequest {
                ballot: Some(of(1)),
                entries: vec![wire::Entry {
                    id: Some(index),
                    payload: Some(Payload::Blank(wire::Nothing {})),
                }],
                ..wire::AppendRequest::default()
            };
            told(append(request), "an index of");
        }
    }

    #[test]
    fn the_term_after_the_greatest_is_heard_a_second_later_and_there_is_an_end_to_none() {
        let later = Duration::from_secs(1);
        for seconds in [0, 1, 1_800_000_000, 1 << 38] {
            let now = Duration::from_secs(seconds);
            let most = greatest(now);
            assert_eq!(bounded_at(now, "a term", most).unwrap(), most);
            told(bounded_at(now, "a term", most + 1), "a term of");
            let next = bounded_at(now + later, "a term", most + 1);
            assert_eq!(next.unwrap(), most + 1);
        }
    }

    #[test]
    fn a_membership_in_which_somebody_votes_who_is_nowhere_is_refused() {
        let json =
            br#"{"configs": [[7], [7, 8]], "nodes": {"7": {"name": "a", "address": "a:1"}}}"#;
        told(membership(json), "8 votes");
    }

    #[test]
    fn a_membership_that_is_changed_into_more_than_one_other_is_refused() {
        let of = |configs: &str| {
            let nodes = r#"{"7": {"name": "a", "address": "a:1"}}"#;
            membership(format!(r#"{{"configs": [{configs}], "nodes": {nodes}}}"#).as_bytes())
        };
        of("[7], [7]").unwrap();
        told(of("[7], [7], [7]"), "3 at once");
    }

    #[test]
    fn what_is_larger_than_any_node_sends_is_refused_before_anything_is_made_of_it() {
        // Each of the little ones would take eight times as much memory.
        let configs = "[],".repeat(LARGEST_PART / 3);
        let json = format!(r#"{{"configs": [{configs}[]], "nodes": {{}}}}"#);
        told(membership(json.as_bytes()), "no more than");
        let most = usize::try_from(LARGEST_ENTRY).unwrap();
        for (bytes, words) in [(most, "can't be understood"), (most + 1, "no more than")] {
            let heard = entry(wire::Entry {
                id: Some(wire::LogId::default()),
                payload: Some(Payload::Command(vec![b' '; bytes].into())),
            });
            told(heard, words);
        }
    }

    #[test]
    fn a_message_without_what_it_needs_is_named() {
        let error = append(wire::AppendRequest::default()).unwrap_err();
        assert!(error.to_string().contains("no ballot"), "{error}");
        let error = appended(wire::AppendResponse::default(), &SENT, 5).unwrap_err();
        assert!(error.to_string().contains("no outcome"), "{error}");
        let error = membership(b"[").unwrap_err();
        assert!(error.to_string().contains("membership"), "{error}");
    }
}
