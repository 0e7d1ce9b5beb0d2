//! Three model data servers and what is on the way between them: one way in which things may have
//! gone.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use stepdown_core::call::{AddFollower, BecomeLeader, CallError, EntryId, NewTerm};
use stepdown_core::cluster::KeySorting;
use stepdown_core::{ShardId, Term};
use stepdown_sandbox::replica::{
    Body, DataServerModel, Durability, DurableServer, Message, Output, Refusal, Reply, Request,
    Token,
};

use super::step::{Ask, SERVERS, Said, Seen};

const INSTANCE: &str = "differential";
const SHARD: ShardId = ShardId(0);
/// There is one call at a time.
const CALL: Token = Token(0);

/// Three model data servers with one shard, and what is on the way between them.
#[derive(Clone, Debug)]
pub(super) struct World {
    servers: Vec<DataServerModel>,
    up: [bool; SERVERS],
    addresses: [Arc<str>; SERVERS],
    network: VecDeque<(usize, usize, Message)>,
    /// Streams that have ended, from whom to whom: whoever sends tries again.
    broken: BTreeSet<(usize, usize)>,
    said: Option<Said>,
}

/// Something that happens by itself.
#[derive(Clone, Copy, Debug)]
enum Move {
    Deliver(usize, usize),
    Retry(usize, usize),
}

impl World {
    pub(super) fn new(addresses: [Arc<str>; SERVERS]) -> Self {
        let mut servers: Vec<DataServerModel> = addresses.iter().map(fresh).collect();
        for server in &mut servers {
            bind(server);
        }
        Self {
            servers,
            up: [true; SERVERS],
            addresses,
            network: VecDeque::new(),
            broken: BTreeSet::new(),
            said: None,
        }
    }

    /// Tells two of them apart.
    pub(super) fn key(&self) -> String {
        let Self {
            servers,
            network,
            broken,
            said,
            ..
        } = self;
        format!("{servers:?}{network:?}{broken:?}{said:?}")
    }

    /// What was heard of the call.
    pub(super) fn said(&self) -> Option<&Said> {
        self.said.as_ref()
    }

