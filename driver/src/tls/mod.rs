//! TLS of the ports, and towards data servers. The certificate is read anew for every handshake,
//! so that it can be renewed without a restart.

mod client;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tracing::warn;

pub use client::Connector;

use crate::options::{TlsOptions, TlsVersions};

/// The name of HTTP/2 in a handshake.
pub(super) const HTTP2: &[u8] = b"h2";
/// The name of HTTP/1.1 in a handshake.
pub(super) const HTTP1: &[u8] = b"http/1.1";

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or holds no PEM of the kind that is needed.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// None of the listed suites is supported, and TLS 1.3 is off.
    #[error("cipherSuites lists no suite that is supported; leave it out to use all safe ones")]
    NoSuite,
    /// The parts don't fit.
    #[error("{0}")]
    Unfit(String),
}

/// A server's side of TLS, speaking `protocol` within.
pub fn server_config(options: &TlsOptions, protocol: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(provider(options)?);
    let certificate = Certificate::open(options, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(options.versions))
        .map_err(unfit)?;
    let builder = match &options.trusted_ca_file {
        Some(path) => {
            let authorities = Arc::new(authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider);
            let verifier = if options.client_auth {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            builder.with_client_cert_verifier(verifier.build().map_err(unfit)?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

/// The listed suites restrict TLS 1.2 only, as in Go.
fn provider(options: &TlsOptions) -> Result<CryptoProvider, TlsError> {
    let mut provider = ring::default_provider();
    if options.cipher_suites.is_empty() {
        return Ok(provider);
    }
    provider.cipher_suites.retain(|suite| {
        suite.version().version == ProtocolVersion::TLSv1_3
            || options.cipher_suites.contains(&u16::from(suite.suite()))
    });
    let any_tls12 = provider
        .cipher_suites
        .iter()
        .any(|suite| suite.version().version == ProtocolVersion::TLSv1_2);
    match options.versions {
        TlsVersions::OnlyTls12 if !any_tls12 => Err(TlsError::NoSuite),
        TlsVersions::Both | TlsVersions::OnlyTls12 | TlsVersions::OnlyTls13 => Ok(provider),
    }
}

fn versions(versions: TlsVersions) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static ONLY_TLS12: [&SupportedProtocolVersion; 1] = [&TLS12];
    static ONLY_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match versions {
        TlsVersions::Both => &BOTH,
        TlsVersions::OnlyTls12 => &ONLY_TLS12,
        TlsVersions::OnlyTls13 => &ONLY_TLS13,
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store
            .add(certificate)
            .map_err(|error| in_file(path, error))?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = fs::read(path).map_err(|error| in_file(path, error))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| in_file(path, error))?;
    if certificates.is_empty() {
        return Err(in_file(path, "there is no CERTIFICATE in it"));
    }
    Ok(certificates)
}

/// A certificate that follows its files.
#[derive(Debug)]
struct Certificate {
    options: TlsOptions,
    provider: Arc<CryptoProvider>,
    last_good: Mutex<Arc<CertifiedKey>>,
}

impl Certificate {
    fn open(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        Ok(Self {
            last_good: Mutex::new(read_pair(options, provider)?),
            options: options.clone(),
            provider: Arc::clone(provider),
        })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.newest())
    }
}

impl Certificate {
    /// Between the writes of a certificate and its key the pair does not fit: the last good one
    /// serves on.
    fn newest(&self) -> Arc<CertifiedKey> {
        let mut last_good = self
            .last_good
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match read_pair(&self.options, &self.provider) {
            Ok(pair) => *last_good = pair,
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "Can't read the certificate; the last good one is used"
            ),
        }
        Arc::clone(&last_good)
    }
}

fn read_pair(
    options: &TlsOptions,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(&options.cert_file)?;
    let path = &options.key_file;
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| in_file(path, error))?;
    let pair = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        TlsError::Unfit(format!(
            "{} and {}: {error}",
            options.cert_file.display(),
            path.display()
        ))
    })?;
    Ok(Arc::new(pair))
}

fn in_file(path: &Path, reason: impl ToString) -> TlsError {
    TlsError::File {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}

fn unfit(error: impl ToString) -> TlsError {
    TlsError::Unfit(error.to_string())
}
