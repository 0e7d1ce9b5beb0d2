//! Where the API server is, and how it is reached.

use std::io::ErrorKind;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, NamedCluster, NamedContext};

use stepdown_wire::host::bare;

use super::error::ConfigMapError;

/// Finds the API server as upstream's coordinator does: by the kubeconfig file that `KUBECONFIG` names,
/// or `~/.kube/config`, or else by the service account of the pod.
pub(super) async fn find() -> Result<Config, ConfigMapError> {
    let kubeconfig = match by_kubeconfig().await {
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

async fn by_kubeconfig() -> Result<Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::read()?;
    let named = proxy_url(&kubeconfig);
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    config.proxy_url = match named {
        Some(named) => Some(with_scheme(&named).map_err(KubeconfigError::ParseProxyUrl)?),
        None => Surroundings::of_this_process()
            .proxy_to(&config.cluster_url)
            .map_err(KubeconfigError::ParseProxyUrl)?,
    };
    Ok(config)
}

/// The proxy that a kubeconfig file names for its cluster.
fn proxy_url(kubeconfig: &Kubeconfig) -> Option<String> {
    let current = kubeconfig.current_context.as_ref()?;
    let is_current = |named: &&NamedContext| named.name == *current;
    let context = kubeconfig.contexts.iter().find(is_current)?;
    let name = &context.context.as_ref()?.cluster;
    let is_its_own = |named: &&NamedCluster| named.name == *name;
    let cluster = kubeconfig.clusters.iter().find(is_its_own)?;
    let url = cluster.cluster.as_ref()?.proxy_url.clone();
    url.filter(|url| !url.is_empty())
}

/// What the surroundings say of proxies, as kubectl reads it: a kubeconfig file that names one itself has
/// the last word.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    http: String,
    https: String,
    no: String,
}

impl Surroundings {
    fn of_this_process() -> Self {
        let variable = |name: &str| {
            let lower = || std::env::var(name.to_ascii_lowercase());
            let said = std::env::var(name).ok().filter(|it| !it.is_empty());
            said.or_else(|| lower().ok()).unwrap_or_default()
        };
        Self {
            http: variable("HTTP_PROXY"),
            https: variable("HTTPS_PROXY"),
            no: variable("NO_PROXY"),
        }
    }

    /// The proxy to a server, if it is to be reached by one.
    fn proxy_to(&self, server: &Uri) -> Result<Option<Uri>, http::uri::InvalidUri> {
        let proxy = match server.scheme_str() {
            Some("https") => &self.https,
            Some(_) | None => &self.http,
        };
        let mut exceptions = self.no.split(',').map(str::trim);
        if proxy.is_empty() || is_loopback(server) || exceptions.any(|it| it == "*") {
            return Ok(None);
        }
        let matcher = Matcher::builder()
            .http("http://proxy")
            .https("http://proxy")
            .no(of_port(&self.no, server))
            .build();
        match matcher.intercept(server) {
            Some(_) => with_scheme(proxy).map(Some),
            None => Ok(None),
        }
    }
}

/// Nothing on this host is reached by a proxy.
fn is_loopback(server: &Uri) -> bool {
    let host = bare(server.host().unwrap_or_default());
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Those exceptions that are for the server's port, or for all.
fn of_port(exceptions: &str, server: &Uri) -> String {
    let default = if server.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = server.port_u16().unwrap_or(default).to_string();
    let all = exceptions.split(',').map(str::trim);
    let all = all.filter(|exception| !exception.is_empty());
    // As before a name alone.
    let all = all.map(|exception| exception.strip_prefix('*').unwrap_or(exception));
    let kept = all.filter_map(|exception| {
        match exception.rsplit_once(':') {
            // An IPv6 address has more colons, and no port without brackets.
            Some((host, of)) if !host.contains(':') || host.ends_with(']') => {
                (of == port).then(|| bare(host))
            }
            Some(_) | None => Some(exception),
        }
    });
    kept.collect::<Vec<_>>().join(",")
}

/// A proxy without a scheme speaks HTTP.
fn with_scheme(proxy: &str) -> Result<Uri, http::uri::InvalidUri> {
    if proxy.contains("://") {
        proxy.parse()
    } else {
        format!("http://{proxy}").parse()
    }
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
        | KubeconfigError::ParseNoProxy(_)
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

    fn proxy(no: &str, server: &str) -> Option<String> {
        let surroundings = Surroundings {
            https: "proxy.example:3128".to_owned(),
            no: no.to_owned(),
            ..Surroundings::default()
        };
        let proxy = surroundings.proxy_to(&server.parse().unwrap()).unwrap();
        proxy.map(|proxy| proxy.to_string())
    }

    #[test]
    fn an_api_server_is_reached_by_the_proxy_of_the_surroundings_unless_that_is_excepted() {
        const SERVER: &str = "https://api.k8s.example:6443";
        const NUMBER: &str = "https://10.1.2.3:6443";
        for (no, server, is_proxied) in [
            ("", SERVER, true),
            ("", NUMBER, true),
            ("api.k8s.example", SERVER, false),
            ("k8s.example", SERVER, false),
            (".k8s.example", SERVER, false),
            ("other.example, k8s.example,", SERVER, false),
            ("other.example", SERVER, true),
            ("*", SERVER, false),
            ("*", NUMBER, false),
            ("*.k8s.example", SERVER, false),
            ("*.other.example", SERVER, true),
            ("10.1.0.0/16", NUMBER, false),
            ("10.2.0.0/16", NUMBER, true),
            ("10.1.2.3", NUMBER, false),
            ("10.1.2.3:6443", NUMBER, false),
            ("10.1.2.3:443", NUMBER, true),
            ("", "https://localhost:6443", false),
            ("", "https://127.0.0.1:6443", false),
            ("", "https://[::1]:6443", false),
            // It is for https alone.
            ("", "http://api.k8s.example", false),
        ] {
            let expected = is_proxied.then(|| "http://proxy.example:3128/".to_owned());
            assert_eq!(proxy(no, server), expected, "{server} but for {no}");
        }
    }

    #[test]
    fn a_kubeconfig_that_names_a_proxy_names_it_for_its_own_cluster() {
        let kubeconfig = Kubeconfig::from_yaml(
            "\
current-context: b
contexts:
  - {name: a, context: {cluster: one}}
  - {name: b, context: {cluster: two}}
clusters:
  - {name: one, cluster: {server: 'https://one', proxy-url: 'http://of-one:1'}}
  - {name: two, cluster: {server: 'https://two', proxy-url: 'socks5://of-two:2'}}
",
        );
        let named = proxy_url(&kubeconfig.unwrap());
        assert_eq!(named.as_deref(), Some("socks5://of-two:2"));
    }
}
