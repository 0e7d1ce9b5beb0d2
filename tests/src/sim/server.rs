//! Data servers: the sandbox's model, with a disk that needs syncing, restarts and moods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{Answer, Call, CallError, CallErrorKind, Feature};
use stepdown_core::{RequestId, ShardId, Tenure};
pub use stepdown_sandbox::replica::Token;
use stepdown_sandbox::replica::{
    DataServerModel, Durability, DurableServer, Message, Output, PATIENCE, Refusal, Request, Tail,
};

use super::check::Check;
use super::clock::At;
use super::configuration::Address;
use super::world::{What, World};

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// One data server.
#[derive(Debug)]
pub struct Server {
    pub address: Address,
    pub moves: u32,
    pub model: DataServerModel,
    pub up: bool,
    pub boot: u32,
    pub refuses: bool,
    pub not_serving: At,
    pub slow_probes: At,
    pub leading_hangs: At,
    pub other_cluster: At,
    /// Until when anything may have gone wrong with it.
    pub troubled: At,
    /// Since when it is down.
    pub down_since: Option<At>,
    /// It is restarted once it leads a shard while nobody watches its health.
    pub restarts_unwatched: bool,
    pub sync_planned: bool,
    /// Followers that owe an answer: how often each was asked again.
    pub retries: BTreeMap<Arc<str>, u32>,
    pub callers: BTreeMap<Token, Caller>,
    pub handshakes: Vec<(Token, Result<Answer, CallError>)>,
    pub watchers: BTreeMap<Token, Caller>,
    pub assignments: Option<Arc<ShardAssignments>>,
}

/// Who made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub host: usize,
    pub boot: u32,
    pub tenure: Tenure,
    pub request: RequestId,
}

/// A call on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    pub token: Token,
    pub caller: Caller,
    pub instance_id: Option<Arc<str>>,
    pub sent: At,
    pub call: Call,
}

pub type CallResult = Result<Answer, CallError>;

impl Server {
    pub fn new(index: usize) -> Self {
        let address = Address::of(index, 0);
        Self {
            model: DataServerModel::new(
                address.internal.as_str(),
                features(index),
                Durability::Deferred,
            ),
            address,
            moves: 0,
            up: true,
            boot: 0,
            refuses: true,
            not_serving: At(0),
            slow_probes: At(0),
            leading_hangs: At(0),
            other_cluster: At(0),
            troubled: At(0),
            down_since: None,
            restarts_unwatched: false,
            sync_planned: false,
            retries: BTreeMap::new(),
            callers: BTreeMap::new(),
            handshakes: Vec::new(),
            watchers: BTreeMap::new(),
            assignments: None,
        }
    }

    pub fn crash(&mut self, tail: Tail) {
        self.model.restart(tail);
        self.up = false;
        self.boot += 1;
        self.sync_planned = false;
        self.retries.clear();
        self.callers.clear();
        self.handshakes.clear();
        self.watchers.clear();
        self.assignments = None;
    }

    /// Its disk is replaced while it is down.
    pub fn empty(&mut self, index: usize) {
        self.put_back(index, DurableServer::default());
    }

    /// Its disk becomes what it was some time before, while it is down.
    pub fn put_back(&mut self, index: usize, disk: DurableServer) {
        self.model = DataServerModel::recover(
            self.address.internal.as_str(),
            features(index),
            Durability::Deferred,
            disk,
        );
    }

    /// Comes back elsewhere, with its disk.
    pub fn relocate(&mut self, index: usize) {
        self.moves += 1;
        self.address = Address::of(index, self.moves);
        let disk = self.model.durable();
        self.put_back(index, disk);
    }
}

fn features(index: usize) -> BTreeSet<Feature> {
    let mut features = BTreeSet::from([Feature(1)]);
    if index.is_multiple_of(2) {
        features.insert(Feature(2));
    }
    features
}

