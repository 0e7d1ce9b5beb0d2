//! What holds whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::call::{Answer, BecomeLeader, Call, DeleteShard, NewTerm};
use stepdown_core::cluster::{DataServerIdentity, ShardMetadata, ShardStatus};
use stepdown_core::store::{HeadOutcome, LoadOutcome, StoreOutcome};
use stepdown_core::{
    CoordinatorState, Effect, Epoch, Event, ProcessId, RequestId, Role, ServerId, ShardId, Tenure,
    Term,
};

use super::world::request_of;
use crate::choices::Choices;

#[derive(Default)]
pub struct Rules {
    /// How many effects there were.
    pub effects: usize,
    pub last_request: RequestId,
    used: BTreeSet<RequestId>,
    tenure: Tenure,
    closed: Option<Tenure>,
    exited: bool,
    /// The load under way.
    loading: Option<RequestId>,
    /// The head reads that were asked for.
    reading: BTreeSet<RequestId>,
    /// The epoch that was read last in this tenure.
    read: Epoch,
    /// The store under way.
    store: Option<(Tenure, RequestId)>,
    /// Whether a store was durable in this tenure.
    stored: bool,
    streams: Vec<RequestId>,
    /// Who was asked to be fenced, by request, and who was fenced in this tenure.
    fencing: BTreeMap<RequestId, (ShardId, Term, ServerId)>,
    fenced: BTreeSet<(ShardId, Term, ServerId)>,
}

impl Rules {
    /// An open stream, or watch.
    pub fn some_stream(&self, choices: &mut Choices<'_>) -> RequestId {
        let nth = choices.below(self.streams.len());
        self.streams.get(nth).copied().unwrap_or_default()
    }

    /// What it is told.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::StoreEnded {
                tenure,
                request,
                outcome,
            } if self.store == Some((*tenure, *request)) => {
                self.store = None;
                self.stored |= matches!(outcome, StoreOutcome::Stored(_));
            }
            // What it has stored is known by its head, where the answer was lost.
            Event::HeadRead {
                request,
                outcome: HeadOutcome::Found(head),
                ..
            } if self.reading.contains(request) => {
                let by = head.write_id.map(|it| it.process);
                self.stored |= by == Some(ProcessId(1));
            }
            Event::Loaded {
                tenure,
                request,
                outcome,
            } if *tenure == self.tenure && self.loading == Some(*request) => {
                self.loading = None;
                match outcome {
                    LoadOutcome::Found(loaded) => self.read = loaded.epoch,
                    LoadOutcome::Absent { epoch } => self.read = *epoch,
                    _ => {}
                }
            }
            Event::CallAnswered {
                request,
                result: Ok(Answer::Fenced(_)),
                ..
            } => self.fenced.extend(self.fencing.remove(request)),
            _ => {}
        }
    }

    /// What it asks for.
    pub fn check(&mut self, effect: &Effect, machine: &CoordinatorState) {
        assert!(!self.exited, "after its end: {effect:?}");
        if !matches!(effect, Effect::Report(_)) {
            self.effects += 1;
        }
        if let Some(tenure) = tenure_of(effect) {
            self.check_tenure(tenure, effect);
        }
        match (request_of(effect), effect) {
            (Some(request), Effect::PushAssignments { .. }) => {
                if !self.streams.contains(&request) {
                    self.check_request(request);
                    self.streams.push(request);
                }
            }
            (Some(request), _) => self.check_request(request),
            (None, _) => {}
        }
        match effect {
            Effect::Store {
                tenure,
                request,
                document,
                ..
            } => {
                assert_eq!(self.store, None, "one store at a time");
                self.store = Some((*tenure, *request));
                let is_later = document.epoch > self.read || self.read == Epoch(u64::MAX);
                assert!(is_later, "{:?} after {:?}", document.epoch, self.read);
                // It keeps its name when it is sent again.
                assert!(document.write_id.request <= *request);
                assert_eq!(document.write_id.epoch, document.epoch);
            }
            Effect::Load { request, .. } => self.loading = Some(*request),
            Effect::ReadHead { request, .. } => {
                self.reading.insert(*request);
            }
            Effect::WatchHealth { request, .. } => self.streams.push(*request),
            Effect::CloseOffice { tenure } => {
                self.closed = Some(*tenure);
                self.store = None;
            }
            Effect::Exit => self.exited = true,
            Effect::Call {
                request,
                server,
                call,
                ..
            } => self.check_call(*request, server, call, machine),
            Effect::OpenOffice { instance_id, .. } => {
                assert!(self.stored && !instance_id.is_empty());
            }
            Effect::PushAssignments { .. } | Effect::ReadConfiguration { .. } => {
                assert!(self.stored);
            }
            Effect::Campaign { .. }
            | Effect::Cancel { .. }
            | Effect::ForgetServer { .. }
            | Effect::Release { .. }
            | Effect::Report(_) => {}
        }
    }

    /// Whoever leads has stored.
    pub fn check_role(&self, machine: &CoordinatorState) {
        if machine.role() == Role::Leader {
            assert!(self.stored && self.closed != Some(self.tenure));
            assert!(machine.status().is_some());
        }
    }

    fn check_tenure(&mut self, tenure: Tenure, effect: &Effect) {
        if tenure > self.tenure {
            *self = Self {
                effects: self.effects,
                last_request: self.last_request,
                used: std::mem::take(&mut self.used),
                tenure,
                ..Self::default()
            };
        }
        assert_eq!(tenure, self.tenure, "of an older tenure: {effect:?}");
        let ends = matches!(
            effect,
            Effect::Cancel { .. }
                | Effect::CloseOffice { .. }
                | Effect::ForgetServer { .. }
                | Effect::Release { .. }
        );
        assert!(
            ends || self.closed != Some(tenure),
            "once closed: {effect:?}"
        );
    }

    fn check_request(&mut self, request: RequestId) {
        assert!(self.used.insert(request), "{request} is used twice");
        self.last_request = self.last_request.max(request);
    }

    /// Nobody is fenced or made to lead in a term that is not stored.
    fn check_call(
        &mut self,
        request: RequestId,
        server: &DataServerIdentity,
        call: &Call,
        machine: &CoordinatorState,
    ) {
        match call {
            Call::NewTerm(NewTerm { shard, term, .. }) if *term != Term::NEVER => {
                assert!(stored(machine, *shard).is_none_or(|it| it.term == *term));
                self.fencing.insert(request, (*shard, *term, server.id()));
            }
            Call::BecomeLeader(call) => self.check_become_leader(server, call, machine),
            Call::AddFollower(call) => {
                assert!(stored(machine, call.shard).is_none_or(|it| it.term == call.term));
            }
            Call::DeleteShard(call) => check_delete_shard(&server.id(), call, machine),
            Call::CheckHealth
            | Call::GetStatus { .. }
            | Call::Handshake
            | Call::NewTerm(_)
            | Call::Truncate(_) => {}
        }
    }

    /// By a majority of those that were fenced in its term.
    fn check_become_leader(
        &self,
        server: &DataServerIdentity,
        call: &BecomeLeader,
        machine: &CoordinatorState,
    ) {
        let fenced = (call.shard, call.term, server.id());
        assert!(self.fenced.contains(&fenced), "it is not fenced: {call:?}");
        let Some(shard) = stored(machine, call.shard) else {
            return;
        };
        assert_eq!(shard.term, call.term);
        let members = shard.ensemble.iter().chain(&shard.removed_nodes);
        let followers = members.filter(|it| call.follower_maps.contains_key(&it.internal));
        for follower in followers {
            let fenced = (call.shard, call.term, follower.id());
            assert!(self.fenced.contains(&fenced), "{follower:?} is not fenced");
        }
        let votes = call.follower_maps.len() + 1;
        assert!(votes * 2 > shard.ensemble.len(), "{votes} votes: {shard:?}");
    }
}

