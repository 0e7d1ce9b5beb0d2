//! Models joined by a network that loses nothing unless told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stepdown_core::cluster::KeySorting;
use stepdown_core::{ShardId, Term};

use stepdown_core::call::{AddFollower, BecomeLeader, EntryId, NewTerm, ReplicaRole};

use crate::replica::*;

pub const SHARD: ShardId = ShardId(7);
pub type Outcome = Result<Reply, Refusal>;

pub struct Cluster {
    pub servers: BTreeMap<&'static str, DataServerModel>,
    pub network: VecDeque<(String, Message)>,
    pub replies: BTreeMap<Token, Outcome>,
    next: u64,
}

impl Cluster {
    pub fn new(names: &[&'static str]) -> Self {
        let server = |name: &&'static str| {
            let mut server = DataServerModel::new(*name, BTreeSet::new(), Durability::Deferred);
            server.handshake("id").unwrap();
            server.sync();
            (*name, server)
        };
        Self {
            servers: names.iter().map(server).collect(),
            network: VecDeque::new(),
            replies: BTreeMap::new(),
            next: 0,
        }
    }

    pub fn server(&mut self, name: &str) -> &mut DataServerModel {
        self.servers.get_mut(name).unwrap()
    }

    /// Asks without carrying any message that follows.
    pub fn begin(&mut self, name: &str, request: Request) -> Token {
        self.next += 1;
        let token = Token(self.next);
        self.server(name).handle_request(token, request);
        self.collect(name);
        token
    }

    /// Asks, and lets every message be delivered.
    pub fn ask(&mut self, name: &str, request: Request) -> Option<Outcome> {
        let token = self.begin(name, request);
        self.deliver_all();
        self.replies.get(&token).cloned()
    }

    pub fn collect(&mut self, name: &str) {
        self.server(name).sync();
        while let Some(output) = self.server(name).poll_output() {
            match output {
                Output::Reply { token, result } => {
                    assert_eq!(self.replies.insert(token, result), None, "answered twice");
                }
                Output::Send { to, message } => self.network.push_back((to.to_string(), message)),
            }
        }
    }

    pub fn deliver(&mut self, to: &str, message: Message) {
        if let Some(server) = self.servers.get_mut(to) {
            server.handle_message(message);
            self.collect(to);
        }
    }

    pub fn deliver_all(&mut self) {
        while let Some((to, message)) = self.network.pop_front() {
            self.deliver(&to, message);
        }
    }

    /// The stream from a leader to its follower breaks and is opened again.
    pub fn reconnect(&mut self, leader: &str, follower: &str) {
        self.server(follower).peer_disconnected(leader);
        self.server(leader).peer_connected(follower);
        self.collect(leader);
        self.deliver_all();
    }

    pub fn role(&self, name: &str) -> Option<ReplicaRole> {
        self.servers[name].status(SHARD).map(|status| status.role)
    }

    pub fn head(&self, name: &str) -> EntryId {
        self.servers[name].log(SHARD).unwrap().0.head()
    }

    /// Fences all in `term` and makes the first lead the others.
    pub fn elect(&mut self, term: i64, members: &[&'static str]) -> Option<Outcome> {
        let heads: Vec<EntryId> = members
            .iter()
            .map(|name| match self.ask(name, new_term(term)) {
                Some(Ok(Reply::Fenced(head))) => head,
                other => panic!("{name}: {other:?}"),
            })
            .collect();
        let followers: Vec<(&str, EntryId)> = members.iter().copied().zip(heads).skip(1).collect();
        self.ask(members[0], become_leader(term, &followers))
    }

    pub fn append(&mut self, name: &str, count: usize) {
        for _ in 0..count {
            let reply = self.ask(name, Request::Append { shard: SHARD });
            assert!(matches!(reply, Some(Ok(Reply::Appended(_)))), "{reply:?}");
        }
    }
}

pub fn id(term: i64, offset: i64) -> EntryId {
    EntryId {
        term: Term(term),
        offset,
    }
}

pub fn new_term(term: i64) -> Request {
    Request::NewTerm(NewTerm {
        namespace: "default".into(),
        shard: SHARD,
        term: Term(term),
        enable_notifications: true,
        key_sorting: KeySorting::default(),
    })
}

/// Of an ensemble of three.
pub fn become_leader(term: i64, followers: &[(&str, EntryId)]) -> Request {
    become_leader_of(3, term, followers)
}

pub fn become_leader_of(
    replication_factor: u32,
    term: i64,
    followers: &[(&str, EntryId)],
) -> Request {
    Request::BecomeLeader(BecomeLeader {
        namespace: "default".into(),
        shard: SHARD,
        term: Term(term),
        replication_factor,
        follower_maps: followers
            .iter()
            .map(|(name, head)| ((*name).into(), *head))
            .collect(),
        features_supported: BTreeSet::new(),
    })
}

pub fn follower(term: i64, name: &str, head: EntryId) -> AddFollower {
    AddFollower {
        namespace: "default".into(),
        shard: SHARD,
        term: Term(term),
        follower: name.into(),
        head,
    }
}

pub fn add_follower(term: i64, name: &str, head: EntryId) -> Request {
    Request::AddFollower(follower(term, name, head))
}

pub fn delete(term: i64) -> Request {
    Request::DeleteShard {
        shard: SHARD,
        term: Term(term),
    }
}
