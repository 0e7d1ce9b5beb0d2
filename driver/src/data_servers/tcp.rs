//! The TCP connection beneath HTTP/2, with or without TLS between them.

use std::sync::Arc;

use stepdown_wire::reach::{Limits, Reached, reach};

use super::address::Address;
use super::dial_error::DialError;

/// Connects to the first of the host's addresses that answers.
pub(super) async fn connect(address: &Address, limits: Limits) -> Result<Reached, DialError> {
    let port = address.origin.port_u16().unwrap_or_default();
    reach(&address.host, port, limits)
        .await
        .map_err(|error| DialError::Tcp(Arc::new(error)))
}
