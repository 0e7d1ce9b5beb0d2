//! TLS of the ports.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;

use super::authorities::{Authorities, Source};
use super::certificate::Certificate;
use super::error::TlsError;
use super::options::TlsOptions;
use super::suites::{provider, versions};

/// A server's side of TLS, speaking `protocol` within.
pub fn server_config(options: &TlsOptions, protocol: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(provider(options)?);
    let certificate = Certificate::open(options, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(options.versions))
        .map_err(TlsError::unfit)?;
    let builder = match &options.trusted_ca_file {
        Some(path) => {
            let verifier = verifier(path, options.client_auth, provider)?;
            builder.with_client_cert_verifier(Arc::new(verifier))
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![protocol.to_vec()];
    // Who resumes shows no certificate again, though its authority may be trusted no more.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn verifier(
    path: &Path,
    is_mandatory: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Authorities<dyn ClientCertVerifier>, TlsError> {
    Authorities::open(Source::File(path.to_path_buf()), move |store| {
        let (store, provider) = (Arc::new(store), Arc::clone(&provider));
        let verifier = WebPkiClientVerifier::builder_with_provider(store, provider);
        let verifier = if is_mandatory {
            verifier
        } else {
            verifier.allow_unauthenticated()
        };
        verifier.build().map_err(TlsError::unfit)
    })
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.newest())
    }
}
