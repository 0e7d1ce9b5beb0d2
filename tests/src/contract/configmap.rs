//! The Kubernetes backend under the suite, on a real API server, behind a proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use stepdown_backends::Backend;
use stepdown_backends::configmap::{self, Clients, ConfigMapOptions, Layout};
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::lease::FlapLimit;
use tokio::sync::Mutex;

use super::support::candidate;
use super::{Cluster, Failure, NotApplicable, Outcome};
use crate::kubernetes::proxy::{Answer, Fault, Injected, Kind, Requests, Verb};
use crate::kubernetes::{ApiServer, FaultProxy, Grants, Namespace};

const STATUS: &str = "oxia-cluster-status";
const CONFIG: &str = "oxia-cluster-config";

/// One namespace of an API server.
pub struct ConfigMaps {
    api: Arc<ApiServer>,
    namespace: Namespace,
    proxy: FaultProxy,
    layout: Layout,
    held: Mutex<Option<Injected>>,
}

impl ConfigMaps {
    /// An empty namespace. `None` where there is no API server: that has been said.
    pub async fn new(grants: Grants, layout: Layout) -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let api = ApiServer::shared().await?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = api.namespace(&format!("case-{number}"), grants).await;
        let proxy = FaultProxy::start(&api).await;
        Some(Self {
            api,
            namespace,
            proxy,
            layout,
            held: Mutex::new(None),
        })
    }

    /// How coordinators write the status from now on.
    pub fn use_layout(&mut self, layout: Layout) {
        self.layout = layout;
    }

    /// How many writes of the status have come so far.
    pub fn writes(&self) -> u64 {
        let counts = self.proxy.counts();
        Verb::WRITES
            .iter()
            .map(|verb| counts.of(Kind::Status, *verb))
            .sum()
    }

    async fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.api.admin().await, self.namespace.name())
    }

    /// The status ConfigMap.
    pub async fn present(&self) -> ConfigMap {
        let object = self.config_maps().await.get(STATUS).await;
        object.expect("there is a status")
    }

    /// Writes the status' text: as upstream's coordinator does, or, where that could not have read
    /// what it replaces, as a person does who replaces the object by a copy.
    async fn write(&self, text: &str) {
        if self.layout == Layout::Compressed {
            return self.replace(text).await;
        }
        let body = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": STATUS},
            "data": {"status": text},
        });
        let params = PatchParams::apply("oxia-coordinator").force();
        let config_maps = self.config_maps().await;
        let written = config_maps
            .patch(STATUS, &params, &Patch::Apply(body))
            .await;
        written.expect("an administrator can write");
    }

    async fn replace(&self, text: &str) {
        let config_maps = self.config_maps().await;
        let mut object: ConfigMap = serde_json::from_value(json!({
            "metadata": {"name": STATUS},
            "data": {"status": text},
        }))
        .expect("it is a ConfigMap");
        let params = PostParams::default();
        let there = config_maps.get_opt(STATUS).await.expect("it can be read");
        let written = match there {
            Some(there) => {
                object.metadata.resource_version = there.metadata.resource_version;
                config_maps.replace(STATUS, &params, &object).await
            }
            None => config_maps.create(&params, &object).await,
        };
        written.expect("an administrator can write");
    }

    async fn merge(&self, body: Value) {
        let config_maps = self.config_maps().await;
        let params = PatchParams::default();
        let merged = config_maps
            .patch(STATUS, &params, &Patch::Merge(body))
            .await;
        merged.expect("an administrator can write");
    }

    async fn hold(&self, injected: Injected) {
        *self.held.lock().await = Some(injected);
    }

    async fn deliver(&self) {
        let held = self.held.lock().await.take();
        held.expect("a store is held").deliver().await;
    }
}

fn writes() -> Requests {
    Requests::of(Kind::Status).verbs(&Verb::WRITES)
}

