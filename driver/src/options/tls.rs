//! TLS options, checked as far as that is possible without reading the files.

use std::path::PathBuf;

use stepdown_wire::tls::{TlsOptions, TlsVersions};

use super::settings::TlsSettings;

const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;

/// Checks the settings at `key`; `None` when TLS is off.
pub(super) fn resolve(
    key: &str,
    settings: TlsSettings,
    problems: &mut Vec<String>,
) -> Option<TlsOptions> {
    let file = |value: Option<String>| value.filter(|v| !v.is_empty()).map(PathBuf::from);
    let cert_file = file(settings.cert_file);
    let key_file = file(settings.key_file);
    let trusted_ca_file = file(settings.trusted_ca_file);
    let crl_file = file(settings.crl_file);
    let client_auth = settings.client_auth.unwrap_or(false);
    if !settings.enabled.unwrap_or(cert_file.is_some()) {
        let files = [&key_file, &trusted_ca_file, &crl_file];
        let is_meant = files.into_iter().any(Option::is_some) || client_auth;
        if settings.enabled.is_none() && is_meant {
            problems.push(format!(
                "{key} is off, since {key}.certFile is missing: name the certificate, or say {key}.enabled: false"
            ));
        }
        return None;
    }
    for (name, value) in [("certFile", &cert_file), ("keyFile", &key_file)] {
        if value.is_none() {
            problems.push(format!(
                "{key}.{name} is missing: with TLS on, certFile and keyFile are both needed"
            ));
        }
    }
    if client_auth && trusted_ca_file.is_none() {
        problems.push(format!(
            "{key}.trustedCaFile is missing: with clientAuth it names the authorities of the clients' certificates"
        ));
    }
    if crl_file.is_some() && !client_auth && trusted_ca_file.is_none() {
        problems.push(format!(
            "{key}.trustedCaFile is missing: it names the authorities, and crlFile what they have revoked"
        ));
    }
    let versions = versions(
        key,
        settings.min_version.unwrap_or(0),
        settings.max_version.unwrap_or(0),
        problems,
    );
    Some(TlsOptions {
        cert_file: cert_file?,
        key_file: key_file?,
        trusted_ca_file,
        crl_file,
        versions: versions?,
        cipher_suites: settings.cipher_suites.unwrap_or_default(),
        client_auth,
        insecure_skip_verify: settings.insecure_skip_verify.unwrap_or(false),
        server_name: settings.server_name.filter(|name| !name.is_empty()),
    })
}

fn versions(key: &str, min: u16, max: u16, problems: &mut Vec<String>) -> Option<TlsVersions> {
    let min = if min == 0 { TLS12 } else { min };
    let max = if max == 0 { TLS13.max(min) } else { max };
    if min < TLS12 {
        problems.push(format!(
            "{key}.minVersion {min} is below TLS 1.2; use 771 (TLS 1.2) or 772 (TLS 1.3)"
        ));
        return None;
    }
    if max < min {
        problems.push(format!(
            "{key}.maxVersion {max} is below minVersion {min}; 771 is TLS 1.2 and 772 is TLS 1.3"
        ));
        return None;
    }
    if min > TLS13 {
        problems.push(format!(
            "{key}.minVersion {min} is above TLS 1.3; use 771 (TLS 1.2) or 772 (TLS 1.3)"
        ));
        return None;
    }
    Some(match (min, max) {
        (TLS13, _) => TlsVersions::OnlyTls13,
        (_, TLS12) => TlsVersions::OnlyTls12,
        (_, _) => TlsVersions::Both,
    })
}
