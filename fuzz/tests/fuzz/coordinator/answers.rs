//! What the store and the data servers answer: the truth, mostly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{
    Answer, Binding, Call, CallError, CallErrorKind, EntryId, Feature, ReplicaRole, ReplicaStatus,
};
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
};
use stepdown_core::{
    ConfigurationText, Effect, Epoch, Event, ProcessId, RequestId, ShardId, Tenure, Term, Version,
    WriteId,
};

use crate::choices::Choices;

const DOCUMENTS: [&str; 3] = [
    include_str!("../../../corpus/status/led.yaml"),
    include_str!("../../../corpus/status/electing.yaml"),
    include_str!("../../../corpus/status/small.yaml"),
];

/// One document, and whoever else writes to it.
#[derive(Default)]
pub struct Store {
    version: u64,
    document: Option<StatusDocument>,
    /// The configuration that was read last.
    pub configuration: Option<ConfigurationText>,
}

impl Store {
    pub fn answer(
        &mut self,
        effect: &Effect,
        way: usize,
        choices: &mut Choices<'_>,
    ) -> Option<Event> {
        Some(match effect {
            Effect::Campaign { tenure } => Event::LeadershipWon {
                tenure: *tenure,
                authority: None,
            },
            Effect::CloseOffice { tenure } => Event::Drained { tenure: *tenure },
            Effect::Load { tenure, request } => Event::Loaded {
                tenure: *tenure,
                request: *request,
                outcome: match way {
                    0 => self.load(),
                    _ => strange_load(way, choices),
                },
            },
            Effect::ReadConfiguration { tenure, request } => Event::ConfigurationFound {
                tenure: *tenure,
                request: *request,
                found: match way {
                    0 => self.configuration.clone().ok_or_else(|| "none".to_owned()),
                    1 => Ok(ConfigurationText {
                        source: "cluster.yaml".to_owned(),
                        text: None,
                    }),
                    _ => Err("down".to_owned()),
                },
            },
            Effect::ReadHead { tenure, request } => Event::HeadRead {
                tenure: *tenure,
                request: *request,
                outcome: match way {
                    0..=2 => self.head(),
                    3 => HeadOutcome::Absent,
                    4 => HeadOutcome::Corrupt("torn".to_owned()),
                    _ => HeadOutcome::Unavailable {
                        after: some_time(choices),
                        reason: "down".to_owned(),
                    },
                },
            },
            Effect::Store {
                tenure,
                request,
                expected,
                document,
            } => Event::StoreEnded {
                tenure: *tenure,
                request: *request,
                outcome: match way {
                    0 => self.store(expected.as_ref(), document),
                    1 => {
                        // The answer is lost.
                        self.store(expected.as_ref(), document);
                        StoreOutcome::Ambiguous("lost".to_owned())
                    }
                    _ => refused(way, choices),
                },
            },
            Effect::Call { .. }
            | Effect::Cancel { .. }
            | Effect::Exit
            | Effect::ForgetServer { .. }
            | Effect::OpenOffice { .. }
            | Effect::PushAssignments { .. }
            | Effect::Release { .. }
            | Effect::Report(_)
            | Effect::WatchHealth { .. } => return None,
        })
    }

    pub fn any_answer(
        &self,
        tenure: Tenure,
        request: RequestId,
        choices: &mut Choices<'_>,
    ) -> Event {
        match choices.below(3) {
            0 => Event::Loaded {
                tenure,
                request,
                outcome: self.load(),
            },
            1 => Event::HeadRead {
                tenure,
                request,
                outcome: self.head(),
            },
            // Nobody says so whose store has not ended.
            _ => Event::StoreEnded {
                tenure,
                request: RequestId(u64::MAX),
                outcome: refused(choices.below(16), choices),
            },
        }
    }

    /// Somebody puts a document of his own in its place, or takes it away.
    pub fn written_by_others(&mut self, choices: &mut Choices<'_>) {
        self.version += 1;
        let status = match choices.below(5) {
            0 => {
                self.document = None;
                return;
            }
            1 => match &self.document {
                Some(document) => (*document.status).clone(),
                None => return,
            },
            _ => ClusterStatus::decode(choices.one_of(&DOCUMENTS)).unwrap(),
        };
        let epoch = Epoch(choices.one_of(&[0, 1, 5, 1 << 40]));
        self.document = Some(StatusDocument {
            epoch,
            write_id: WriteId {
                epoch,
                request: RequestId(1),
                process: ProcessId(99),
            },
            status: Arc::new(status),
            admits: false,
        });
    }

