//! What `tls://` before an address means: TLS 1.2 or newer, the system's authorities, no
//! certificate of our own.

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::client::TlsStream;

use super::address::Address;
use super::dial_error::DialError;
use super::tcp;
use stepdown_wire::reach::Limits;
use stepdown_wire::tls::{ClientTls, HTTP2};

/// Reads the system's authorities when they are first needed, and follows them.
#[derive(Default)]
pub(super) struct SystemTls(OnceCell<ClientTls>);

impl SystemTls {
    pub async fn connect(
        &self,
        address: &Address,
        limits: Limits,
    ) -> Result<TlsStream<TcpStream>, DialError> {
        let name = ServerName::try_from(address.host.to_string()).map_err(DialError::tls)?;
        let tls = self.0.get_or_try_init(read).await?;
        let reached = tcp::connect(address, limits).await?;
        tls.connect(name, reached, limits.handshake)
            .await
            .map_err(DialError::tls)
    }
}

async fn read() -> Result<ClientTls, DialError> {
    tokio::task::spawn_blocking(|| ClientTls::of_system(HTTP2))
        .await
        .map_err(DialError::tls)?
        .map_err(DialError::tls)
}
