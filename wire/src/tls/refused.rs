//! Why a certificate is not accepted, in words for whoever has to put it right.

use std::io;

use rustls::{CertificateError, Error};

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "its certificate is by none of the authorities that are trusted (trustedCaFile, or the system's)"
    )]
    UnknownIssuer,
    #[error("its certificate was revoked (crlFile)")]
    Revoked,
    #[error("crlFile has no list for its certificate, by the authority that has signed it")]
    Unlisted,
    #[error(
        "the list in crlFile by the authority that has signed its certificate can't be used: {0}"
    )]
    List(String),
}

impl Refused {
    /// Puts it into these words, if it is one of these.
    pub(super) fn told(error: io::Error) -> io::Error {
        let cause = error.get_ref().and_then(|it| it.downcast_ref());
        let refused = cause.and_then(Self::of);
        refused.map_or(error, |refused| {
            io::Error::new(io::ErrorKind::InvalidData, refused)
        })
    }

    pub(super) fn of(error: &Error) -> Option<Self> {
        if let Error::InvalidCertRevocationList(error) = error {
            return Some(Self::List(format!("{error:?}")));
        }
        let of = |cause: CertificateError| *error == Error::InvalidCertificate(cause);
        if of(CertificateError::UnknownIssuer) {
            Some(Self::UnknownIssuer)
        } else if of(CertificateError::Revoked) {
            Some(Self::Revoked)
        } else if of(CertificateError::UnknownRevocationStatus) {
            Some(Self::Unlisted)
        } else {
            None
        }
    }
}
