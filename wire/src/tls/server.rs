//! TLS of the ports.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use super::error::TlsError;
use super::options::TlsOptions;
use super::pem::authorities;
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
            let authorities = Arc::new(authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider);
            let verifier = if options.client_auth {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::unfit)?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.newest())
    }
}
