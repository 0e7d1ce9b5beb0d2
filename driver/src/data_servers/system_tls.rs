//! What `tls://` before an address means: TLS 1.2 or newer, the system's authorities, no
//! certificate of our own.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::address::Address;
use super::dial_error::DialError;
use super::tcp;
use stepdown_wire::tls::HTTP2;

/// Reads the system's authorities once, when they are first needed.
#[derive(Default)]
pub(super) struct SystemTls(OnceCell<Arc<ClientConfig>>);

impl SystemTls {
    pub async fn connect(&self, address: &Address) -> Result<TlsStream<TcpStream>, DialError> {
        let name = ServerName::try_from(address.host.to_string()).map_err(DialError::tls)?;
        let config = self.0.get_or_try_init(read).await?;
        let stream = tcp::connect(address).await?;
        let connector = TlsConnector::from(Arc::clone(config));
        connector
            .connect(name, stream)
            .await
            .map_err(DialError::tls)
    }
}

async fn read() -> Result<Arc<ClientConfig>, DialError> {
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
        .await
        .map_err(DialError::tls)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(DialError::NoAuthorities);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(DialError::tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(Arc::new(config))
}
