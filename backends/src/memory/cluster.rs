//! The cluster: whoever holds it decides what stores answer and who loses leadership when.

use std::sync::{Arc, Mutex};

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Timing, Version};
use tokio::sync::watch;

use super::configuration::{self, Configuration, Hints};
use super::configuration_store::MemoryConfigurationStore;
use super::fault::Fault;
use super::leadership::MemoryLeadership;
use super::shared::Shared;
use super::store::MemoryStore;
use crate::backend::{Backend, no_failure};
use crate::status_size::StatusSize;

/// What the coordinators of one process share. Clones are the same cluster.
#[derive(Clone)]
pub struct MemoryCluster {
    shared: Arc<Shared>,
}

impl MemoryCluster {
    /// A new cluster: no status document, no configuration document, no leader.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                documents: Mutex::default(),
                lock: watch::Sender::default(),
                gate: watch::Sender::default(),
                configuration: watch::Sender::new(Some(configuration::text(None))),
                configurations: Mutex::default(),
            }),
        }
    }

    /// What one coordinator of that name sees of the cluster. Two of the same name are still two.
    pub fn backend(&self, name: &str) -> Backend {
        let (coordinator, hints) = self.shared.documents().join();
        let stores = watch::Sender::new(0);
        Backend {
            store: Arc::new(MemoryStore::new(
                self.shared.clone(),
                coordinator,
                stores.clone(),
            )),
            leadership: Arc::new(MemoryLeadership::new(
                self.shared.clone(),
                coordinator,
                name,
                stores,
            )),
            configuration: Arc::new(Configuration(self.shared.configuration.subscribe())),
            configuration_store: Arc::new(MemoryConfigurationStore(self.shared.clone())),
            hints: Arc::new(Hints(hints)),
            sizes: StatusSize::unlimited(),
            head_check_every: Timing::default().head_check_every,
            failure: no_failure(),
        }
    }

    /// Takes leadership away from whoever holds it; says whether anybody did.
    pub fn take_away(&self, reason: &str) -> bool {
        self.shared
            .lock
            .send_if_modified(|lock| lock.release(reason))
    }

    /// The name of the leader.
    pub fn leader(&self) -> Option<Arc<str>> {
        self.shared.lock.borrow().leader()
    }

    /// Makes the next store that arrives, and is not spoken for yet, end like this.
    pub fn inject(&self, fault: Fault) {
        self.shared.documents().faults.push_back(fault);
    }

    /// Makes the next `count` reads find the store unavailable.
    pub fn inject_failed_reads(&self, count: u32) {
        self.shared.documents().failed_reads = count;
    }

    /// Holds every store that arrives from now on until [`let_stores_pass`](Self::let_stores_pass).
    pub fn hold_stores(&self) {
        self.shared.gate.send_modify(|gate| gate.closed = true);
    }

    /// Lets the stores that are held go on, and those that arrive later pass.
    pub fn let_stores_pass(&self) {
        self.shared.gate.send_modify(|gate| gate.closed = false);
    }

    /// Returns once at least `count` stores are held.
    pub async fn stores_held(&self, count: usize) {
        let mut gate = self.shared.gate.subscribe();
        // The sender lives in `self`, so this can't fail.
        let _ = gate.wait_for(|gate| gate.waiting >= count).await;
    }

    /// Refuses documents above this many bytes, estimated, from now on.
    #[cfg(test)]
    pub(super) fn limit_bytes(&self, limit: Option<u64>) {
        self.shared.documents().byte_limit = limit;
    }

    /// Refuses documents of more than this many shards from now on.
    pub fn limit_shards(&self, limit: Option<usize>) {
        self.shared.documents().shard_limit = limit;
    }

    /// Writes the document as a stranger would: without an epoch, a write id, or a checksum.
    pub fn overwrite(&self, status: Arc<ClusterStatus>) -> Version {
        self.shared.documents().overwrite(status)
    }

    /// Makes the document unreadable, until it is overwritten.
    pub fn corrupt(&self, reason: &str) {
        self.shared.documents().corrupt(reason);
    }

    /// Deletes the document. The greatest epoch is remembered, as a lease would.
    pub fn erase(&self) {
        self.shared.documents().erase();
    }

    /// Replaces or deletes the configuration document.
    pub fn set_configuration(&self, text: Option<String>) {
        // Any version will do.
        let _ = self.shared.configure(None, text);
    }

    /// How many stores were accepted so far.
    pub fn accepted_stores(&self) -> u64 {
        self.shared.documents().accepted
    }

    /// The status as it is now, if there is a readable one.
    pub fn status(&self) -> Option<Arc<ClusterStatus>> {
        self.shared.documents().status()
    }
}

impl Default for MemoryCluster {
    fn default() -> Self {
        Self::new()
    }
}
