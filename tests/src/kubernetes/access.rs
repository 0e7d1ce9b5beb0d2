use std::path::PathBuf;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

/// Where an API server is, and as whom to speak to it.
#[derive(Clone, Debug)]
pub struct Access {
    /// Its URL, or its proxy's.
    pub server: String,
    /// The file of the certificate that it has signed for itself.
    pub ca: PathBuf,
    /// The bearer token.
    pub token: Option<String>,
    /// The namespace that is meant where none is named.
    pub namespace: String,
}

impl Access {
    /// A client; it never repeats a request by itself.
    pub async fn client(&self) -> Client {
        self.try_client().await.expect("a client can be made")
    }

    pub(super) async fn try_client(&self) -> Result<Client, Box<dyn std::error::Error>> {
        let kubeconfig: Kubeconfig = serde_json::from_value(self.kubeconfig())?;
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        config.default_retry = false;
        // The environment may name one; nothing leaves this machine.
        config.proxy_url = None;
        Ok(Client::try_from(config)?)
    }

    /// The same for other programs: the text of a kubeconfig file.
    pub fn kubeconfig(&self) -> serde_json::Value {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {
                "cluster": "test", "user": "test", "namespace": self.namespace,
            }}],
            "clusters": [{"name": "test", "cluster": {
                "server": self.server, "certificate-authority": self.ca,
            }}],
            "users": [{"name": "test", "user": {"token": self.token}}],
        })
    }
}
