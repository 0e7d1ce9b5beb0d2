//! The port on which the other nodes reach this one.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use stepdown_wire::port::Listener;
use stepdown_wire::tls::{HTTP2, TlsOptions, server_config};
use tokio::net::lookup_host;
use tracing::warn;

use super::error::StartError;

/// Listens there. A name need not be known yet, or lead straight here: the others may reach it by
/// ways that this host does not see.
pub(super) async fn listen(
    address: &str,
    tls: Option<&TlsOptions>,
) -> Result<Listener, StartError> {
    let tls = tls.map(|options| server_config(options, HTTP2));
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
    match lookup_host(address).await {
        Ok(found) => leads_nowhere(address, found.map(|it| it.ip())),
        Err(_) => false,
    }
}

fn leads_nowhere(address: &str, found: impl IntoIterator<Item = IpAddr>) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let is_number = host.is_empty() || address.parse::<SocketAddr>().is_ok();
    let is_localhost = host.trim_end_matches('.').eq_ignore_ascii_case("localhost");
    let mut found = found.into_iter().peekable();
    !is_number && !is_localhost && found.peek().is_some() && found.all(|it| it.is_loopback())
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
    fn a_name_that_leads_to_loopback_alone_leads_nowhere_but_localhost_is_meant() {
        for (address, found, is_nowhere) in [
            ("node-1:6652", &["127.0.1.1"][..], true),
            ("node-1:6652", &["127.0.0.1", "::1"], true),
            ("node-1:6652", &["127.0.1.1", "10.0.0.1"], false),
            ("node-1:6652", &["10.0.0.1"], false),
            ("node-1:6652", &[], false),
            ("LOCALHOST.:6652", &["127.0.0.1"], false),
            ("127.0.0.1:6652", &["127.0.0.1"], false),
            ("[::1]:6652", &["::1"], false),
            (":6652", &["127.0.0.1"], false),
        ] {
            let found = found.iter().map(|it| it.parse().unwrap());
            assert_eq!(leads_nowhere(address, found), is_nowhere, "{address}");
        }
    }
}