    fn load(&self) -> LoadOutcome {
        match &self.document {
            None => LoadOutcome::Absent { epoch: Epoch(0) },
            Some(document) => LoadOutcome::Found(LoadedStatus {
                version: self.version(),
                epoch: document.epoch,
                write_id: Some(document.write_id),
                intact: document.write_id.process == ProcessId(1),
                status: document.status.clone(),
                bytes: 1_000,
            }),
        }
    }

    fn head(&self) -> HeadOutcome {
        match &self.document {
            None => HeadOutcome::Absent,
            Some(document) => HeadOutcome::Found(Head {
                version: self.version(),
                write_id: Some(document.write_id),
                intact: document.write_id.process == ProcessId(1),
            }),
        }
    }

    fn store(&mut self, expected: Option<&Version>, document: &StatusDocument) -> StoreOutcome {
        let present = self.document.as_ref().map(|_| self.version());
        if present.as_ref() != expected {
            return StoreOutcome::Conflict("another version".to_owned());
        }
        self.version += 1;
        self.document = Some(document.clone());
        StoreOutcome::Stored(self.version())
    }

    fn version(&self) -> Version {
        Version::new(self.version.to_string())
    }
}

fn strange_load(way: usize, choices: &mut Choices<'_>) -> LoadOutcome {
    match way {
        1 | 2 => LoadOutcome::Unavailable {
            after: some_time(choices),
            reason: "down".to_owned(),
        },
        3 => LoadOutcome::Absent { epoch: Epoch(9) },
        4 => LoadOutcome::Forbidden("no".to_owned()),
        5 => LoadOutcome::Corrupt("torn".to_owned()),
        _ => LoadOutcome::Found(LoadedStatus {
            version: Version::new("elsewhere"),
            epoch: Epoch(choices.one_of(&[0, 3, u64::MAX - 1, u64::MAX])),
            write_id: None,
            intact: choices.below(2) == 0,
            status: Arc::new(ClusterStatus::decode(choices.one_of(&DOCUMENTS)).unwrap()),
            bytes: choices.one_of(&[0, 1_000, u64::MAX]),
        }),
    }
}

fn refused(way: usize, choices: &mut Choices<'_>) -> StoreOutcome {
    let reason = "no".to_owned();
    match way % 7 {
        0 => StoreOutcome::Ambiguous(reason),
        1 => StoreOutcome::Conflict(reason),
        2 => StoreOutcome::Corrupt(reason),
        3 => StoreOutcome::Forbidden(reason),
        4 => StoreOutcome::Invalid(reason),
        5 => StoreOutcome::TooLarge(reason),
        _ => StoreOutcome::Unavailable {
            after: some_time(choices),
            reason,
        },
    }
}

fn some_time(choices: &mut Choices<'_>) -> Duration {
    choices.one_of(&[
        Duration::ZERO,
        Duration::from_millis(100),
        Duration::from_secs(5),
        Duration::MAX,
    ])
}

/// The data servers, by internal address and shard.
#[derive(Default)]
pub struct Servers {
    replicas: BTreeMap<(Arc<str>, ShardId), ReplicaStatus>,
}

impl Servers {
    pub fn answer(
        &mut self,
        effect: &Effect,
        way: usize,
        choices: &mut Choices<'_>,
    ) -> Option<Event> {
        match effect {
            Effect::Call {
                tenure,
                request,
                server,
                call,
            } => {
                let result = match way {
                    0 => Ok(self.obey(&server.internal, call, choices)),
                    // It has done so, but nobody hears of it.
                    1 => {
                        self.obey(&server.internal, call, choices);
                        Err(self.error(choices))
                    }
                    2..=8 => Err(self.error(choices)),
                    _ => self.any_answer(choices),
                };
                Some(Event::CallAnswered {
                    tenure: *tenure,
                    request: *request,
                    result,
                })
            }
            Effect::WatchHealth {
                tenure, request, ..
            } => Some(Event::HealthObserved {
                tenure: *tenure,
                request: *request,
                serving: way == 0,
            }),
            _ => None,
        }
    }

