//! The two documents, opened together.

use std::sync::Arc;

use stepdown_core::{Epoch, Version};
use tokio::sync::watch;

use super::access::Access;
use super::clients::Clients;
use super::configuration::ConfigMapConfiguration;
use super::configuration_store::ConfigMapConfigurationStore;
use super::error::ConfigMapError;
use super::handover::touch;
use super::hints::ConfigMapHints;
use super::object_name::{ObjectName, is_object_name};
use super::options::ConfigMapOptions;
use super::own_stores::OwnStores;
use super::pace::Pace;
use super::store::ConfigMapStore;
use super::watch::{Follower, Looks};
use crate::backend::{ConfigurationSource, StatusHints, StatusStore};
use crate::configuration_store::ConfigurationStore;
use crate::status_size::StatusSize;

/// The documents half of the Kubernetes backend, and what leadership needs to know of it.
pub(crate) struct ConfigMapDocuments {
    access: Arc<Access>,
    stores: watch::Sender<usize>,
    configuration: Arc<ConfigMapConfiguration>,
    configuration_store: ConfigMapConfigurationStore,
    hints: Arc<ConfigMapHints>,
}

impl ConfigMapDocuments {
    /// Opens the documents; must be called within a runtime, where it leaves two tasks that watch
    /// them. They end with what was opened. The API server is not asked for anything here.
    pub(crate) fn open(
        options: &ConfigMapOptions,
        clients: &Clients,
    ) -> Result<Self, ConfigMapError> {
        Self::with_pace(options, clients, &Pace::default())
    }

    pub(super) fn with_pace(
        options: &ConfigMapOptions,
        clients: &Clients,
        pace: &Pace,
    ) -> Result<Self, ConfigMapError> {
        let namespace = checked("namespace", &options.namespace)?;
        let place = |option, name| {
            Ok(ObjectName {
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
            alive: watch::Sender::new(false),
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
            stores: watch::Sender::new(0),
            configuration_store: ConfigMapConfigurationStore {
                // What admins ask for must not keep the status waiting.
                client: clients.watch.clone(),
                place: config.clone(),
            },
            configuration: Arc::new(ConfigMapConfiguration::new(follower(config))),
            hints: Arc::new(ConfigMapHints::new(follower(status), own)),
        })
    }

    /// The status document.
    pub(crate) fn store(&self) -> Arc<dyn StatusStore> {
        Arc::new(ConfigMapStore {
            access: self.access.clone(),
            stores: self.stores.clone(),
        })
    }

    /// The configuration document.
    pub(crate) fn configuration(&self) -> Arc<dyn ConfigurationSource> {
        self.configuration.clone()
    }

    /// The configuration document, to be changed.
    pub(crate) fn configuration_store(&self) -> Arc<dyn ConfigurationStore> {
        Arc::new(self.configuration_store.clone())
    }

    /// Hints that somebody else has written the status document.
    pub(crate) fn hints(&self) -> Arc<dyn StatusHints> {
        self.hints.clone()
    }

    /// Changes when a leader that leaves says so, which is the time to look at the Lease.
    pub(crate) fn handovers(&self) -> watch::Receiver<u64> {
        self.hints.handovers()
    }

    /// The greatest epoch stored or loaded. It belongs on the Lease.
    pub(crate) fn epochs(&self) -> watch::Receiver<Epoch> {
        self.access.epochs.subscribe()
    }

    /// How full the status ConfigMap is, once that is known.
    pub(crate) fn sizes(&self) -> watch::Receiver<Option<StatusSize>> {
        self.access.gauge.watch()
    }

    /// Where the status document is, and the Lease.
    pub(crate) fn place(&self) -> ObjectName {
        self.access.place.clone()
    }

    /// How many stores are under way.
    pub(crate) fn stores(&self) -> watch::Sender<usize> {
        self.stores.clone()
    }

    /// The version of the status document that this process stored last.
    pub(crate) fn stored_version(&self) -> Option<Version> {
        self.access.own.last()
    }

    /// Tells the others that the coordinator `by` has given back leadership, unless the status
    /// document is not at the version `expected` any more: then somebody else leads already. They
    /// find out without being told, only later, so a failure is no matter.
    pub(crate) async fn touch_handover(&self, expected: &Version, by: &str) {
        touch(&self.access.client, &self.access.place, expected, by).await;
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
