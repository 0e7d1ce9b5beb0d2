//! One coordinator's access to the status ConfigMap, and what it remembers of it.

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::GetParams;
use kube::core::PartialObjectMeta;
use stepdown_core::Epoch;
use tokio::sync::watch;

use super::content::Sight;
use super::layout::Layout;
use super::object_name::ObjectName;
use super::own_stores::OwnStores;
use super::refusals::Refusals;
use super::request::{Failure, ask, read};
use super::size::Gauge;

pub(crate) struct Access {
    pub(crate) client: Client,
    pub(crate) place: ObjectName,
    /// How documents are written.
    pub(crate) layout: Layout,
    /// Whether a ConfigMap without a status is a new cluster.
    pub(crate) initialize_empty: bool,
    pub(crate) own: OwnStores,
    /// The greatest epoch that this process has stored or loaded.
    pub(crate) epochs: watch::Sender<Epoch>,
    pub(crate) gauge: Gauge,
    /// The document as it was seen last.
    seen: Mutex<Option<Arc<Sight>>>,
    pub(super) refusals: Refusals,
}

impl Access {
    pub(crate) fn new(
        client: Client,
        place: ObjectName,
        layout: Layout,
        initialize_empty: bool,
        own: OwnStores,
    ) -> Self {
        Self {
            client,
            layout,
            initialize_empty,
            own,
            epochs: watch::Sender::new(Epoch::default()),
            gauge: Gauge::new(place.clone(), layout),
            seen: Mutex::default(),
            refusals: Refusals::default(),
            place,
        }
    }

    pub(super) fn seen(&self) -> Option<Arc<Sight>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    pub(super) fn see(&self, sight: Sight) {
        self.gauge.measured(sight.bytes);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(Arc::new(sight));
    }

    /// Keeps the epoch from going back; returns the greatest one known.
    pub(super) fn raise_epoch(&self, epoch: Epoch) -> Epoch {
        self.epochs.send_if_modified(|known| {
            let is_greater = epoch > *known;
            *known = epoch.max(*known);
            is_greater
        });
        *self.epochs.borrow()
    }

    pub(super) async fn get(&self) -> Result<Vec<u8>, Failure> {
        let requests = self.place.requests::<ConfigMap>();
        let request = requests.get(&self.place.name, &GetParams::default());
        ask(&self.client, request).await
    }

    pub(super) async fn get_metadata(&self) -> Result<PartialObjectMeta<ConfigMap>, Failure> {
        let requests = self.place.requests::<ConfigMap>();
        let request = requests.get_metadata(&self.place.name, &GetParams::default());
        read(&ask(&self.client, request).await?)
    }
}