    /// A server has lost its data.
    pub fn forget(&mut self, choices: &mut Choices<'_>) {
        let nth = choices.below(self.replicas.len());
        if let Some(replica) = self.replicas.keys().nth(nth).cloned() {
            self.replicas.remove(&replica);
        }
    }

    pub fn error(&self, choices: &mut Choices<'_>) -> CallError {
        let kind = choices.one_of(&[
            CallErrorKind::Unreachable,
            CallErrorKind::TimedOut,
            CallErrorKind::InvalidTerm,
            CallErrorKind::InvalidStatus,
            CallErrorKind::NotLeader,
            CallErrorKind::NotMember,
            CallErrorKind::NotInitialized,
            CallErrorKind::Refused,
            CallErrorKind::Unimplemented,
            CallErrorKind::Other,
        ]);
        CallError {
            kind,
            message: "told to fail".to_owned(),
        }
    }

    /// Of any kind, with anything in it.
    pub fn any_answer(&self, choices: &mut Choices<'_>) -> Result<Answer, CallError> {
        let head = EntryId {
            term: Term(some_number(choices)),
            offset: some_number(choices),
        };
        Ok(match choices.below(9) {
            0 => Answer::BecameLeader,
            1 => Answer::Fenced(head),
            2 => Answer::FollowerAdded,
            3 => Answer::Handshaken {
                binding: choices.one_of(&[
                    Binding::Bound,
                    Binding::AlreadyBound,
                    Binding::Mismatch,
                ]),
                features: BTreeSet::from([Feature(choices.one_of(&[1, 2, -1, i32::MAX]))]),
            },
            4 => Answer::Health {
                serving: choices.below(2) == 0,
            },
            5 => Answer::Truncated(head),
            6 => Answer::Status(ReplicaStatus {
                term: head.term,
                role: choices.one_of(&[
                    ReplicaRole::Follower,
                    ReplicaRole::Fenced,
                    ReplicaRole::Leader,
                    ReplicaRole::NotMember,
                ]),
                head_offset: head.offset,
                commit_offset: some_number(choices),
            }),
            7 => Answer::ShardDeleted,
            _ => return Err(self.error(choices)),
        })
    }

    /// As a server does that nothing is wrong with.
    fn obey(&mut self, server: &Arc<str>, call: &Call, choices: &mut Choices<'_>) -> Answer {
        match call {
            Call::AddFollower(_) => Answer::FollowerAdded,
            Call::BecomeLeader(call) => {
                self.replica(server, call.shard).role = ReplicaRole::Leader;
                Answer::BecameLeader
            }
            Call::CheckHealth => Answer::Health { serving: true },
            Call::DeleteShard(call) => {
                self.replicas.remove(&(server.clone(), call.shard));
                Answer::ShardDeleted
            }
            Call::GetStatus { shard } => Answer::Status(*self.replica(server, *shard)),
            Call::Handshake => Answer::Handshaken {
                binding: Binding::Bound,
                features: BTreeSet::new(),
            },
            Call::NewTerm(call) => {
                let offset = choices.one_of(&[-1, -1, 0, 3]);
                let replica = self.replica(server, call.shard);
                replica.head_offset = replica.head_offset.max(offset);
                let term = if replica.head_offset < 0 {
                    Term(-1)
                } else {
                    Term(replica.term.0.max(0).min(call.term.0.saturating_sub(1)))
                };
                (replica.term, replica.role) = (call.term, ReplicaRole::Fenced);
                Answer::Fenced(EntryId {
                    term,
                    offset: replica.head_offset,
                })
            }
            Call::Truncate(call) => {
                self.replica(server, call.shard).head_offset = call.head.offset;
                Answer::Truncated(call.head)
            }
        }
    }

    fn replica(&mut self, server: &Arc<str>, shard: ShardId) -> &mut ReplicaStatus {
        const NEW: ReplicaStatus = ReplicaStatus {
            term: Term::NEVER,
            role: ReplicaRole::NotMember,
            head_offset: -1,
            commit_offset: -1,
        };
        let replica = (server.clone(), shard);
        self.replicas.entry(replica).or_insert(NEW)
    }
}

fn some_number(choices: &mut Choices<'_>) -> i64 {
    choices.one_of(&[
        -1,
        0,
        1,
        2,
        5,
        1 << 33,
        i64::MAX - 1,
        i64::MAX,
        -2,
        i64::MIN,
    ])
}
