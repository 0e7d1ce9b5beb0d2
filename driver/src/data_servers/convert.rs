//! Between the machine's words and the wire's. What a peer says is never taken on trust: numbers
//! without a name are errors, not defaults.

use std::collections::BTreeSet;

use stepdown_core::assign::{ShardAssignment, ShardAssignments};
use stepdown_core::call::{
    AddFollower, Answer, BecomeLeader, Binding, CallError, DeleteShard, EntryId, Feature, NewTerm,
    ReplicaRole, ReplicaStatus, Truncate,
};
use stepdown_core::cluster::KeySorting;
use stepdown_core::{ShardId, Term};
use stepdown_wire::{replication as wire, v1};

use super::failure::incomprehensible;
use super::plausible;

pub(super) fn new_term(call: &NewTerm) -> wire::NewTermRequest {
    let key_sorting = match call.key_sorting {
        KeySorting::Unknown => wire::KeySortingType::Unknown,
        KeySorting::Natural => wire::KeySortingType::Natural,
        KeySorting::Hierarchical => wire::KeySortingType::Hierarchical,
    };
    wire::NewTermRequest {
        namespace: call.namespace.to_string(),
        shard: call.shard.0,
        term: call.term.0,
        options: Some(wire::NewTermOptions {
            enable_notifications: call.enable_notifications,
            key_sorting: key_sorting.into(),
        }),
    }
}

pub(super) fn delete_shard(call: &DeleteShard) -> wire::DeleteShardRequest {
    wire::DeleteShardRequest {
        namespace: call.namespace.to_string(),
        shard: call.shard.0,
        term: call.term.0,
    }
}

/// The answer to `NewTerm` in the term `asked`.
pub(super) fn fenced(asked: Term, response: wire::NewTermResponse) -> Result<Answer, CallError> {
    head("NewTerm", asked, response.head_entry_id).map(Answer::Fenced)
}

pub(super) fn truncate(call: &Truncate) -> wire::TruncateRequest {
    wire::TruncateRequest {
        namespace: call.namespace.to_string(),
        shard: call.shard.0,
        term: call.term.0,
        head_entry_id: Some(entry_id(call.head)),
    }
}

/// The answer to `Truncate` in the term `asked`.
pub(super) fn truncated(
    asked: Term,
    response: wire::TruncateResponse,
) -> Result<Answer, CallError> {
    let mut end = response.head_entry_id;
    // It names the asked term whatever its log ends with, and so it does where nothing is left of that.
    if let Some(end) = end.as_mut()
        && (end.term, end.offset) == (asked.0, EntryId::NONE.offset)
    {
        end.term = EntryId::NONE.term.0;
    }
    head("Truncate", asked, end).map(Answer::Truncated)
}

fn head(call: &str, asked: Term, head: Option<wire::EntryId>) -> Result<EntryId, CallError> {
    let head = head
        .ok_or_else(|| incomprehensible(format!("{call}: the answer names no head of the log")))?;
    let head = EntryId {
        term: Term(head.term),
        offset: head.offset,
    };
    plausible::head(call, asked, head)
}

pub(super) fn become_leader(call: &BecomeLeader) -> wire::BecomeLeaderRequest {
    wire::BecomeLeaderRequest {
        namespace: call.namespace.to_string(),
        shard: call.shard.0,
        term: call.term.0,
        replication_factor: call.replication_factor,
        follower_maps: call
            .follower_maps
            .iter()
            .map(|(address, head)| wire::FollowerHead {
                key: address.to_string(),
                value: Some(entry_id(*head)),
            })
            .collect(),
        features_supported: call.features_supported.iter().map(|f| f.0).collect(),
    }
}

pub(super) fn add_follower(call: &AddFollower) -> wire::AddFollowerRequest {
    wire::AddFollowerRequest {
        namespace: call.namespace.to_string(),
        shard: call.shard.0,
        term: call.term.0,
        follower_name: call.follower.to_string(),
        follower_head_entry_id: Some(entry_id(call.head)),
        observer: false,
        target_shard: None,
        split_hash_range: None,
    }
}

fn entry_id(id: EntryId) -> wire::EntryId {
    wire::EntryId {
        term: id.term.0,
        offset: id.offset,
    }
}

pub(super) fn get_status(shard: ShardId) -> wire::GetStatusRequest {
    wire::GetStatusRequest { shard: shard.0 }
}

