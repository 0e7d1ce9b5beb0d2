//! The port on which the other nodes reach this one.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use stepdown_wire::port::Listener;
use stepdown_wire::tls::{HTTP2, ServerTls, TlsOptions};
use tokio::net::lookup_host;
use tracing::warn;

use super::error::StartError;

/// Listens there. A name need not be known yet, or lead straight here: the others may reach it by
/// ways that this host does not see.
pub(super) async fn listen(
    address: &str,
    tls: Option<&TlsOptions>,
) -> Result<Listener, StartError> {
    let tls = tls.map(|options| ServerTls::new(options, HTTP2));
    let tls = tls.transpose().map_err(StartError::Tls)?;
    let open = async |address: &str| Listener::open(address, tls.clone()).await;
    if is_loopback_of_a_name(address).await {
        warn!(
            address,
            "The Raft address is a name that leads only to loopback here, where the other nodes \
             can't reach it; listening on every interface"
        );
        return open(everywhere(address))
            .await
            .map_err(|error| failed(address, error));
    }
    let opened = match open(address).await {
        Err(error) if leads_elsewhere(address, &error) => {
            warn!(
                address,
                error = &error as &dyn std::error::Error,
                "The Raft address is not one of this host's as far as it knows; listening on every \
                 interface"
            );
            open(everywhere(address)).await
        }
        opened => opened,
    };
    opened.map_err(|error| failed(address, error))
}

fn failed(address: &str, error: io::Error) -> StartError {
    StartError::Listen {
        address: address.to_owned(),
        error,
    }
}

/// Whether it is this host's name, and leads to itself alone, as Debian writes it into `/etc/hosts`.
async fn is_loopback_of_a_name(address: &str) -> bool {
    let system = rustix::system::uname();
    let own = system.nodename().to_str().unwrap_or_default();
    match lookup_host(address).await {
        Ok(found) => is_own(address, own) && leads_nowhere(found.map(|it| it.ip())),
        Err(_) => false,
    }
}

/// Whether this is the host's own name, with its domain or without. Where that is localhost, that is
/// meant.
fn is_own(address: &str, own: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let first = |name: &str| {
        let first = name.split('.').next().unwrap_or_default();
        first.to_ascii_lowercase()
    };
    let is_number = host.is_empty() || address.parse::<SocketAddr>().is_ok();
    !is_number && first(host) == first(own) && first(host) != "localhost"
}

fn leads_nowhere(found: impl IntoIterator<Item = IpAddr>) -> bool {
    let mut found = found.into_iter().peekable();
    found.peek().is_some() && found.all(|it| it.is_loopback())
}

/// Whether it is a name that can't be resolved, or is another host's address here.
fn leads_elsewhere(address: &str, error: &io::Error) -> bool {
    let is_name = address.parse::<SocketAddr>().is_err();
    let is_taken = matches!(
        error.kind(),
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied | ErrorKind::InvalidInput
    );
    is_name && !is_taken
}

/// The port alone, with its colon.
fn everywhere(address: &str) -> &str {
    let colon = address.rfind(':').unwrap_or(0);
    address.get(colon..).unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_own_name_is_looked_at() {
        for (address, is_its_own) in [
            ("node-1:6652", true),
            ("NODE-1.example.org.:6652", true),
            ("node-2:6652", false),
            ("localhost:6652", false),
            ("127.0.0.1:6652", false),
            ("[::1]:6652", false),
            (":6652", false),
        ] {
            assert_eq!(is_own(address, "node-1"), is_its_own, "{address}");
        }
        assert!(!is_own("localhost:6652", "localhost"));
    }

    #[test]
    fn a_name_leads_nowhere_if_all_its_addresses_are_loopback() {
        for (found, is_nowhere) in [
            (&["127.0.1.1"][..], true),
            (&["127.0.0.1", "::1"], true),
            (&["127.0.1.1", "10.0.0.1"], false),
            (&["10.0.0.1"], false),
            (&[], false),
        ] {
            let addresses = found.iter().map(|it| it.parse().unwrap());
            assert_eq!(leads_nowhere(addresses), is_nowhere, "{found:?}");
        }
    }
}
