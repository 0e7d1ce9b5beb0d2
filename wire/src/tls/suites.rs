//! Which versions and cipher suites are spoken.

use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedProtocolVersion};

use super::error::TlsError;
use super::options::{TlsOptions, TlsVersions};

/// The listed suites restrict TLS 1.2 only, as in Go.
pub(super) fn provider(options: &TlsOptions) -> Result<CryptoProvider, TlsError> {
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

pub(super) fn versions(versions: TlsVersions) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static ONLY_TLS12: [&SupportedProtocolVersion; 1] = [&TLS12];
    static ONLY_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];
    match versions {
        TlsVersions::Both => &BOTH,
        TlsVersions::OnlyTls12 => &ONLY_TLS12,
        TlsVersions::OnlyTls13 => &ONLY_TLS13,
    }
}
