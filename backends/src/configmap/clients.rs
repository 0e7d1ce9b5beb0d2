//! The ways to the API server. Leadership, the document and watches have connections of their own,
//! so that none waits for another.

use std::io::ErrorKind;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::config::{KubeConfigOptions, KubeconfigError};
use kube::{Client, Config};

use super::error::ConfigMapError;

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("stepdown/", env!("CARGO_PKG_VERSION")));
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// Clients of one API server.
#[derive(Clone)]
pub struct Clients {
    /// For the Lease.
    pub(crate) lease: Client,
    /// For the status document.
    pub(crate) store: Client,
    /// For watches, and what is read beside them.
    pub(crate) watch: Client,
}

impl Clients {
    /// Finds the API server as upstream's coordinator does: by the kubeconfig file that
    /// `KUBECONFIG` names, or `~/.kube/config`, or else by the service account of the pod.
    pub(crate) async fn infer() -> Result<Self, ConfigMapError> {
        Self::new(find().await?)
    }

    /// Clients of the API server that a configuration names; must be called within a runtime.
    /// Tokens in files are read again while they are used.
    pub fn new(config: Config) -> Result<Self, ConfigMapError> {
        let client = || {
            let mut config = config.clone();
            // A write that was sent twice unasked would be refused the second time, and nobody
            // would know of the first.
            config.default_retry = false;
            config.connect_timeout = Some(CONNECT);
            // Watches are silent for long; every other request has its own limit.
            config.read_timeout = None;
            config.write_timeout = None;
            config.headers.push((USER_AGENT, AGENT));
            Client::try_from(config).map_err(|error| ConfigMapError::Client(Box::new(error)))
        };
        Ok(Self {
            lease: client()?,
            store: client()?,
            watch: client()?,
        })
    }
}

async fn find() -> Result<Config, ConfigMapError> {
    let kubeconfig = match Config::from_kubeconfig(&KubeConfigOptions::default()).await {
        Ok(config) => return Ok(config),
        Err(error) if is_absent(&error) => Box::new(error),
        Err(error) => return Err(ConfigMapError::Kubeconfig(Box::new(error))),
    };
    let mut config = Config::incluster().map_err(|in_cluster| ConfigMapError::NoServer {
        kubeconfig,
        in_cluster: Box::new(in_cluster),
    })?;
    // A pod's HTTPS_PROXY is for what is outside of the cluster.
    config.proxy_url = None;
    Ok(config)
}

/// Whether there is no file at all. One that is there and can't be used is not passed over, lest a
/// coordinator serve another cluster than the one that was meant.
fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath | KubeconfigError::CurrentContextNotSet => true,
        // In a container, somebody else's home directory may be the one that is looked in.
        KubeconfigError::ReadConfig(error, _) => matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
        ),
        KubeconfigError::KindMismatch
        | KubeconfigError::ApiVersionMismatch
        | KubeconfigError::LoadContext(_)
        | KubeconfigError::LoadClusterOfContext(_)
        | KubeconfigError::Parse(_)
        | KubeconfigError::MissingClusterUrl
        | KubeconfigError::ParseClusterUrl(_)
        | KubeconfigError::ParseProxyUrl(_)
        | KubeconfigError::LoadCertificateAuthority(_)
        | KubeconfigError::LoadClientCertificate(_)
        | KubeconfigError::LoadClientKey(_)
        | KubeconfigError::ParseCertificates(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_kubeconfig_that_is_there_and_broken_is_not_passed_over() {
        let unreadable = |kind: ErrorKind| {
            let path = PathBuf::from("/root/.kube/config");
            is_absent(&KubeconfigError::ReadConfig(io::Error::from(kind), path))
        };
        assert!(unreadable(ErrorKind::NotFound));
        assert!(unreadable(ErrorKind::PermissionDenied));
        assert!(!unreadable(ErrorKind::InvalidData));
        assert!(is_absent(&KubeconfigError::CurrentContextNotSet));
        assert!(!is_absent(&KubeconfigError::MissingClusterUrl));
        assert!(!is_absent(&KubeconfigError::LoadContext("x".to_owned())));
    }
}
