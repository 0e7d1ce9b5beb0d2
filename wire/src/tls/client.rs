//! TLS towards peers.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::BoxFuture;
use tower::Service;

use super::alpn::HTTP2;
use super::authorities::Authorities;
use super::certificate::Certificate;
use super::error::TlsError;
use super::followed::{Followed, Reread};
use super::options::TlsOptions;
use super::refused::Refused;
use super::suites::{provider, versions};
use super::trust::Source;
use crate::host::bare;
use crate::reach::{Limits, Reached, reach, silent};

/// Connects over TLS; for `Endpoint::connect_with_connector`, whose URI keeps the
/// scheme `http`.
#[derive(Clone)]
pub struct Connector {
    tls: ClientTls,
    server_name: Option<ServerName<'static>>,
    limits: Limits,
}

impl Connector {
    /// Reads the files of the options, and again for each handshake.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(options)?);
        let certificate = Arc::new(Certificate::open(options, &provider)?);
        let mut files: Vec<Arc<dyn Reread>> = vec![Arc::clone(&certificate) as _];
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(options.versions))
            .map_err(TlsError::unfit)?;
        let builder = if options.insecure_skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName(provider)))
        } else {
            let source = Source::of(options.trusted_ca_file.clone(), options.crl_file.clone())?;
            let verifier = Arc::new(verifier(source, provider)?);
            files.push(Arc::clone(&verifier) as _);
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
        };
        let mut config = builder.with_client_cert_resolver(certificate);
        config.alpn_protocols = vec![HTTP2.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self {
            tls: ClientTls {
                config: Arc::new(config),
                followed: Followed::new(files),
            },
            server_name: server_name(options.server_name.clone())?,
            limits: Limits::default(),
        })
    }

    /// Shows no certificate. Whoever answers needs one of these authorities, or of the system's, for this
    /// name, or the host's.
    pub fn without_certificate(
        trusted_ca_file: Option<PathBuf>,
        expected_name: Option<String>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            tls: ClientTls::without_certificate(Source::of(trusted_ca_file, None)?, HTTP2)?,
            server_name: server_name(expected_name)?,
            limits: Limits::default(),
        })
    }

    /// The same, where each part of the way may take so long.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let host = bare(uri.host().unwrap_or_default());
        let name = match self.server_name {
            Some(name) => name,
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        let reached = reach(host, uri.port_u16().unwrap_or(443), self.limits).await?;
        let stream = self.tls.connect(name, reached, self.limits.handshake);
        Ok(TokioIo::new(stream.await?))
    }
}

/// A client's side of TLS, which follows its files.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    followed: Followed,
}

impl ClientTls {
    /// TLS towards whoever shows a certificate that the system trusts, without a certificate of our own. It
    /// speaks `protocol` within.
    pub fn of_system(protocol: &[u8]) -> Result<Self, TlsError> {
        Self::without_certificate(Source::System, protocol)
    }

    fn without_certificate(source: Source, protocol: &[u8]) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(verifier(source, Arc::clone(&provider))?);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::unfit)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as _)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self {
            config: Arc::new(config),
            followed: Followed::new([verifier as _]),
        })
    }

    /// Agrees upon TLS with whoever was reached, within `limit`; where that fails, other addresses come first
    /// at the next try.
    pub async fn connect(
        &self,
        name: ServerName<'static>,
        reached: Reached,
        limit: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        self.followed.follow().await;
        let Reached { stream, attempt } = reached;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = timeout(limit, connector.connect(name, stream)).await;
        let stream = stream
            .map_err(|_| silent("no answer to the TLS handshake".to_owned(), limit))?
            .map_err(Refused::told)?;
        attempt.succeeded();
        Ok(stream)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

fn server_name(name: Option<String>) -> Result<Option<ServerName<'static>>, TlsError> {
    let name = name.map(ServerName::try_from).transpose();
    name.map_err(TlsError::unfit)
}

fn verifier(
    source: Source,
    provider: Arc<CryptoProvider>,
) -> Result<Authorities<WebPkiServerVerifier>, TlsError> {
    Authorities::open(source, move |trusted| {
        let provider = Arc::clone(&provider);
        let builder = WebPkiServerVerifier::builder_with_provider(trusted.store, provider);
        builder.with_crls(trusted.revocations).build()
    })
}

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.last_good())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// `insecureSkipVerify`: whoever answers is believed. The handshake itself is still checked.
#[derive(Debug)]
struct AnyName(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let supported = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, supported)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let supported = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, supported)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
