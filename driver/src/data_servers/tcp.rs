//! The TCP connection beneath HTTP/2, with or without TLS between them.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::address::Address;
use super::dial_error::DialError;

/// Connects to the first of the host's addresses that answers.
pub(super) async fn connect(address: &Address) -> Result<TcpStream, DialError> {
    let failed = |error| DialError::Tcp(Arc::new(error));
    let stream = TcpStream::connect(&*address.authority)
        .await
        .map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}