/// What is deleted is not needed any more, by what is stored.
fn check_delete_shard(server: &ServerId, call: &DeleteShard, machine: &CoordinatorState) {
    let Some(shard) = stored(machine, call.shard) else {
        return;
    };
    let has = |servers: &[DataServerIdentity]| servers.iter().any(|it| it.id() == *server);
    let is_needed = has(&shard.ensemble) || has(&shard.removed_nodes);
    let has_left = has(&shard.pending_delete_shard_nodes) && call.term == shard.term;
    assert!(
        shard.status == ShardStatus::Deleting || has_left && !is_needed,
        "{server}: {call:?}, {shard:?}"
    );
}

/// The shard as it is stored, while somebody is in office.
fn stored(machine: &CoordinatorState, shard: ShardId) -> Option<&Arc<ShardMetadata>> {
    let mut shards = machine.status()?.shards();
    shards.find(|(_, id, _)| *id == shard).map(|(_, _, it)| it)
}

fn tenure_of(effect: &Effect) -> Option<Tenure> {
    match effect {
        Effect::Call { tenure, .. }
        | Effect::Campaign { tenure }
        | Effect::Cancel { tenure, .. }
        | Effect::CloseOffice { tenure }
        | Effect::ForgetServer { tenure, .. }
        | Effect::Load { tenure, .. }
        | Effect::OpenOffice { tenure, .. }
        | Effect::PushAssignments { tenure, .. }
        | Effect::ReadConfiguration { tenure, .. }
        | Effect::ReadHead { tenure, .. }
        | Effect::Release { tenure }
        | Effect::Store { tenure, .. }
        | Effect::WatchHealth { tenure, .. } => Some(*tenure),
        Effect::Exit | Effect::Report(_) => None,
    }
}
