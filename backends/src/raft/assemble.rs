//! What a coordinator sees of its node.

use std::sync::{Arc, Mutex};

use stepdown_core::Timing;
use tokio::sync::watch;

use super::configuration_store::RaftConfigurationStore;
use super::following::Following;
use super::leadership::RaftLeadership;
use super::node::Node;
use super::store::{RaftStore, Writer};
use crate::backend::Backend;
use crate::candidate::Candidate;

/// What ends with a backend. It is never looked at.
pub(super) type Owned = Arc<dyn Send + Sync>;

impl Node {
    /// What one coordinator sees of it. The node goes on when that is dropped.
    #[must_use]
    pub fn backend(self: &Arc<Self>, candidate: &Candidate) -> Backend {
        self.backend_of(candidate, Arc::new(()))
    }

    /// The same, and what ends with it.
    pub(super) fn backend_of(self: &Arc<Self>, candidate: &Candidate, owned: Owned) -> Backend {
        let coordinator = self.join();
        let (stores, sizes) = (watch::Sender::new(0), watch::Sender::new(None));
        let size = sizes.subscribe();
        let following = Arc::new(Following::new(self.clone(), candidate.process));
        Backend {
            store: Arc::new(RaftStore {
                writer: Writer {
                    node: self.clone(),
                    coordinator,
                    stored: Arc::default(),
                },
                stores: stores.clone(),
                sizes,
                _owned: owned.clone(),
            }),
            leadership: Arc::new(RaftLeadership {
                node: self.clone(),
                coordinator,
                public_address: candidate.public_address.clone(),
                stores,
                prepared: Mutex::default(),
                obstacle: watch::Sender::new(None),
                _owned: owned,
            }),
            configuration: following.clone(),
            configuration_store: Arc::new(RaftConfigurationStore(self.clone())),
            hints: following,
            sizes: size,
            head_check_every: Timing::default().head_check_every,
            failure: self.failure.subscribe(),
        }
    }
}
