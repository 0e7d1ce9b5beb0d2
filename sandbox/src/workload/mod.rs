//! Writes to every shard without a pause, and knows afterwards what was acknowledged.

mod closing;
mod outcome;
mod reading;
mod shard;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::ShardId;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use self::closing::Forgotten;
use self::reading::{Reader, read_all};
use self::shard::ShardLoad;
use crate::proto::data_client::DataClient;

pub use self::outcome::Entries;
pub(crate) use self::outcome::Gap;

/// Between two writes to a shard.
const PAUSE: Duration = Duration::from_millis(20);
/// For each shard there is, so that many shards leave some time for the cluster's own work.
const PAUSE_PER_SHARD: Duration = Duration::from_micros(200);

/// Where a shard's leader takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderAt {
    /// The shard's namespace.
    pub namespace: Arc<str>,
    /// The shard.
    pub shard: ShardId,
    /// The leader's public address; `None` while it has no leader.
    pub address: Option<Arc<str>>,
}

/// One writer per shard.
#[derive(Debug)]
pub struct Workload {
    pause: Duration,
    shards: BTreeMap<ShardId, Writer>,
    forgotten: Forgotten,
    channels: BTreeMap<Arc<str>, DataClient<Channel>>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Writer {
    load: Arc<ShardLoad>,
    leader: watch::Sender<Option<DataClient<Channel>>>,
    address: Option<Arc<str>>,
    stop: CancellationToken,
    /// Since when nothing is written any more.
    closed: Option<Instant>,
}

impl Workload {
    /// Writes to nobody yet; there will be about so many shards.
    pub fn new(shards: usize) -> Self {
        let shards = u32::try_from(shards).unwrap_or(u32::MAX);
        Self {
            pause: PAUSE.max(PAUSE_PER_SHARD.saturating_mul(shards)),
            shards: BTreeMap::new(),
            forgotten: Forgotten::default(),
            channels: BTreeMap::new(),
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Takes in who leads; starts writers for shards that are new.
    pub fn follow(&mut self, leaders: impl IntoIterator<Item = LeaderAt>) {
        for LeaderAt {
            namespace,
            shard,
            address,
        } in leaders
        {
            let client = address.as_ref().and_then(|it| self.client(it));
            let (stop, pause) = (&self.stop, self.pause);
            let tasks = &mut self.tasks;
            let writer = self.shards.entry(shard).or_insert_with(|| {
                let load = Arc::new(ShardLoad::new(namespace, shard));
                let (leader, leaders) = watch::channel(None);
                let stop = stop.child_token();
                let (stopped, writing) = (stop.clone(), load.clone());
                tasks.spawn(async move {
                    stopped
                        .run_until_cancelled(writing.write(pause, leaders))
                        .await;
                });
                Writer {
                    load,
                    leader,
                    address: None,
                    stop,
                    closed: None,
                }
            });
            if writer.address != address {
                writer.address = address;
                writer.leader.send_replace(client);
            }
        }
    }

    /// Ends the writers; what was acknowledged stays known.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Entries acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        let shards = self.shards.values().map(|it| it.load.acknowledged());
        self.forgotten.entries.acknowledged + shards.sum::<u64>()
    }

    /// The shards that have acknowledged nothing that was written after `since`.
    pub fn silent_since(&self, since: Instant) -> Vec<String> {
        let silent = self
            .shards
            .values()
            .filter(|it| it.closed.is_none() && !it.load.wrote_since(since));
        silent.map(|it| it.load.name()).collect()
    }

    /// The longest time that one shard acknowledged nothing, from its first acknowledgement until
    /// `until`.
    pub(crate) fn longest_gap(&self, until: Instant) -> Option<Gap> {
        let shards = self.shards.values();
        let gaps = shards.filter_map(|it| it.load.longest_gap(it.closed.unwrap_or(until)));
        let gaps = gaps.chain(self.forgotten.longest_gap.clone());
        gaps.max_by_key(|it| it.time)
    }

    /// Reads every acknowledged entry back from the shards' leaders; asks again where none
    /// answers, until `deadline`. The writers have been stopped. Leaders may change meanwhile: whoever
    /// waits for it has to [follow](Self::follow) them.
    pub fn verify(&self, deadline: Instant) -> impl Future<Output = Entries> + Send + use<> {
        let readers: Vec<_> = self.shards.values().map(Reader::of).collect();
        let forgotten = self.forgotten.entries;
        async move {
            let mut entries = forgotten;
            entries += read_all(readers, deadline).await;
            entries
        }
    }

    fn client(&mut self, address: &Arc<str>) -> Option<DataClient<Channel>> {
        if let Some(client) = self.channels.get(address) {
            return Some(client.clone());
        }
        // The address is one that this process made.
        let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
        let client = DataClient::new(endpoint.connect_lazy());
        self.channels.insert(address.clone(), client.clone());
        Some(client)
    }
}
