//! What has to hold of a message of another node.

use openraft::Vote;
use prost::Message;
use stepdown_wire::raft as wire;

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
                let again = convert::appended(convert::to_appended(&appended), &sent, 2);
                same(&again, &appended);
            }
        }
        2 => {
            let Ok(request) = wire::VoteRequest::decode(bytes) else {
                return;
            };
            check_envelope(request.envelope.as_ref());
            if let Ok(vote) = convert::vote(request) {
                let again = convert::vote(convert::to_vote(wire::Envelope::default(), &vote));
                same(&again, &vote);
            }
        }
        3 => {
            let Ok(response) = wire::VoteResponse::decode(bytes) else {
                return;
            };
            if let Ok(voted) = convert::voted(response, &sent, 2) {
                let again = convert::voted(convert::to_voted(&voted), &sent, 2);
                same(&again, &voted);
            }
        }
        4 => {
            let Ok(greeting) = wire::Greeting::decode(bytes) else {
                return;
            };
            if let Ok(greeting) = Greeting::try_from(greeting) {
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
    if let Ok(append) = convert::append(request) {
        let said = convert::to_append(wire::Envelope::default(), &append, None);
        let said = said.unwrap_or_else(|error| panic!("{error}"));
        same(&convert::append(said), &append);
    }
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
