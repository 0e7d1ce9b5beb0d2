//! Three model data servers and what is on the way between them: one way in which things may have
//! gone.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use stepdown_core::call::{AddFollower, BecomeLeader, CallError, EntryId, NewTerm, ReplicaStatus};
use stepdown_core::cluster::KeySorting;
use stepdown_core::{ShardId, Term};
use stepdown_sandbox::replica::{
    Body, DataServerModel, Durability, DurableServer, Message, Output, Refusal, Reply, Request,
    Token,
};

use super::step::{Ask, SERVERS, Said, Seen};

const INSTANCE: &str = "differential";
pub(super) const SHARD: ShardId = ShardId(0);
/// There is one call at a time.
const CALL: Token = Token(0);

/// Three model data servers with one shard, and what is on the way between them.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) servers: Vec<DataServerModel>,
    pub(super) up: [bool; SERVERS],
    /// The connections that do not come back, from whom to whom.
    pub(super) closed: BTreeSet<(usize, usize)>,
    pub(super) addresses: [Arc<str>; SERVERS],
    factor: u32,
    pub(super) network: VecDeque<(usize, usize, Message)>,
    /// Streams that have ended, from whom to whom: whoever sends tries again.
    pub(super) broken: BTreeSet<(usize, usize)>,
    said: Option<Said>,
    /// What is appended to this one is still to come.
    pub(super) late: Option<usize>,
    /// Nobody has ever known more to be committed.
    pub(super) most_committed: i64,
}

impl World {
    pub(super) fn new(addresses: [Arc<str>; SERVERS], factor: u32) -> Self {
        let mut servers: Vec<DataServerModel> = addresses.iter().map(fresh).collect();
        for server in &mut servers {
            bind(server);
        }
        Self {
            servers,
            up: [true; SERVERS],
            closed: BTreeSet::new(),
            addresses,
            factor,
            network: VecDeque::new(),
            broken: BTreeSet::new(),
            said: None,
            late: None,
            most_committed: -1,
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
        let caller = if matches!(ask, Ask::Stranger(_)) {
            "stranger"
        } else {
            INSTANCE
        };
        if let Err(refusal) = self.servers[at].admit(caller) {
            self.said = Some(refused(refusal));
            return;
        }
        let request = self.request(ask);
        self.servers[at].handle_request(CALL, request);
        self.collect(at);
    }

    /// The same, but what a leader streams to some is still to come.
    pub(super) fn delayed(&self) -> Vec<Self> {
        let streamed = |message: &Message| match message.body {
            Body::Append { .. } | Body::Snapshot { .. } => true,
            Body::Appended { .. }
            | Body::AppendRefused { .. }
            | Body::Close
            | Body::Truncate { .. }
            | Body::TruncateRefused { .. }
            | Body::Truncated { .. } => false,
        };
        let mut worlds = vec![self.clone()];
        for late in 0..SERVERS {
            let mut some = worlds.clone();
            some.retain_mut(|world| {
                let before = world.network.len();
                let network = &mut world.network;
                network.retain(|(_, to, message)| *to != late || !streamed(message));
                network.len() < before
            });
            worlds.extend(some);
        }
        worlds
    }

    /// What is still to come is no longer late.
    pub(super) fn in_time(mut self) -> Self {
        self.late = None;
        self
    }

    /// Hangs up on whoever has not answered.
    pub(super) fn hang_up(&mut self) {
        self.said = None;
        for at in 0..SERVERS {
            self.servers[at].cancel(CALL);
            self.collect(at);
        }
    }

    /// A server's process is gone.
    pub(super) fn kill(&mut self, at: usize) {
        self.up[at] = false;
        self.network.retain(|(from, _, _)| *from != at);
        self.broken.retain(|(from, _)| *from != at);
        for other in (0..SERVERS).filter(|other| *other != at) {
            self.cut(at, other);
            self.cut(other, at);
        }
    }

    /// A server's process ends by itself: what is applied to its databases is flushed.
    pub(super) fn stop(&mut self, at: usize) {
        let mut disk = self.servers[at].durable();
        for shard in disk.shards.values_mut() {
            shard.flushed = shard.commit_offset;
        }
        self.recover(at, disk);
        self.kill(at);
    }

    pub(super) fn start(&mut self, at: usize) {
        self.servers[at].restart(stepdown_sandbox::replica::Tail::Kept);
        self.up[at] = true;
    }

    /// Binds one that belongs to no cluster.
    pub(super) fn bind(&mut self, at: usize) {
        bind(&mut self.servers[at]);
    }

    /// A connection breaks: both ends know it at once.
    pub(super) fn cut(&mut self, from: usize, to: usize) {
        if self.up[to] {
            let peer = Arc::clone(&self.addresses[from]);
            self.servers[to].peer_disconnected(&peer);
            self.collect(to);
        }
        if self.up[from] {
            self.broken.insert((from, to));
        }
    }

    /// Lets connections through, or none.
    pub(super) fn open(&mut self, from: usize, to: usize, is_open: bool) {
        if is_open {
            self.closed.remove(&(from, to));
        } else {
            self.closed.insert((from, to));
        }
    }

    pub(super) fn empty(&mut self, at: usize) {
        self.servers[at] = fresh(&self.addresses[at]);
    }

    pub(super) fn drop_logs(&mut self, at: usize) {
        let mut disk: DurableServer = self.servers[at].durable();
        for shard in disk.shards.values_mut() {
            shard.drop_log();
        }
        self.recover(at, disk);
    }

    fn recover(&mut self, at: usize, disk: DurableServer) {
        let (address, durability) = (Arc::clone(&self.addresses[at]), Durability::Immediate);
        self.servers[at] =
            DataServerModel::recover(address, BTreeSet::new(), durability, disk).trusting();
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

    /// Followers know this to be committed, if they may.
    pub(super) fn know(&mut self, seen: &[Seen; SERVERS]) -> bool {
        let most = self.most_committed;
        let may = |status: &ReplicaStatus| status.commit_offset <= most;
        let mut pairs = self.servers.iter_mut().zip(seen);
        pairs.all(|(server, seen)| match seen {
            Some(Ok(status)) => may(status) && server.know_committed(SHARD, status.commit_offset),
            Some(Err(_)) | None => true,
        })
    }

    /// How many entries a server knows to be committed.
    pub(super) fn committed(&self, at: usize) -> i64 {
        let log = self.servers[at].log(SHARD);
        log.map_or(0, |(_, committed)| committed + 1)
    }

    pub(super) fn collect(&mut self, at: usize) {
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
                    let is_late = |to: usize| {
                        self.late == Some(to) && matches!(message.body, Body::Append { .. })
                    };
                    if let Some(to) = addresses.position(|address| *address == to)
                        && !is_late(to)
                    {
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
                replication_factor: self.factor,
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
            Ask::NewTerm(term) | Ask::Stranger(term) => Request::NewTerm(NewTerm {
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
        Reply::Info(_) | Reply::ObserverRemoved | Reply::Status(_) | Reply::Truncated(_) => {
            Said::Nothing
        }
    }
}

fn refused(refusal: Refusal) -> Said {
    Said::Refused(kind(refusal))
}

fn kind(refusal: Refusal) -> stepdown_core::call::CallErrorKind {
    CallError::from(refusal).kind
}