impl World<'_> {
    pub(super) fn call_arrived(&mut self, server: usize, packet: Packet) -> Check {
        let now = self.queue.now();
        self.check_sent_in_office(&packet)?;
        let Packet {
            token,
            caller,
            instance_id,
            call,
            ..
        } = packet;
        let instance_id = instance_id.unwrap_or_else(|| Arc::from(""));
        let place = &mut self.servers[server];
        if !place.up {
            if place.refuses {
                let error = failure(CallErrorKind::Unreachable, "connection refused");
                self.send_answer(server, caller, Err(error));
            }
            return Ok(());
        }
        let request = match call {
            Call::CheckHealth => {
                let serving = now >= place.not_serving;
                let answer = Ok(Answer::Health { serving });
                if now < place.slow_probes {
                    let delay = self.chance.network.millis(1_000, 40_000);
                    self.queue
                        .after(delay, What::AnswerLeaves(server, caller, answer));
                } else {
                    self.send_answer(server, caller, answer);
                }
                return Ok(());
            }
            Call::Handshake => {
                let binding = if now < place.other_cluster {
                    Ok(stepdown_core::call::Binding::Mismatch)
                } else {
                    place.model.handshake(&instance_id)
                };
                let answer = binding
                    .map_err(CallError::from)
                    .map(|binding| Answer::Handshaken {
                        binding,
                        features: place.model.features().clone(),
                    });
                place.callers.insert(token, caller);
                place.handshakes.push((token, answer));
                self.plan_sync(server);
                return Ok(());
            }
            Call::AddFollower(request) => {
                let boot = place.boot;
                self.queue
                    .after(PATIENCE, What::PatienceEnds(server, boot, token));
                Request::AddFollower(request)
            }
            Call::BecomeLeader(request) => {
                if place.restarts_unwatched && place.watchers.is_empty() {
                    place.restarts_unwatched = false;
                    let delay = self.chance.network.millis(5, 500);
                    let restart = What::ServerRestarts {
                        server,
                        times: 1,
                        apart: Duration::ZERO,
                    };
                    self.queue.after(delay, restart);
                    self.sometimes.hit("leader_restarted_unwatched");
                }
                Request::BecomeLeader(request)
            }
            Call::GetStatus { shard } => Request::GetStatus { shard },
            Call::NewTerm(request) => Request::NewTerm(request),
        };
        let admitted = if now < place.other_cluster {
            Err(Refusal::UnexpectedInstanceId(instance_id))
        } else {
            place.model.admit(&instance_id)
        };
        if let Err(refusal) = admitted {
            self.send_answer(server, caller, Err(refusal.into()));
            return Ok(());
        }
        place.callers.insert(token, caller);
        place.model.handle_request(token, request);
        self.plan_sync(server);
        Ok(())
    }

    pub(super) fn message_arrived(&mut self, server: usize, boot: u32, message: Message) -> Check {
        // What a server sent before it moved ended with its connections.
        if self.server_at(&message.from).is_none() {
            return Ok(());
        }
        let place = &mut self.servers[server];
        if !place.up || place.boot != boot {
            return Ok(());
        }
        place.model.handle_message(message);
        self.plan_sync(server);
        Ok(())
    }

    pub(super) fn cancel_at(&mut self, server: usize, token: Token) -> Check {
        let place = &mut self.servers[server];
        place.watchers.remove(&token);
        if place.up && place.callers.remove(&token).is_some() {
            place.model.cancel(token);
            self.plan_sync(server);
        }
        Ok(())
    }

    /// A client writes to whoever leads the shard.
    pub(super) fn append_somewhere(&mut self) -> Check {
        let Some(status) = self.store.status() else {
            return Ok(());
        };
        let shards: Vec<ShardId> = status.shards().map(|(_, id, _)| id).collect();
        if shards.is_empty() {
            return Ok(());
        }
        let shard = shards[self.chance.workload.index(shards.len())];
        for server in 0..self.servers.len() {
            if self.servers[server].up && self.servers[server].model.leads(shard).is_some() {
                self.append_to(server, shard);
            }
        }
        Ok(())
    }

    pub(super) fn append_to(&mut self, server: usize, shard: ShardId) {
        let token = self.token();
        let model = &mut self.servers[server].model;
        model.handle_request(token, Request::Append { shard });
        self.plan_sync(server);
    }

    pub(super) fn plan_sync(&mut self, server: usize) {
        let place = &mut self.servers[server];
        if !place.sync_planned {
            place.sync_planned = true;
            let boot = place.boot;
            let delay = self.chance.workload.micros(200, 2_000);
            self.queue.after(delay, What::Sync(server, boot));
        }
    }

    pub(super) fn synced(&mut self, server: usize, boot: u32) -> Check {
        let now = self.queue.now();
        let place = &mut self.servers[server];
        if !place.up || place.boot != boot {
            return Ok(());
        }
        place.sync_planned = false;
        place.model.sync();
        let mut replies = std::mem::take(&mut place.handshakes);
        let mut sends = Vec::new();
        let mut leading = BTreeSet::new();
        while let Some(output) = place.model.poll_output() {
            match output {
                Output::Reply { token, result } => {
                    let answer = match result {
                        Ok(reply) => reply.answer().map(Ok),
                        Err(refusal) => Some(Err(refusal.into())),
                    };
                    if let Some(answer) = answer {
                        if answer == Ok(Answer::BecameLeader) && now < place.leading_hangs {
                            leading.insert(token);
                        }
                        replies.push((token, answer));
                    }
                }
                Output::Send { to, message } => sends.push((to, message)),
            }
        }
        for (token, answer) in replies {
            let Some(caller) = self.servers[server].callers.remove(&token) else {
                continue;
            };
            if leading.contains(&token) {
                self.sometimes.hit("become_leader_hung");
            } else {
                self.send_answer(server, caller, answer);
            }
        }
        for (to, message) in sends {
            if let Some(other) = self.server_at(&to)
                && let Some(delay) =
                    self.network
                        .peer_delay(server, other, now, &mut self.chance.network)
            {
                let boot = self.servers[other].boot;
                self.queue
                    .after(delay, What::MessageArrives(other, boot, message));
            }
        }
        let place = &self.servers[server];
        let owing = place.model.owing().into_iter();
        let news = owing.filter(|peer| !place.retries.contains_key(*peer));
        let news: Vec<Arc<str>> = news.cloned().collect();
        for peer in news {
            self.servers[server].retries.insert(peer.clone(), 0);
            let delay = self.back_off(0);
            self.queue.after(delay, What::Resend(server, boot, peer));
        }
        // What is not durable yet was told to nobody.
        self.check_logs(server)
    }

    /// A leader tries again what a follower has not answered.
    pub(super) fn resend(&mut self, server: usize, boot: u32, peer: Arc<str>) {
        let place = &mut self.servers[server];
        if !place.up || place.boot != boot {
            return;
        }
        if !place.model.is_owed_by(&peer) {
            place.retries.remove(&peer);
            return;
        }
        let tries = place.retries.entry(peer.clone()).or_default();
        *tries += 1;
        let tries = *tries;
        place.model.resend_to(|other| *other == *peer);
        self.plan_sync(server);
        let delay = self.back_off(tries);
        self.queue.after(delay, What::Resend(server, boot, peer));
    }

    /// How long a leader waits before it tries a follower again: up to a minute.
    fn back_off(&mut self, tries: u32) -> Duration {
        let delay = LONGEST_BACK_OFF.min(FIRST_BACK_OFF * (1 << tries.min(10)));
        self.chance.workload.between(delay / 2, delay)
    }

    /// A server's streams to another and back have ended. The other one is to feed it again.
    pub(super) fn part(&mut self, server: usize, address: &str, other: usize) {
        if self.servers[other].up {
            self.servers[other].model.peer_disconnected(address);
            self.plan_sync(other);
            self.reconnect(other, server, 0);
        }
    }

    fn reconnect(&mut self, server: usize, to: usize, tries: u32) {
        let boot = self.servers[server].boot;
        let delay = self.back_off(tries);
        let again = What::Reconnects {
            server,
            boot,
            to,
            tries,
        };
        self.queue.after(delay, again);
    }

    pub(super) fn reconnects(&mut self, server: usize, boot: u32, to: usize, tries: u32) {
        if !self.servers[server].up || self.servers[server].boot != boot {
            return;
        }
        let now = self.queue.now();
        if self.servers[to].up && !self.network.is_cut(server, to, now) {
            let address = self.servers[to].address.internal.clone();
            self.servers[server].model.peer_connected(&address);
            self.plan_sync(server);
        } else {
            self.reconnect(server, to, tries + 1);
        }
    }

    pub(super) fn patience_ends(&mut self, server: usize, boot: u32, token: Token) {
        let place = &mut self.servers[server];
        if place.up && place.boot == boot {
            place.model.expire(token);
            self.plan_sync(server);
        }
    }

    pub(super) fn server_started(&mut self, server: usize) {
        let stays_down = self.healed && self.left_down.0.contains(&server);
        let place = &mut self.servers[server];
        if place.up || stays_down {
            return;
        }
        place.up = true;
        place.down_since = None;
        self.troubles(server, self.queue.now());
    }

    pub(super) fn send_answer(&mut self, server: usize, caller: Caller, answer: CallResult) {
        let now = self.queue.now();
        let link = *self.network.link(caller.host, server);
        if let Some(delay) = link.answer_delay(now, &mut self.chance.network) {
            self.queue.after(delay, What::CallAnswered(caller, answer));
        }
    }

    pub(super) fn server_at(&self, internal: &str) -> Option<usize> {
        self.servers
            .iter()
            .position(|server| server.address.internal == internal)
    }
}

pub fn failure(kind: CallErrorKind, message: &str) -> CallError {
    CallError {
        kind,
        message: message.to_owned(),
    }
}
