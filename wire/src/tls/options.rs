//! What TLS is to be like.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// TLS of one server or client. Its files are read anew for every handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
    /// The authorities to trust, PEM; `None` is the system's for a client, and no check for a server.
    pub trusted_ca_file: Option<PathBuf>,
    /// Lists of what those authorities have revoked, PEM: one by each that a certificate is by, up to the
    /// one that is trusted. A list holds beyond its time. `None`: nothing is revoked.
    pub crl_file: Option<PathBuf>,
    /// The versions to speak.
    pub versions: TlsVersions,
    /// TLS 1.2 suites by number; empty is all that are safe. TLS 1.3 suites are always on.
    pub cipher_suites: Vec<u16>,
    /// Server: whether a client without a certificate is refused.
    pub client_auth: bool,
    /// Client: don't check the server's certificate.
    pub insecure_skip_verify: bool,
    /// Client: the name to expect instead of the host's.
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// With this certificate and key, and as much as can be left to what is usual: the system's authorities,
    /// both versions, all safe suites; a server asks its clients for nothing.
    pub fn new(cert_file: PathBuf, key_file: PathBuf) -> Self {
        Self {
            cert_file,
            key_file,
            trusted_ca_file: None,
            crl_file: None,
            versions: TlsVersions::Both,
            cipher_suites: Vec::new(),
            client_auth: false,
            insecure_skip_verify: false,
            server_name: None,
        }
    }

    /// The mode of the key's file, if others may read it, or write to it. A group that may read it may have
    /// been made for that.
    pub fn mode_of_shown_key(&self) -> Option<u32> {
        let mode = fs::metadata(&self.key_file).ok()?.mode() & 0o7777;
        (mode & 0o026 != 0).then_some(mode)
    }
}

/// The versions to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 only.
    OnlyTls12,
    /// 1.3 only.
    OnlyTls13,
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_that_others_may_read_or_write_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let options = TlsOptions::new(PathBuf::new(), directory.path().join("key.pem"));
        assert_eq!(options.mode_of_shown_key(), None);
        fs::write(&options.key_file, "").unwrap();
        for (mode, is_shown) in [
            (0o600, false),
            (0o440, false),
            (0o444, true),
            (0o660, true),
            (0o602, true),
        ] {
            fs::set_permissions(&options.key_file, Permissions::from_mode(mode)).unwrap();
            let shown = options.mode_of_shown_key();
            assert_eq!(shown, is_shown.then_some(mode), "{mode:o}");
        }
    }
}
