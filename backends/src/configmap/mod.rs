//! Two ConfigMaps of a Kubernetes cluster: the status document, which this coordinator writes, and
//! the configuration document, which people write.

mod access;
mod backend;
mod body;
mod classify;
mod clients;
mod compress;
mod configuration;
mod content;
mod draft;
mod error;
mod handover;
mod hints;
mod lease;
mod lease_epoch;
mod outcome;
mod own;
mod pace;
mod reading;
mod record;
mod request;
mod size;
mod store;
mod transfer;
mod version;
mod watch;
mod writing;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod fake_api;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use stepdown_core::{Epoch, Version};
use tokio::sync::watch as channel;

use crate::backend::{ConfigurationSource, StatusHints, StatusStore};
use access::Access;
pub use backend::ConfigMapBackend;
pub use clients::Clients;
use configuration::ConfigMapConfiguration;
pub use error::ConfigMapError;
use hints::ConfigMapHints;
use own::OwnStores;
use pace::Pace;
use request::Place;
pub use size::StatusSize;
use store::ConfigMapStore;
pub use transfer::{Transfer, TransferError, TransferStep, transfer};
use watch::{Follower, Looks};

/// Which objects, and what is allowed.
#[derive(Clone, Debug)]
pub struct ConfigMapOptions {
    /// The namespace of every object.
    pub namespace: String,
    /// The ConfigMap of the status document, and the Lease.
    pub status_name: String,
    /// The ConfigMap of the configuration document.
    pub config_name: String,
    /// How the status document is stored. Either layout is read.
    pub layout: Layout,
    /// Whether a status ConfigMap without a status in it is a new cluster.
    pub initialize_empty_status: bool,
}

/// How the status document is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// As text, which upstream's coordinator reads, too.
    #[default]
    Plain,
    /// Compressed, for some twenty times as many shards. Upstream's coordinator can't read it.
    Compressed,
}

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compressed => "gzip",
        }
    }

    /// What to do where there is no more room.
    fn advice(self) -> &'static str {
        match self {
            Self::Plain => "store it compressed, or use fewer shards",
            Self::Compressed => "use fewer shards",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Plain, Self::Compressed]
            .into_iter()
            .find(|layout| layout.name() == name)
    }
}

/// The documents half of the Kubernetes backend, and what leadership needs to know of it.
pub struct ConfigMapDocuments {
    access: Arc<Access>,
    stores: channel::Sender<usize>,
    configuration: Arc<ConfigMapConfiguration>,
    hints: Arc<ConfigMapHints>,
}

impl ConfigMapDocuments {
    /// Opens the documents; must be called within a runtime, where it leaves two tasks that watch
    /// them. They end with what was opened. The API server is not asked for anything here.
    pub fn open(options: &ConfigMapOptions, clients: &Clients) -> Result<Self, ConfigMapError> {
        Self::with_pace(options, clients, &Pace::default())
    }

    fn with_pace(
        options: &ConfigMapOptions,
        clients: &Clients,
        pace: &Pace,
    ) -> Result<Self, ConfigMapError> {
        let namespace = checked("namespace", &options.namespace)?;
        let place = |option, name| {
            Ok(Place {
                namespace: namespace.clone(),
                name: checked(option, name)?,
            })
        };
        let status = place("status name", &options.status_name)?;
        let config = place("config name", &options.config_name)?;
        let follower = |place| Follower {
            client: clients.watch.clone(),
            place,
            looks: Looks::List,
            pace: pace.clone(),
            polls: true,
            alive: channel::Sender::new(false),
        };
        let own = OwnStores::default();
        Ok(Self {
            access: Arc::new(Access::new(
                clients.store.clone(),
                status.clone(),
                options.layout,
                options.initialize_empty_status,
                own.clone(),
            )),
            stores: channel::Sender::new(0),
            configuration: Arc::new(ConfigMapConfiguration::new(follower(config))),
            hints: Arc::new(ConfigMapHints::new(follower(status), own)),
        })
    }

    /// The status document.
    pub fn store(&self) -> Arc<dyn StatusStore> {
        Arc::new(ConfigMapStore {
            access: self.access.clone(),
            stores: self.stores.clone(),
        })
    }

    /// The configuration document.
    pub fn configuration(&self) -> Arc<dyn ConfigurationSource> {
        self.configuration.clone()
    }

    /// Hints that somebody else has written the status document.
    pub fn hints(&self) -> Arc<dyn StatusHints> {
        self.hints.clone()
    }

    /// Changes when a leader that leaves says so, which is the time to look at the Lease.
    pub fn handovers(&self) -> channel::Receiver<u64> {
        self.hints.handovers()
    }

    /// The greatest epoch stored or loaded. It belongs on the Lease.
    pub fn epochs(&self) -> channel::Receiver<Epoch> {
        self.access.epochs.subscribe()
    }

    /// How full the status ConfigMap is, once that is known.
    pub fn sizes(&self) -> channel::Receiver<Option<StatusSize>> {
        self.access.gauge.watch()
    }

    /// How many stores are under way.
    pub fn stores(&self) -> channel::Sender<usize> {
        self.stores.clone()
    }

    /// The version of the status document that this process stored last.
    pub fn stored_version(&self) -> Option<Version> {
        self.access.own.last()
    }

    /// Tells the others that the coordinator `by` has given back leadership, unless the status
    /// document is not at the version `expected` any more: then somebody else leads already. They
    /// find out without being told, only later, so a failure is no matter.
    pub async fn touch_handover(&self, expected: &Version, by: &str) {
        handover::touch(&self.access.client, &self.access.place, expected, by).await;
    }
}

/// A name is part of an address, so it may not be just anything.
fn checked(option: &'static str, name: &str) -> Result<String, ConfigMapError> {
    let value = name.to_owned();
    if is_object_name(name) {
        return Ok(value);
    }
    Err(ConfigMapError::Name { option, value })
}

/// Whether Kubernetes takes this as the name of an object: RFC 1123's labels, with dots between
/// them.
pub fn is_object_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().copied().is_some_and(plain)
            && bytes.last().copied().is_some_and(plain)
            && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
