//! TLS of the ports.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::authorities::Authorities;
use super::certificate::Certificate;
use super::error::TlsError;
use super::followed::{Followed, Reread};
use super::options::TlsOptions;
use super::refused::Refused;
use super::suites::{provider, versions};
use super::trust::Source;

/// A server's side of TLS, which follows its files.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    followed: Followed,
}

impl ServerTls {
    /// Reads the files of the options, and again for each handshake; within, `protocol` is spoken.
    pub fn new(options: &TlsOptions, protocol: &[u8]) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(options)?);
        let certificate = Arc::new(Certificate::open(options, &provider)?);
        let mut files: Vec<Arc<dyn Reread>> = vec![Arc::clone(&certificate) as _];
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(options.versions))
            .map_err(TlsError::unfit)?;
        let source = Source::of(options.trusted_ca_file.clone(), options.crl_file.clone())?;
        let builder = match source {
            Source::File { .. } => {
                let verifier = Arc::new(verifier(source, options.client_auth, provider)?);
                files.push(Arc::clone(&verifier) as _);
                builder.with_client_cert_verifier(verifier)
            }
            Source::System => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(certificate);
        config.alpn_protocols = vec![protocol.to_vec()];
        // Who resumes shows no certificate again, though its authority may be trusted no more.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            followed: Followed::new(files),
        })
    }

    /// Agrees upon TLS with whoever has connected.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        // Whoever says nothing has nothing read.
        self.followed.follow().await;
        let agreed = begun.into_stream(Arc::clone(&self.config)).await;
        agreed.map_err(Refused::told)
    }
}

/// One that is as it is.
impl From<Arc<ServerConfig>> for ServerTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self {
            config,
            followed: Followed::default(),
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

fn verifier(
    source: Source,
    is_mandatory: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Authorities<dyn ClientCertVerifier>, TlsError> {
    Authorities::open(source, move |trusted| {
        let provider = Arc::clone(&provider);
        let verifier = WebPkiClientVerifier::builder_with_provider(trusted.store, provider);
        let verifier = verifier.with_crls(trusted.revocations);
        let verifier = if is_mandatory {
            verifier
        } else {
            verifier.allow_unauthenticated()
        };
        verifier.build()
    })
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.last_good())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::generate_simple_self_signed;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tokio::net::TcpListener;
    use tower::Service;

    use super::super::alpn::HTTP2;
    use super::super::client::Connector;
    use super::*;

    #[tokio::test]
    async fn a_pipe_in_the_place_of_a_certificate_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(at("cert"), pair.cert.pem()).unwrap();
        fs::write(at("authority"), pair.cert.pem()).unwrap();
        fs::write(at("key"), pair.signing_key.serialize_pem()).unwrap();
        let options = TlsOptions::new(at("cert"), at("key"));
        let tls = ServerTls::new(&options, HTTP2).unwrap();
        // Whoever opens a pipe to read it waits for somebody who writes.
        fs::remove_file(at("cert")).unwrap();
        mknodat(CWD, at("cert"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://localhost:{}", port.local_addr().unwrap().port());
        let mut connector = Connector::without_certificate(Some(at("authority")), None).unwrap();
        let connecting = connector.call(uri.parse().unwrap());
        let accepting = async { tls.accept(port.accept().await.unwrap().0).await };
        let (connected, accepted) = tokio::join!(connecting, accepting);
        connected.unwrap();
        accepted.unwrap();
    }
}
