//! Between the wire's messages and the model's.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_core::call::{self, EntryId, Feature, ReplicaRole};
use stepdown_core::cluster::KeySorting;
use stepdown_core::{ShardId, Term};
use stepdown_wire::error::{LEADER, Reason, SHARD, to_status};
use stepdown_wire::replication as wire;
use tonic::Status;

use crate::proto;
use crate::replica::{Body, Message, Refusal, Request, Run};

pub(super) fn new_term(request: wire::NewTermRequest) -> Request {
    let sorting = request
        .options
        .map_or(wire::KeySortingType::Unknown, |options| {
            options.key_sorting()
        });
    Request::NewTerm(call::NewTerm {
        namespace: request.namespace.into(),
        shard: ShardId(request.shard),
        term: Term(request.term),
        enable_notifications: request
            .options
            .is_none_or(|options| options.enable_notifications),
        key_sorting: match sorting {
            wire::KeySortingType::Unknown => KeySorting::Unknown,
            wire::KeySortingType::Natural => KeySorting::Natural,
            wire::KeySortingType::Hierarchical => KeySorting::Hierarchical,
        },
    })
}

pub(super) fn become_leader(request: wire::BecomeLeaderRequest) -> Request {
    let follower_maps: BTreeMap<Arc<str>, EntryId> = request
        .follower_maps
        .into_iter()
        .map(|follower| (follower.key.into(), entry(follower.value)))
        .collect();
    Request::BecomeLeader(call::BecomeLeader {
        namespace: request.namespace.into(),
        shard: ShardId(request.shard),
        term: Term(request.term),
        replication_factor: request.replication_factor,
        follower_maps,
        features_supported: request
            .features_supported
            .into_iter()
            .map(Feature)
            .collect(),
    })
}

pub(super) fn add_follower(request: wire::AddFollowerRequest) -> Request {
    let follower = call::AddFollower {
        namespace: request.namespace.into(),
        shard: ShardId(request.shard),
        term: Term(request.term),
        follower: request.follower_name.into(),
        head: entry(request.follower_head_entry_id),
    };
    if request.observer {
        Request::AddObserver {
            follower,
            target: request.target_shard.map(ShardId),
        }
    } else {
        Request::AddFollower(follower)
    }
}

pub(super) fn truncate(request: wire::TruncateRequest) -> Request {
    Request::Truncate(call::Truncate {
        namespace: request.namespace.into(),
        shard: ShardId(request.shard),
        term: Term(request.term),
        head: entry(request.head_entry_id),
    })
}

fn entry(entry: Option<wire::EntryId>) -> EntryId {
    entry.map_or(EntryId::NONE, |entry| EntryId {
        term: Term(entry.term),
        offset: entry.offset,
    })
}

pub(super) fn entry_to_wire(entry: EntryId) -> wire::EntryId {
    wire::EntryId {
        term: entry.term.0,
        offset: entry.offset,
    }
}

pub(super) fn role_to_wire(role: ReplicaRole) -> wire::ServingStatus {
    match role {
        ReplicaRole::NotMember => wire::ServingStatus::NotMember,
        ReplicaRole::Fenced => wire::ServingStatus::Fenced,
        ReplicaRole::Follower => wire::ServingStatus::Follower,
        ReplicaRole::Leader => wire::ServingStatus::Leader,
    }
}

/// The status that says `refusal`; `leader` is what the server knows of the shard's leader.
pub(super) fn refusal_to_status(refusal: &Refusal, leader: Option<(ShardId, &str)>) -> Status {
    let plain = |reason| to_status(reason, []);
    match refusal {
        Refusal::AllFollowersAttached | Refusal::LogMismatch => {
            Status::unknown(refusal.to_string())
        }
        Refusal::EmptyInstanceId => Status::invalid_argument(refusal.to_string()),
        Refusal::InvalidStatus => plain(Reason::InvalidStatus),
        Refusal::InvalidTerm => plain(Reason::InvalidTerm),
        Refusal::NotInitialized => plain(Reason::NotInitialized),
        Refusal::NotLeader => match leader {
            Some((shard, leader)) => to_status(
                Reason::NodeIsNotLeader,
                [(SHARD, shard.to_string().as_str()), (LEADER, leader)],
            ),
            None => plain(Reason::NodeIsNotLeader),
        },
        Refusal::NotMember => plain(Reason::NodeIsNotMember),
        Refusal::ResourceConflict | Refusal::ResourceUnavailable => {
            plain(Reason::ResourceUnavailable)
        }
        Refusal::UnexpectedInstanceId(_) => Status::permission_denied(refusal.to_string()),
    }
}

