//! What PEM files hold.

use std::fmt;
use std::path::Path;

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

use super::error::TlsError;
use super::file;

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    all(path, &file::read(path)?, "CERTIFICATE")
}

/// Lists of revoked certificates, and nothing else: a list that is not known as one would be missing.
pub(super) fn revocations(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let pem = file::read(path)?;
    let lists = all(path, &pem, "X509 CRL")?;
    let begun = String::from_utf8(pem).map(|text| text.matches("-----BEGIN ").count());
    if begun == Ok(lists.len()) {
        Ok(lists)
    } else {
        let reason = "it holds something else than X509 CRL, or one that does not begin a line";
        Err(TlsError::in_file(path, reason))
    }
}

/// All items of a kind, of which there has to be one.
fn all<T: PemObject>(path: &Path, pem: &[u8], wanted: &'static str) -> Result<Vec<T>, TlsError> {
    let told = |error| TlsError::in_file(path, FileError::new(wanted, pem, &error));
    let items = T::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(told)?;
    if items.is_empty() {
        return Err(told(Error::NoItemsFound));
    }
    Ok(items)
}

/// Why a file does not hold what it should.
pub(super) struct FileError {
    wanted: &'static str,
    held: Vec<String>,
    is_empty: bool,
    /// What is wrong with its form, in the words of who reads it.
    broken: Option<String>,
}

impl FileError {
    pub(super) fn new(wanted: &'static str, pem: &[u8], error: &Error) -> Self {
        Self {
            wanted,
            held: holds(pem),
            is_empty: pem.iter().all(u8::is_ascii_whitespace),
            broken: broken(error),
        }
    }
}

/// What is wrong with a file's form, if anything is.
fn broken(error: &Error) -> Option<String> {
    if matches!(error, Error::NoItemsFound) {
        return None;
    }
    Some(if let Error::MissingSectionEnd { .. } = error {
        "its PEM is cut short".to_owned()
    } else if let Error::IllegalSectionStart { line } = error {
        format!("its PEM is broken at {}", String::from_utf8_lossy(line))
    } else {
        format!("its PEM is broken: {error}")
    })
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty {
            return write!(f, "it is empty: there is no {} in it", self.wanted);
        }
        if self.held.iter().any(|it| it == ENCRYPTED) {
            return f.write_str("its key has a passphrase: take that away with openssl pkey");
        }
        if let Some(broken) = &self.broken {
            return f.write_str(broken);
        }
        if self.held.is_empty() {
            return f
                .write_str("it is no PEM, perhaps DER: convert it with openssl x509, pkey or crl");
        }
        let held = self.held.join(", ");
        write!(f, "there is no {} in it; it holds {held}", self.wanted)
    }
}

/// The labels of what is in a file.
fn holds(pem: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(pem);
    let mut labels: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let label = line.trim().strip_prefix("-----BEGIN ")?;
            label.strip_suffix("-----").map(str::to_owned)
        })
        .collect();
    // The older form of keys with a passphrase.
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        labels.push(ENCRYPTED.to_owned());
    }
    labels.dedup();
    labels
}