    /// Whether nothing is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.network.is_empty()
    }

    /// Asks a server.
    pub(super) fn ask(&mut self, at: usize, ask: &Ask) {
        if let Ask::Handshake = ask {
            let bound = self.servers[at].handshake(INSTANCE);
            self.said = Some(match bound {
                Ok(binding) => Said::Bound(binding),
                Err(refusal) => refused(refusal),
            });
            return;
        }
        if let Err(refusal) = self.servers[at].admit(INSTANCE)
            && *ask != Ask::Write
        {
            self.said = Some(refused(refusal));
            return;
        }
        let request = self.request(ask);
        self.servers[at].handle_request(CALL, request);
        self.collect(at);
    }

    /// Hangs up on whoever has not answered.
    pub(super) fn hang_up(&mut self) {
        self.said = None;
        for at in 0..SERVERS {
            self.servers[at].cancel(CALL);
            self.collect(at);
        }
    }

    pub(super) fn kill(&mut self, at: usize) {
        self.up[at] = false;
        let down = Arc::clone(&self.addresses[at]);
        self.network.retain(|(from, _, _)| *from != at);
        self.broken.retain(|(from, _)| *from != at);
        for other in 0..SERVERS {
            if other != at && self.up[other] {
                self.servers[other].peer_disconnected(&down);
                self.broken.insert((other, at));
                self.collect(other);
            }
        }
    }

    pub(super) fn start(&mut self, at: usize) {
        self.servers[at].restart(stepdown_sandbox::replica::Tail::Kept);
        self.up[at] = true;
    }

    pub(super) fn empty(&mut self, at: usize) {
        self.servers[at] = fresh(&self.addresses[at]);
    }

    pub(super) fn drop_logs(&mut self, at: usize) {
        let mut disk: DurableServer = self.servers[at].durable();
        for shard in disk.shards.values_mut() {
            shard.drop_log();
        }
        self.servers[at] = DataServerModel::recover(
            Arc::clone(&self.addresses[at]),
            BTreeSet::new(),
            Durability::Immediate,
            disk,
        )
        .trusting();
    }

    /// What they say of their replicas.
    pub(super) fn seen(&self) -> [Seen; SERVERS] {
        let mut seen = [None; SERVERS];
        for (at, seen) in seen.iter_mut().enumerate() {
            if self.up[at] {
                *seen = Some(match self.servers[at].admit(INSTANCE) {
                    Err(refusal) => Err(kind(refusal)),
                    Ok(()) => self.servers[at]
                        .status(SHARD)
                        .ok_or(stepdown_core::call::CallErrorKind::NotMember),
                });
            }
        }
        seen
    }

    /// How many entries a server knows to be committed.
    pub(super) fn committed(&self, at: usize) -> i64 {
        let log = self.servers[at].log(SHARD);
        log.map_or(0, |(_, committed)| committed + 1)
    }

    /// Every way in which things may go on from here, and whether they will if nobody does
    /// anything.
    pub(super) fn successors(&self) -> Vec<(Self, bool)> {
        let mut next = Vec::new();
        for step in self.moves() {
            let mut world = self.clone();
            world.go(step);
            next.push((world, self.is_due(step)));
        }
        next
    }

    /// A deposed leader waits the longer, the more often it has failed.
    fn is_due(&self, step: Move) -> bool {
        match step {
            Move::Deliver(..) => true,
            Move::Retry(from, to) => self.servers[from].term(SHARD) >= self.servers[to].term(SHARD),
        }
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for from in 0..SERVERS {
            for to in 0..SERVERS {
                let busy = |a, b| self.network.iter().any(|(f, t, _)| (*f, *t) == (a, b));
                if busy(from, to) {
                    moves.push(Move::Deliver(from, to));
                } else if from != to && self.up[from] && self.up[to] && !busy(to, from) {
                    let owes = self.servers[from].is_owed_by(&self.addresses[to]);
                    if owes || self.broken.contains(&(from, to)) {
                        moves.push(Move::Retry(from, to));
                    }
                }
            }
        }
        moves
    }

    fn take(&mut self, from: usize, to: usize) -> Option<Message> {
        let mut network = self.network.iter();
        let at = network.position(|(f, t, _)| (*f, *t) == (from, to))?;
        self.network.remove(at).map(|(_, _, message)| message)
    }

    fn go(&mut self, step: Move) {
        match step {
            Move::Deliver(from, to) => {
                let Some(message) = self.take(from, to) else {
                    return;
                };
                if self.up[to] {
                    self.servers[to].handle_message(message);
                    self.collect(to);
                } else if let Body::Truncate { .. } = message.body {
                    self.bounce(from, to, message);
                }
            }
            Move::Retry(from, to) => {
                let peer = Arc::clone(&self.addresses[to]);
                if self.broken.remove(&(from, to)) {
                    self.servers[from].peer_connected(&peer);
                } else {
                    self.servers[from].resend_to(|it| *it == *peer);
                }
                self.collect(from);
            }
        }
    }

    /// A call to a server that is down fails at once.
    fn bounce(&mut self, from: usize, to: usize, message: Message) {
        let refusal = Refusal::ResourceUnavailable;
        let answer = Message {
            from: Arc::clone(&self.addresses[to]),
            body: Body::TruncateRefused { refusal },
            ..message
        };
        self.network.push_back((to, from, answer));
    }

    fn collect(&mut self, at: usize) {
        while let Some(output) = self.servers[at].poll_output() {
            match output {
                Output::Reply { result, .. } => {
                    self.said = Some(match result {
                        Ok(reply) => said(&reply),
                        Err(refusal) => refused(refusal),
                    });
                }
                Output::Send { to, message } => {
                    let mut addresses = self.addresses.iter();
                    if let Some(to) = addresses.position(|address| *address == to) {
                        self.network.push_back((at, to, message));
                    }
                }
            }
        }
    }

    fn request(&self, ask: &Ask) -> Request {
        let namespace: Arc<str> = "default".into();
        let (shard, address) = (SHARD, |at: &usize| Arc::clone(&self.addresses[*at]));
        match ask {
            Ask::AddFollower(term, at, head) => Request::AddFollower(AddFollower {
                namespace,
                shard,
                term: Term(*term),
                follower: address(at),
                head: *head,
            }),
            Ask::BecomeLeader(term, followers) => Request::BecomeLeader(BecomeLeader {
                namespace,
                shard,
                term: Term(*term),
                replication_factor: 3,
                follower_maps: followers
                    .iter()
                    .map(|(at, head): &(usize, EntryId)| (address(at), *head))
                    .collect(),
                features_supported: BTreeSet::new(),
            }),
            Ask::DeleteShard(term) => Request::DeleteShard {
                shard,
                term: Term(*term),
            },
            Ask::Freeze(term, frozen) => Request::FreezeShard {
                shard,
                term: Term(*term),
                frozen: *frozen,
            },
            Ask::Handshake => Request::GetInfo,
            Ask::NewTerm(term) => Request::NewTerm(NewTerm {
                namespace,
                shard,
                term: Term(*term),
                enable_notifications: true,
                key_sorting: KeySorting::Unknown,
            }),
            Ask::Write => Request::Append { shard },
        }
    }
}

fn fresh(address: &Arc<str>) -> DataServerModel {
    DataServerModel::new(Arc::clone(address), BTreeSet::new(), Durability::Immediate).trusting()
}

fn bind(server: &mut DataServerModel) {
    let bound = server.handshake(INSTANCE);
    debug_assert!(bound.is_ok());
}

fn said(reply: &Reply) -> Said {
    match reply {
        Reply::Appended(_) => Said::Written,
        Reply::BecameLeader => Said::Led,
        Reply::Deleted => Said::Deleted,
        Reply::Fenced(head) => Said::Fenced(*head),
        Reply::FollowerAdded => Said::Added,
        Reply::Frozen { head_offset } => Said::Frozen(*head_offset),
        Reply::Info(_) | Reply::ObserverRemoved | Reply::Status(_) => Said::Nothing,
    }
}

fn refused(refusal: Refusal) -> Said {
    Said::Refused(kind(refusal))
}

fn kind(refusal: Refusal) -> stepdown_core::call::CallErrorKind {
    CallError::from(refusal).kind
}
