//! What a mistaken machine's wrapper has seen of it and for it, and what it adds of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{Answer, Call, CallError, EntryId, Feature, ReplicaStatus};
use stepdown_core::cluster::{DataServerIdentity, ShardMetadata};
use stepdown_core::store::{LoadOutcome, LoadedStatus, StatusDocument};
use stepdown_core::{
    Effect, Event, RequestId, ServerId, ShardId, Tenure, Term, Timestamp, Version,
};

/// Everything that a mistake may need to know.
#[derive(Debug)]
pub struct Seen {
    pub now: Timestamp,
    pub tenure: Tenure,
    /// Calls that are not answered.
    pub calls: BTreeMap<RequestId, (DataServerIdentity, Call)>,
    /// What the present event answers.
    pub asked: Option<(DataServerIdentity, Call)>,
    pub loaded: Option<LoadedStatus>,
    /// The last store, as the machine meant it.
    pub storing: Option<(Option<Version>, StatusDocument)>,
    /// The heads of fenced logs, by shard, term and internal address.
    pub heads: BTreeMap<(ShardId, Term, Arc<str>), EntryId>,
    pub features: BTreeMap<ServerId, BTreeSet<Feature>>,
    pub streams: BTreeMap<RequestId, (DataServerIdentity, Arc<ShardAssignments>)>,
    /// What the machine is to be told as soon as it has been polled.
    pub told: VecDeque<Event>,
    /// What is to be done beside what the machine wants.
    pub more: VecDeque<Effect>,
    invented: u64,
}

impl Seen {
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            tenure: Tenure(0),
            calls: BTreeMap::new(),
            asked: None,
            loaded: None,
            storing: None,
            heads: BTreeMap::new(),
            features: BTreeMap::new(),
            streams: BTreeMap::new(),
            told: VecDeque::new(),
            more: VecDeque::new(),
            invented: u64::MAX / 2,
        }
    }

    pub fn heard(&mut self, event: &Event) {
        self.asked = None;
        match event {
            Event::CallAnswered {
                request, result, ..
            } => {
                self.asked = self.calls.remove(request);
                self.answered(result);
            }
            Event::Loaded {
                outcome: LoadOutcome::Found(found),
                ..
            } => self.loaded = Some(found.clone()),
            Event::PushEnded { request, .. } => {
                self.streams.remove(request);
            }
            _ => {}
        }
    }

    fn answered(&mut self, result: &Result<Answer, CallError>) {
        match (&self.asked, result) {
            (Some((server, Call::NewTerm(call))), Ok(Answer::Fenced(head))) => {
                let key = (call.shard, call.term, server.internal.clone());
                self.heads.insert(key, *head);
            }
            (Some((server, Call::Handshake)), Ok(Answer::Handshaken { features, .. })) => {
                self.features.insert(server.id(), features.clone());
            }
            _ => {}
        }
    }

    pub fn wanted(&mut self, effect: &Effect) {
        match effect {
            Effect::Call {
                tenure,
                request,
                server,
                call,
            } => {
                self.tenure = *tenure;
                self.calls.insert(*request, (server.clone(), call.clone()));
            }
            Effect::Cancel { request, .. } => {
                self.calls.remove(request);
                self.streams.remove(request);
            }
            Effect::Campaign { tenure } => {
                self.tenure = *tenure;
                self.calls.clear();
                self.streams.clear();
                self.heads.clear();
                self.storing = None;
            }
            Effect::PushAssignments {
                request,
                server,
                assignments,
                ..
            } => {
                let stream = (server.clone(), assignments.clone());
                self.streams.insert(*request, stream);
            }
            Effect::Store {
                expected, document, ..
            } => self.storing = Some((expected.clone(), document.clone())),
            _ => {}
        }
    }

    /// A shard as the machine means it.
    pub fn shard(&self, id: ShardId) -> Option<&Arc<ShardMetadata>> {
        let stored = self.storing.as_ref().map(|(_, document)| &document.status);
        let loaded = self.loaded.as_ref().map(|loaded| &loaded.status);
        let mut shards = stored.or(loaded)?.shards();
        shards.find(|(_, other, _)| *other == id).map(|it| it.2)
    }

    /// The status that the present event brings, of which shard, whether as the leader's.
    pub fn status(&self, event: &Event) -> Option<(ShardId, ReplicaStatus, bool)> {
        let Event::CallAnswered {
            result: Ok(Answer::Status(status)),
            ..
        } = event
        else {
            return None;
        };
        let Some((server, Call::GetStatus { shard })) = &self.asked else {
            return None;
        };
        let leader = self.shard(*shard)?.leader.as_ref();
        let leads = leader.is_some_and(|leader| leader.id() == server.id());
        Some((*shard, *status, leads))
    }

    /// The machine is told soon that a call has gone well.
    pub fn tell(&mut self, request: RequestId, answer: Answer) {
        self.calls.remove(&request);
        self.told.push_back(Event::CallAnswered {
            tenure: self.tenure,
            request,
            result: Ok(answer),
        });
    }

    pub fn invent(&mut self) -> RequestId {
        self.invented += 1;
        RequestId(self.invented)
    }
}

/// The same event with another result.
pub fn answering(event: Event, result: Result<Answer, CallError>) -> Event {
    match event {
        Event::CallAnswered {
            tenure, request, ..
        } => Event::CallAnswered {
            tenure,
            request,
            result,
        },
        other => other,
    }
}
