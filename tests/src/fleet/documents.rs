//! The objects of one cluster, as an administrator sees and changes them.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use stepdown_core::cluster::ClusterStatus;
use tokio::time::timeout;

/// The name of the status ConfigMap and of the Lease.
pub const STATUS: &str = "oxia-cluster-status";
const CONFIG: &str = "oxia-cluster-config";
/// An API server that is stopped does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The objects of one namespace.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The ConfigMaps.
    pub config_maps: Api<ConfigMap>,
    /// The Leases.
    pub leases: Api<Lease>,
}

impl Documents {
    /// Those of this namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            config_maps: Api::namespaced(client.clone(), namespace),
            leases: Api::namespaced(client, namespace),
        }
    }

    /// The status ConfigMap, if there is one and the API server answers.
    pub async fn status_object(&self) -> Option<ConfigMap> {
        let asked = timeout(PATIENCE, self.config_maps.get_opt(STATUS)).await;
        asked.ok()?.ok()?
    }

    /// The status, if there is a readable one.
    pub async fn status(&self) -> Option<ClusterStatus> {
        ClusterStatus::decode(&text(&self.status_object().await?)?).ok()
    }

    /// Who holds the Lease, if anybody does.
    pub async fn holder(&self) -> Option<String> {
        let asked = timeout(PATIENCE, self.leases.get_opt(STATUS)).await;
        let holder = asked.ok()?.ok()??.spec?.holder_identity?;
        (!holder.is_empty()).then_some(holder)
    }

    /// When the Lease was renewed last, by its holder's wall clock.
    pub async fn renewed(&self) -> jiff::Timestamp {
        let lease = self.leases.get(STATUS).await.expect("there is a Lease");
        let renewed = lease.spec.and_then(|spec| spec.renew_time);
        renewed.expect("it was renewed").0
    }

    /// Writes the status as a stranger who keeps no record of it; the shard id generator is raised
    /// so that it can be told whether the write was lost. Returns what it is then.
    pub async fn write_as_stranger(&self, skipped: i64) -> i64 {
        loop {
            let object = self.status_object().await.expect("there is a status");
            let mut status = text(&object)
                .and_then(|text| ClusterStatus::decode(&text).ok())
                .expect("there is a readable status");
            status.shard_id_generator += skipped;
            let patch = Patch::Merge(json!({
                "metadata": {"resourceVersion": object.metadata.resource_version},
                "data": {"status": status.encode()},
            }));
            let params = PatchParams::default();
            match self.config_maps.patch(STATUS, &params, &patch).await {
                Ok(_) => return status.shard_id_generator,
                // A coordinator came first.
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(error) => panic!("a stranger can write: {error}"),
            }
        }
    }

    /// Writes the configuration document.
    pub async fn configure(&self, text: &str) {
        let patch = Patch::Apply(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG},
            "data": {"config.yaml": text},
        }));
        let params = PatchParams::apply("administrator").force();
        let applied = self.config_maps.patch(CONFIG, &params, &patch).await;
        applied.expect("an administrator can write");
    }

    /// Deletes the configuration document.
    pub async fn delete_configuration(&self) {
        let deleted = self
            .config_maps
            .delete(CONFIG, &DeleteParams::default())
            .await;
        deleted.expect("an administrator can delete");
    }

    /// Deletes the Lease.
    pub async fn delete_lease(&self) {
        let deleted = self.leases.delete(STATUS, &DeleteParams::default()).await;
        deleted.expect("an administrator can delete");
    }

    /// Deletes the status document; returns what it was.
    pub async fn delete_status(&self) -> ConfigMap {
        let object = self.status_object().await.expect("there is a status");
        let deleted = self
            .config_maps
            .delete(STATUS, &DeleteParams::default())
            .await;
        deleted.expect("an administrator can delete");
        object
    }

    /// Restores the status document from a copy, as `kubectl apply` of a backup does.
    pub async fn restore_status(&self, mut copy: ConfigMap) {
        copy.metadata = kube::core::ObjectMeta {
            name: copy.metadata.name,
            annotations: copy.metadata.annotations,
            ..Default::default()
        };
        let created = self.config_maps.create(&PostParams::default(), &copy).await;
        created.expect("an administrator can write");
    }
}

/// The status text of a ConfigMap in the plain layout.
pub fn text(object: &ConfigMap) -> Option<String> {
    object.data.as_ref()?.get("status").cloned()
}
