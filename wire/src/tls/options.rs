//! What TLS is to be like.

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
