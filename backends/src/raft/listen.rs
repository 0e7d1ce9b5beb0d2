//! The port on which the other nodes reach this one.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use stepdown_wire::port::Listener;
use stepdown_wire::tls::{HTTP2, TlsOptions, server_config};
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
    opened.map_err(|error| StartError::Listen {
        address: address.to_owned(),
        error,
    })
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
