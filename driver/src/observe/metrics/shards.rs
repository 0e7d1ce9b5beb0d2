//! Numbers by shard and by data server, kept small.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stepdown_core::{ServerId, ServerState, ShardId, Term};

use super::family::Latency;

/// So many shards have histograms of their own; later ones share one per namespace, under the
/// shard `other`. 60 lines for each of 10,000 shards would be a scrape of 100 MB.
const DETAILED: usize = 1_000;

/// Numbers by shard and by data server.
pub struct Series(Mutex<Table>);

#[derive(Clone, Default)]
pub struct Table {
    pub shards: BTreeMap<ShardId, Shard>,
    /// How many more shards may have histograms of their own.
    room: usize,
    pub others: BTreeMap<Arc<str>, Latencies>,
    pub servers: BTreeMap<ServerId, Server>,
    /// How often each server was without data that it ought to have had.
    pub emptied: BTreeMap<ServerId, u64>,
}

#[derive(Clone)]
pub struct Shard {
    pub namespace: Arc<str>,
    pub term: Option<i64>,
    pub blocked: bool,
    /// How many replicas are in sync, and of how many, while in office.
    pub in_sync: Option<(usize, usize)>,
    pub failures: u64,
    pub latencies: Option<Box<Latencies>>,
}

#[derive(Clone, Default)]
pub struct Latencies {
    pub election: Option<Latency>,
    pub new_term: Option<Latency>,
    pub become_leader: Option<Latency>,
}

#[derive(Clone, Default)]
pub struct Server {
    pub running: bool,
    /// It is held to run, and does not answer in time.
    pub silent: bool,
    pub failures: u64,
}

impl Series {
    /// No numbers yet; without `histograms`, no shard has any of its own.
    pub fn new(histograms: bool) -> Self {
        Self(Mutex::new(Table {
            room: if histograms { DETAILED } else { 0 },
            ..Table::default()
        }))
    }

    /// A shard has a new leader.
    pub fn elected(&self, namespace: &Arc<str>, shard: ShardId, took: Duration) {
        let mut table = self.lock();
        table.shard(namespace, shard).blocked = false;
        let latencies = table.latencies(namespace, shard);
        latencies.election.get_or_insert_default().add(took);
    }

    /// An attempt to elect a leader failed.
    pub fn election_failed(&self, namespace: &Arc<str>, shard: ShardId) {
        self.lock().shard(namespace, shard).failures += 1;
    }

    /// A quorum is fenced.
    pub fn fenced(&self, namespace: &Arc<str>, shard: ShardId, took: Duration) {
        let mut table = self.lock();
        let latencies = table.latencies(namespace, shard);
        latencies.new_term.get_or_insert_default().add(took);
    }

    /// A server became leader.
    pub fn leader_confirmed(&self, namespace: &Arc<str>, shard: ShardId, took: Duration) {
        let mut table = self.lock();
        let latencies = table.latencies(namespace, shard);
        latencies.become_leader.get_or_insert_default().add(took);
    }

    /// The store accepted the shard in this term.
    pub fn accepted(&self, namespace: &Arc<str>, shard: ShardId, term: Term) {
        self.lock().shard(namespace, shard).term = Some(term.0);
    }

    /// The shard can't go on by itself.
    pub fn blocked(&self, namespace: &Arc<str>, shard: ShardId) {
        self.lock().shard(namespace, shard).blocked = true;
    }

    /// So many of the shard's replicas are in sync; where that is a majority, it goes on.
    pub fn in_sync(&self, namespace: &Arc<str>, shard: ShardId, in_sync: usize, replicas: usize) {
        let mut table = self.lock();
        let shard = table.shard(namespace, shard);
        shard.in_sync = Some((in_sync, replicas));
        shard.blocked &= in_sync * 2 <= replicas;
    }

    /// The shard is gone.
    pub fn deleted(&self, shard: ShardId) {
        let mut table = self.lock();
        let gone = table.shards.remove(&shard);
        table.room += usize::from(gone.is_some_and(|it| it.latencies.is_some()));
    }

    /// A data server's state changed.
    pub fn server_changed(&self, server: &ServerId, state: ServerState) {
        let mut table = self.lock();
        // Counters begin at 0: a rate misses what they are born with.
        table.emptied.entry(server.clone()).or_default();
        let server = table.servers.entry(server.clone()).or_default();
        // One that is not configured any more answers as well as any.
        server.running = state != ServerState::Unavailable;
        server.silent &= server.running;
        server.failures += u64::from(state == ServerState::Unavailable);
    }

    /// A data server that runs does not answer in time, or does again.
    pub fn server_silent(&self, server: &ServerId, silent: bool) {
        if let Some(server) = self.lock().servers.get_mut(server) {
            server.silent = silent;
        }
    }

    /// A data server was without data that it ought to have had.
    pub fn server_emptied(&self, server: &ServerId) {
        *self.lock().emptied.entry(server.clone()).or_default() += 1;
    }

    /// A data server is no longer known.
    pub fn server_forgotten(&self, server: &ServerId) {
        let mut table = self.lock();
        table.servers.remove(server);
        table.emptied.retain(|id, count| id != server || *count > 0);
    }

    /// Out of office nothing is known of shards and servers; what was counted stays.
    pub fn close_office(&self) {
        let mut table = self.lock();
        table.servers.clear();
        for shard in table.shards.values_mut() {
            shard.term = None;
            shard.blocked = false;
            shard.in_sync = None;
        }
    }

    /// The numbers as they are now. Reports must not wait while a large scrape is put together.
    pub fn copied(&self) -> Table {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn shard(&mut self, namespace: &Arc<str>, shard: ShardId) -> &mut Shard {
        self.shards.entry(shard).or_insert_with(|| Shard {
            namespace: Arc::clone(namespace),
            term: None,
            blocked: false,
            in_sync: None,
            failures: 0,
            latencies: None,
        })
    }

    fn latencies(&mut self, namespace: &Arc<str>, shard: ShardId) -> &mut Latencies {
        if self.shard(namespace, shard).latencies.is_none() {
            let Some(room) = self.room.checked_sub(1) else {
                return self.others.entry(Arc::clone(namespace)).or_default();
            };
            self.room = room;
        }
        self.shard(namespace, shard)
            .latencies
            .get_or_insert_default()
    }
}