pub(super) fn message_to_wire(message: Message) -> proto::Message {
    use proto::message::Body as Wire;
    let body = match message.body {
        Body::Append {
            previous,
            entries,
            commit_offset,
        } => Wire::Append(proto::Append {
            previous: Some(place_to_wire(previous)),
            entries: runs_to_wire(entries),
            commit_offset,
        }),
        Body::Snapshot { entries } => Wire::Snapshot(proto::Snapshot {
            entries: runs_to_wire(entries),
        }),
        Body::Close => Wire::Close(proto::Close {}),
        Body::Appended { offset } => Wire::Appended(proto::Appended { offset }),
        Body::AppendRefused { refusal } => Wire::AppendRefused(refusal_to_wire(&refusal).into()),
        Body::Truncate { to } => Wire::Truncate(proto::Truncate {
            to: Some(place_to_wire(to)),
        }),
        Body::Truncated { head } => Wire::Truncated(proto::Truncated {
            head: Some(place_to_wire(head)),
        }),
        Body::TruncateRefused { refusal } => {
            Wire::TruncateRefused(refusal_to_wire(&refusal).into())
        }
    };
    proto::Message {
        from: message.from.to_string(),
        namespace: message.namespace.to_string(),
        source: message.source.0,
        target: message.target.0,
        term: message.term.0,
        body: Some(body),
    }
}

/// The model's message, unless a newer server says what this one does not know.
pub(super) fn message(message: proto::Message) -> Option<Message> {
    use proto::message::Body as Wire;
    let body = match message.body? {
        Wire::Append(append) => Body::Append {
            previous: place(append.previous),
            entries: runs(append.entries),
            commit_offset: append.commit_offset,
        },
        Wire::Snapshot(snapshot) => Body::Snapshot {
            entries: runs(snapshot.entries),
        },
        Wire::Close(proto::Close {}) => Body::Close,
        Wire::Appended(appended) => Body::Appended {
            offset: appended.offset,
        },
        Wire::AppendRefused(refused) => Body::AppendRefused {
            refusal: refusal(proto::Refusal::try_from(refused).unwrap_or_default()),
        },
        Wire::Truncate(truncate) => Body::Truncate {
            to: place(truncate.to),
        },
        Wire::Truncated(truncated) => Body::Truncated {
            head: place(truncated.head),
        },
        Wire::TruncateRefused(refused) => Body::TruncateRefused {
            refusal: refusal(proto::Refusal::try_from(refused).unwrap_or_default()),
        },
    };
    Some(Message {
        from: message.from.into(),
        namespace: message.namespace.into(),
        source: ShardId(message.source),
        target: ShardId(message.target),
        term: Term(message.term),
        body,
    })
}

fn runs_to_wire(runs: Vec<Run>) -> Vec<proto::Run> {
    let runs = runs.into_iter().map(|run| proto::Run {
        term: run.term.0,
        count: run.count,
    });
    runs.collect()
}

fn runs(runs: Vec<proto::Run>) -> Vec<Run> {
    let runs = runs.into_iter().map(|run| Run {
        term: Term(run.term),
        count: run.count,
    });
    runs.collect()
}

fn place(entry: Option<proto::Entry>) -> EntryId {
    entry.map_or(EntryId::NONE, |entry| EntryId {
        term: Term(entry.term),
        offset: entry.offset,
    })
}

pub(super) fn place_to_wire(entry: EntryId) -> proto::Entry {
    proto::Entry {
        term: entry.term.0,
        offset: entry.offset,
    }
}

fn refusal(refusal: proto::Refusal) -> Refusal {
    match refusal {
        proto::Refusal::InvalidStatus => Refusal::InvalidStatus,
        proto::Refusal::InvalidTerm => Refusal::InvalidTerm,
        proto::Refusal::LogMismatch => Refusal::LogMismatch,
        proto::Refusal::NotInitialized => Refusal::NotInitialized,
        proto::Refusal::NotMember => Refusal::NotMember,
        proto::Refusal::ResourceConflict => Refusal::ResourceConflict,
        proto::Refusal::Unknown => Refusal::ResourceUnavailable,
    }
}

fn refusal_to_wire(refusal: &Refusal) -> proto::Refusal {
    match refusal {
        Refusal::InvalidStatus => proto::Refusal::InvalidStatus,
        Refusal::InvalidTerm => proto::Refusal::InvalidTerm,
        Refusal::LogMismatch => proto::Refusal::LogMismatch,
        Refusal::NotInitialized => proto::Refusal::NotInitialized,
        Refusal::NotMember => proto::Refusal::NotMember,
        Refusal::ResourceConflict => proto::Refusal::ResourceConflict,
        Refusal::AllFollowersAttached
        | Refusal::EmptyInstanceId
        | Refusal::NotLeader
        | Refusal::ResourceUnavailable
        | Refusal::UnexpectedInstanceId(_) => proto::Refusal::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_wire_form() {
        let entry = EntryId {
            term: Term(3),
            offset: 4,
        };
        let bodies = [
            Body::Append {
                previous: entry,
                entries: vec![Run {
                    term: Term(3),
                    count: 2,
                }],
                commit_offset: 5,
            },
            Body::Snapshot {
                entries: vec![Run {
                    term: Term(3),
                    count: 5,
                }],
            },
            Body::Close,
            Body::Appended { offset: 6 },
            Body::AppendRefused {
                refusal: Refusal::NotMember,
            },
            Body::Truncate { to: entry },
            Body::Truncated { head: entry },
            Body::TruncateRefused {
                refusal: Refusal::InvalidStatus,
            },
        ];
        for body in bodies {
            let original = Message {
                from: "a".into(),
                namespace: "default".into(),
                source: ShardId(1),
                target: ShardId(2),
                term: Term(3),
                body,
            };
            assert_eq!(message(message_to_wire(original.clone())), Some(original));
        }
    }
}
