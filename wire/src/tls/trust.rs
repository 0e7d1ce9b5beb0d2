//! Whom to trust: certificate authorities, and what they have revoked.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::VerifierBuilderError;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::error::TlsError;
use super::pem::{certificates, revocations};

/// Where authorities are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    File {
        authorities: PathBuf,
        /// Lists of what they have revoked; without it nothing is.
        revocations: Option<PathBuf>,
    },
    System,
}

/// What was read.
pub(super) struct Found {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) revocations: Vec<CertificateRevocationListDer<'static>>,
}

/// What verifies is made of this.
pub(super) struct Trusted {
    pub(super) store: Arc<RootCertStore>,
    pub(super) revocations: Vec<CertificateRevocationListDer<'static>>,
}

impl Source {
    /// The authorities of this file, or else the system's.
    pub(super) fn of(
        authorities: Option<PathBuf>,
        revocations: Option<PathBuf>,
    ) -> Result<Self, TlsError> {
        match authorities {
            Some(authorities) => Ok(Self::File {
                authorities,
                revocations,
            }),
            None if revocations.is_some() => Err(TlsError::unfit(
                "crlFile needs trustedCaFile, whose authorities it is about",
            )),
            None => Ok(Self::System),
        }
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        match self {
            Self::File { authorities, .. } => certificates(authorities),
            Self::System => match rustls_native_certs::load_native_certs().certs {
                none if none.is_empty() => Err(TlsError::Unfit(
                    "the system has no certificate authorities; name yours in trustedCaFile"
                        .to_owned(),
                )),
                found => Ok(found),
            },
        }
    }

    /// The lists of what was revoked.
    pub(super) fn revocations(
        &self,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        self.lists().map_or(Ok(Vec::new()), revocations)
    }

    /// The file of the lists.
    fn lists(&self) -> Option<&Path> {
        match self {
            Self::File { revocations, .. } => revocations.as_deref(),
            Self::System => None,
        }
    }

    pub(super) fn trusted(&self, found: &Found) -> Result<Trusted, TlsError> {
        let mut store = RootCertStore::empty();
        match self {
            Self::File { authorities, .. } => {
                for certificate in &found.certificates {
                    store.add(certificate.clone()).map_err(|error| {
                        let reason = format!("a CERTIFICATE in it is no authority's: {error}");
                        TlsError::in_file(authorities, reason)
                    })?;
                }
            }
            // Some of them are of kinds that are not known here.
            Self::System => {
                store.add_parsable_certificates(found.certificates.iter().cloned());
            }
        }
        if let Some(path) = self.lists() {
            refuse_several_by_one(path, &found.revocations)?;
        }
        Ok(Trusted {
            store: Arc::new(store),
            revocations: found.revocations.clone(),
        })
    }

    /// Nothing that verifies can be made of it.
    pub(super) fn unfit(&self, error: VerifierBuilderError) -> TlsError {
        match (self.lists(), error) {
            (Some(path), VerifierBuilderError::InvalidCrl(error)) => unusable(path, error),
            (_, error) => TlsError::unfit(error),
        }
    }
}

/// Whoever verifies looks at one list of each issuer alone, be it the older one.
fn refuse_several_by_one(
    path: &Path,
    lists: &[CertificateRevocationListDer<'_>],
) -> Result<(), TlsError> {
    let mut issuers = BTreeSet::new();
    for list in lists {
        let (_, list) =
            CertificateRevocationList::from_der(list).map_err(|error| unusable(path, error))?;
        let issuer = list.issuer().to_string();
        if !issuers.insert(issuer.clone()) {
            let reason = format!("it holds several lists by {issuer}: leave the newest one in it");
            return Err(TlsError::in_file(path, reason));
        }
    }
    Ok(())
}

fn unusable(path: &Path, error: impl Debug) -> TlsError {
    let reason = format!(
        "an X509 CRL in it can't be used: {error:?}; it has to be a whole list of version 2, with nextUpdate"
    );
    TlsError::in_file(path, reason)
}

#[cfg(test)]
mod tests;
