//! What has to hold of a message of another node.

use std::time::{SystemTime, UNIX_EPOCH};

use openraft::Vote;
use prost::Message;
use stepdown_wire::raft as wire;
use stepdown_wire::raft::append_response::Outcome;
use stepdown_wire::raft::entry::Payload;

use super::convert::{self, Malformed};
use super::entries::Entries;
use super::greeting::Greeting;
use super::identity::Identity;
use super::messages::Messages;
use super::{ballots, dial};
use crate::raft::command::ClusterId;

/// A message of one of the kinds, by its number. What is understood is said again in the same words.
pub fn message(kind: u8, bytes: &[u8]) {
    let sent = Vote::new_committed(7, 1);
    match kind % 6 {
        0 => check_append(bytes),
        1 => {
            let Ok(response) = wire::AppendResponse::decode(bytes) else {
                return;
            };
            if let Ok(appended) = convert::appended(response, &sent, 2) {
                let said = convert::to_appended(&appended).outcome;
                match (said, response.outcome) {
                    (Some(Outcome::Superseded(taken)), Some(Outcome::Superseded(said))) => {
                        check_answered(Some(taken), Some(said));
                        assert!((taken.term, taken.node, taken.committed) != (7, 1, true));
                        assert!(taken.term >= 7, "no leader gives way to it");
                    }
                    (taken, said) => assert_eq!(taken, said),
                }
                let again = convert::appended(convert::to_appended(&appended), &sent, 2);
                same(&again, &appended);
            }
        }
        2 => {
            let Ok(request) = wire::VoteRequest::decode(bytes) else {
                return;
            };
            check_envelope(request.envelope.as_ref());
            if let Ok(vote) = convert::vote(request.clone()) {
                let said = convert::to_vote(wire::Envelope::default(), &vote);
                check_bounds(said.ballot, [said.last]);
                assert_eq!((said.ballot, said.last), (request.ballot, request.last));
                let again = convert::vote(convert::to_vote(wire::Envelope::default(), &vote));
                same(&again, &vote);
            }
        }
        3 => {
            let Ok(response) = wire::VoteResponse::decode(bytes) else {
                return;
            };
            if let Ok(voted) = convert::voted(response, &sent, 2) {
                let taken = convert::to_voted(&voted);
                check_answered(taken.ballot, response.ballot);
                assert_eq!(
                    (taken.granted, taken.last),
                    (response.granted, response.last)
                );
                check_bounds(response.ballot, [response.last]);
                let again = convert::voted(convert::to_voted(&voted), &sent, 2);
                same(&again, &voted);
            }
        }
        4 => {
            let Ok(greeting) = wire::Greeting::decode(bytes) else {
                return;
            };
            if let Ok(understood) = Greeting::try_from(greeting.clone()) {
                check_greeting(greeting, understood.clone());
                let greeting = understood;
                let again = Greeting::try_from(wire::Greeting::from(greeting.clone()));
                assert_eq!(again, Ok(greeting));
            }
        }
        _ => check_bodies(bytes),
    }
}

fn check_append(bytes: &[u8]) {
    let mut counted = Entries::default();
    counted.begin();
    let taken = counted.take(bytes);
    let Ok(request) = wire::AppendRequest::decode(bytes) else {
        return;
    };
    check_envelope(request.envelope.as_ref());
    let entries = request.entries.len();
    assert!(taken.is_err() || entries <= 1_024, "{entries} are let in");
    let _ = ballots::of_leader(request.ballot, 1);
    let _ = ballots::of_candidate(request.ballot, 1);
    if let Ok(append) = convert::append(request.clone()) {
        let said = convert::to_append(wire::Envelope::default(), &append, None);
        let said = said.unwrap_or_else(|error| panic!("{error}"));
        check_entries(&request, &said);
        same(&convert::append(said), &append);
    }
}