#[async_trait]
impl Cluster for ConfigMaps {
    async fn coordinator(&self, name: &str) -> Backend {
        let kubeconfig = self.namespace.access(self.proxy.url()).kubeconfig();
        let kubeconfig: Kubeconfig =
            serde_json::from_value(kubeconfig).expect("it is a kubeconfig file");
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let clients = Clients::new(config.expect("it can be used")).expect("clients can be made");
        let options = ConfigMapOptions {
            namespace: self.namespace.name().to_owned(),
            status_name: STATUS.to_owned(),
            config_name: CONFIG.to_owned(),
            layout: self.layout,
            initialize_empty_status: false,
            flaps: FlapLimit::default(),
        };
        let opened = configmap::open_at(&options, &candidate(name), &clients);
        opened.expect("it can be opened")
    }

    async fn overwrite(&self, status: ClusterStatus) {
        self.write(&status.encode()).await;
    }

    async fn corrupt(&self) -> Outcome {
        self.write("namespaces: [\n").await;
        Ok(())
    }

    async fn delete(&self) -> Outcome {
        let config_maps = self.config_maps().await;
        let deleted = config_maps.delete(STATUS, &DeleteParams::default()).await;
        deleted.expect("an administrator can delete");
        Ok(())
    }

    async fn configure(&self, text: Option<&str>) {
        let config_maps = self.config_maps().await;
        let Some(text) = text else {
            let deleted = config_maps.delete(CONFIG, &DeleteParams::default()).await;
            deleted.expect("an administrator can delete");
            return;
        };
        let body = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG},
            "data": {"config.yaml": text},
        });
        let params = PatchParams::apply("administrator").force();
        let written = config_maps
            .patch(CONFIG, &params, &Patch::Apply(body))
            .await;
        written.expect("an administrator can write");
    }

    fn many(&self) -> usize {
        200
    }

    fn is_over_a_network(&self) -> bool {
        true
    }

    async fn fail_store(&self, failure: Failure) -> Outcome {
        let fault = match failure {
            Failure::Applied => Fault::CutAfterSending,
            Failure::Late => Fault::Hold,
            Failure::Lost => Fault::Drop,
            Failure::Conflict
            | Failure::Corrupt
            | Failure::Forbidden
            | Failure::Invalid
            | Failure::TooLarge
            | Failure::Unavailable => {
                return Err(NotApplicable("over a network a conflict is never definite"));
            }
        };
        self.hold(self.proxy.strike_next(1, writes(), fault)).await;
        Ok(())
    }

    async fn deliver_late(&self) -> Outcome {
        self.deliver().await;
        Ok(())
    }

    async fn fail_read(&self) -> Outcome {
        let reads = Requests::of(Kind::Status).verbs(&[Verb::Get]);
        let answer = Answer::status(503, "ServiceUnavailable", "made to fail");
        self.proxy.strike_next(1, reads, Fault::Answer(answer));
        Ok(())
    }

    async fn hold_stores(&self) -> Outcome {
        self.hold(self.proxy.strike_all(writes(), Fault::Hold))
            .await;
        Ok(())
    }

    async fn store_held(&self) -> Outcome {
        let held = self.held.lock().await;
        held.as_ref().expect("stores are held").hit().await;
        Ok(())
    }

    async fn resume_stores(&self) -> Outcome {
        self.proxy.clear().await;
        self.deliver().await;
        Ok(())
    }

    async fn take_away(&self) -> Outcome {
        let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
            Api::namespaced(self.api.admin().await, self.namespace.name());
        let body = json!({"spec": {
            "holderIdentity": "thief",
            "renewTime": "2026-01-01T00:00:00.000000Z",
        }});
        let params = PatchParams::default();
        let stolen = leases.patch(STATUS, &params, &Patch::Merge(body)).await;
        stolen.expect("an administrator can write");
        Ok(())
    }

    async fn kill(&self, coordinator: Backend) {
        drop(coordinator);
    }

    async fn empty(&self) -> Outcome {
        self.write("").await;
        Ok(())
    }

    async fn cut(&self, _: usize) -> Outcome {
        Err(NotApplicable("objects are written whole"))
    }

    async fn edit(&self, from: &str, to: &str) -> Outcome {
        let object = self.present().await;
        let text = object.data.as_ref().and_then(|data| data.get("status"));
        let Some(text) = text else {
            return Err(NotApplicable("what is compressed is not edited"));
        };
        self.merge(json!({"data": {"status": text.replace(from, to)}}))
            .await;
        Ok(())
    }
}
