//! The way to an address.

use std::time::Duration;

use stepdown_wire::reach::Plain;
use stepdown_wire::tls::Connector;
use tonic::transport::{Channel, Endpoint};

use super::call_error::CallError;

/// A silent connection is asked for a sign of life so often.
const PING_EVERY: Duration = Duration::from_secs(2);
/// It is given up when none has come after this.
const PING_DEADLINE: Duration = Duration::from_secs(2);

/// A connection to this address, over TLS or in plaintext. It is opened when it is needed, and
/// again when it was lost; `within` is for name resolution, TCP and TLS.
pub(in crate::raft) fn dial(
    address: &str,
    tls: Option<&Connector>,
    within: Duration,
) -> Result<Channel, CallError> {
    let unfit = || CallError::Address {
        address: address.to_owned(),
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| unfit())?;
    if endpoint.uri().port().is_none() || endpoint.uri().path() != "/" {
        return Err(unfit());
    }
    let endpoint = endpoint
        .connect_timeout(within)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_DEADLINE)
        .keep_alive_while_idle(true);
    Ok(match tls {
        Some(connector) => endpoint.connect_with_connector_lazy(connector.clone()),
        None => endpoint.connect_with_connector_lazy(Plain::default()),
    })
}