pub(super) fn status(response: &wire::GetStatusResponse) -> Result<Answer, CallError> {
    let role = match wire::ServingStatus::try_from(response.status) {
        Ok(wire::ServingStatus::NotMember) => ReplicaRole::NotMember,
        Ok(wire::ServingStatus::Fenced) => ReplicaRole::Fenced,
        Ok(wire::ServingStatus::Follower) => ReplicaRole::Follower,
        Ok(wire::ServingStatus::Leader) => ReplicaRole::Leader,
        Err(_) => {
            let status = response.status;
            return Err(incomprehensible(format!("GetStatus: {status} is no role")));
        }
    };
    let status = ReplicaStatus {
        term: Term(response.term),
        role,
        head_offset: response.head_offset,
        commit_offset: response.commit_offset,
    };
    plausible::status(status).map(Answer::Status)
}

pub(super) fn handshaken(response: &wire::HandshakeResponse) -> Result<Answer, CallError> {
    let binding = match wire::HandshakeStatus::try_from(response.status) {
        Ok(wire::HandshakeStatus::Bound) => Binding::Bound,
        Ok(wire::HandshakeStatus::AlreadyBound) => Binding::AlreadyBound,
        Ok(wire::HandshakeStatus::Mismatch) => Binding::Mismatch,
        Ok(wire::HandshakeStatus::Unknown) | Err(_) => {
            let status = response.status;
            return Err(incomprehensible(format!(
                "Handshake: {status} does not say whether the server is ours"
            )));
        }
    };
    Ok(Answer::Handshaken {
        binding,
        features: features(&response.features_supported),
    })
}

/// An old server, which can't be bound, is ours.
pub(super) fn informed(response: &wire::GetInfoResponse) -> Answer {
    Answer::Handshaken {
        binding: Binding::AlreadyBound,
        features: features(&response.features_supported),
    }
}

/// Features that this release has no name for are kept: they need no more of us than passing on.
fn features(numbers: &[i32]) -> BTreeSet<Feature> {
    let known = numbers.iter().filter(|number| **number != 0);
    known.copied().map(Feature).collect()
}

pub(super) fn assignments(assignments: &ShardAssignments) -> v1::ShardAssignments {
    let namespace = |shards: &Vec<ShardAssignment>| v1::NamespaceShardsAssignment {
        assignments: shards.iter().map(assignment).collect(),
        shard_key_router: v1::ShardKeyRouter::Xxhash3.into(),
    };
    v1::ShardAssignments {
        namespaces: assignments
            .namespaces
            .iter()
            .map(|(name, shards)| (name.to_string(), namespace(shards)))
            .collect(),
        allowed_authorities: assignments
            .allowed_authorities
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn assignment(assignment: &ShardAssignment) -> v1::ShardAssignment {
    v1::ShardAssignment {
        shard: assignment.shard.0,
        leader: assignment.leader.to_string(),
        shard_boundaries: Some(v1::shard_assignment::ShardBoundaries::Int32HashRange(
            v1::Int32HashRange {
                min_hash_inclusive: assignment.hash_range.min,
                max_hash_inclusive: assignment.hash_range.max,
            },
        )),
    }
}

#[cfg(test)]
mod tests {
    use stepdown_core::call::CallErrorKind;

    use super::*;

    #[test]
    fn numbers_without_a_name_are_errors() {
        let role = wire::GetStatusResponse {
            status: 9,
            ..Default::default()
        };
        assert_eq!(status(&role).unwrap_err().kind, CallErrorKind::Other);
        for number in [0, -1, 9] {
            let response = wire::HandshakeResponse {
                status: number,
                features_supported: vec![],
            };
            assert_eq!(
                handshaken(&response).unwrap_err().kind,
                CallErrorKind::Other
            );
        }
    }

    #[test]
    fn a_log_of_which_nothing_is_left_is_told_of_in_the_asked_term_where_it_is_cut_off() {
        let seven = EntryId {
            term: Term(4),
            offset: 7,
        };
        for (term, offset, end) in [
            (4, -1, Some(EntryId::NONE)),
            (-1, -1, Some(EntryId::NONE)),
            (4, 7, Some(seven)),
            (3, -1, None),
        ] {
            let response = wire::TruncateResponse {
                head_entry_id: Some(wire::EntryId { term, offset }),
            };
            let answer = truncated(Term(4), response);
            assert_eq!(answer.ok(), end.map(Answer::Truncated), "{term}, {offset}");
        }
    }

    #[test]
    fn a_fenced_replica_must_name_its_head() {
        let response = wire::NewTermResponse {
            head_entry_id: None,
        };
        assert_eq!(
            fenced(Term(4), response).unwrap_err().kind,
            CallErrorKind::Other
        );
    }

    #[test]
    fn feature_zero_is_no_feature_and_unknown_ones_are_kept() {
        let response = wire::GetInfoResponse {
            features_supported: vec![0, 1, 77, 1],
        };
        let Answer::Handshaken { binding, features } = informed(&response) else {
            panic!("not a handshake");
        };
        assert_eq!(binding, Binding::AlreadyBound);
        assert_eq!(features, [Feature(1), Feature(77)].into());
    }
}