/// Nothing of what is asked for is lost, and the entries follow each other.
fn check_entries(request: &wire::AppendRequest, said: &wire::AppendRequest) {
    assert_eq!(said.ballot, request.ballot);
    assert_eq!(said.previous, request.previous);
    assert_eq!(said.committed, request.committed);
    check_bounds(request.ballot, [request.previous, request.committed]);
    assert_eq!(said.entries.len(), request.entries.len());
    let mut next = request.previous.map_or(0, |it| it.index + 1);
    for (said, asked) in said.entries.iter().zip(&request.entries) {
        check_bounds(request.ballot, [asked.id]);
        assert_eq!(asked.id.map(|it| it.index), Some(next), "there is a gap");
        next += 1;
        assert_eq!(said.id, asked.id);
        let kind = |entry: &wire::Entry| match &entry.payload {
            Some(Payload::Blank(_)) => "blank",
            Some(Payload::Command(_)) => "command",
            Some(Payload::Membership(_)) => "membership",
            None => panic!("an entry of nothing is understood"),
        };
        assert_eq!(kind(said), kind(asked));
    }
}

/// In answer to node 1 and its ballot of term 7, by node 2: what is said is taken, but for a greater ballot
/// that node 1 has not cast, which at most counts as one of node 2.
fn check_answered(taken: Option<wire::Ballot>, said: Option<wire::Ballot>) {
    let ballot = |ballot: Option<wire::Ballot>| ballot.map(|it| (it.term, it.node, it.committed));
    let expected = match ballot(said) {
        Some((term, 1, _)) if term > 7 => Some((term, 2, false)),
        said => said,
    };
    assert_eq!(ballot(taken), expected);
}

/// Nobody comes to a term or an index that is far beyond a million for every second since 1970.
fn check_bounds<const N: usize>(ballot: Option<wire::Ballot>, ids: [Option<wire::LogId>; N]) {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_1970.unwrap_or_default().as_secs();
    let most = (1 << 40) + (seconds + 1) * (1 << 24);
    let numbers = ids.into_iter().flatten();
    let numbers = numbers.flat_map(|it| [it.term, it.index]);
    assert!(numbers.chain(ballot.map(|it| it.term)).all(|it| it <= most));
}

/// Nothing that is said is lost, but for what is said twice.
fn check_greeting(mut said: wire::Greeting, understood: Greeting) {
    said.cluster.make_ascii_lowercase();
    said.bootstrap.sort();
    said.bootstrap.dedup();
    assert_eq!(wire::Greeting::from(understood), said);
}

/// A body in pieces is judged as the whole is.
fn check_bodies(bytes: &[u8]) {
    let judge = |piece: usize| {
        let mut messages = Messages::appending(4_096);
        for bytes in bytes.chunks(piece) {
            let mut rest = bytes;
            while !rest.is_empty() {
                let taken = messages.take(rest).map_err(|status| status.code())?;
                assert!(taken > 0, "it gets no further");
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
        Ok::<_, tonic::Code>(())
    };
    let whole = judge(bytes.len().max(1));
    for piece in [1, 3, 64] {
        assert_eq!(judge(piece), whole, "in pieces of {piece}");
    }
}

fn check_envelope(envelope: Option<&wire::Envelope>) {
    for cluster in [None, Some(ClusterId(9))] {
        let identity = Identity::new(2, cluster);
        if identity.check(envelope).is_ok() {
            assert!(envelope.is_some_and(|it| it.to == 2 && it.from != 2));
        }
    }
}

fn same<T: std::fmt::Debug>(again: &Result<T, Malformed>, first: &T) {
    match again {
        Ok(again) => assert_eq!(format!("{again:?}"), format!("{first:?}")),
        Err(error) => panic!("{first:?} is said so that it is not understood: {error}"),
    }
}

/// Whether a node at this address can be dialled. Needs a runtime.
#[must_use]
pub fn node_address(address: &str) -> bool {
    dial::dial(address, None, std::time::Duration::from_secs(1)).is_ok()
}
