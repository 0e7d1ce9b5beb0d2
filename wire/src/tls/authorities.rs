//! Authorities that follow where they are from: a bundle that gains or loses one, or a list of what they have
//! revoked, holds without a restart.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::VerifierBuilderError;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use tracing::warn;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::error::TlsError;
use super::followed::Reread;
use super::refused::Refused;
use super::trust::{Found, Source, Trusted};

/// The system's take longer to read than one file.
const SYSTEMS_EVERY: Duration = Duration::from_secs(60);

/// What verifies by them; `V` is made anew when they change.
pub(super) struct Authorities<V: ?Sized> {
    source: Source,
    build: Box<Build<V>>,
    known: Mutex<Known<V>>,
}

/// Makes what verifies.
type Build<V> = dyn Fn(Trusted) -> Result<Arc<V>, VerifierBuilderError> + Send + Sync;

struct Known<V: ?Sized> {
    found: Arc<Found>,
    verifier: Arc<V>,
    read: Instant,
}

impl<V: ?Sized> Authorities<V> {
    pub(super) fn open(
        source: Source,
        build: impl Fn(Trusted) -> Result<Arc<V>, VerifierBuilderError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let found = Found {
            certificates: source.certificates()?,
            revocations: source.revocations()?,
        };
        let known = Known {
            verifier: verifier(&source, &build, &found)?,
            found: Arc::new(found),
            read: Instant::now(),
        };
        Ok(Self {
            source,
            build: Box::new(build),
            known: Mutex::new(known),
        })
    }

    fn last(&self) -> Arc<V> {
        Arc::clone(&self.known().verifier)
    }

    /// Whether they are to be read again by now.
    fn is_due(&self) -> bool {
        let mut known = self.known();
        let is_due = match &self.source {
            Source::File { .. } => true,
            Source::System => known.read.elapsed() >= SYSTEMS_EVERY,
        };
        if is_due {
            known.read = Instant::now();
        }
        is_due
    }

    fn read_anew(&self) -> Result<(), TlsError> {
        let last = Arc::clone(&self.known().found);
        let mut wrong = None;
        let certificates = self.source.certificates().unwrap_or_else(|error| {
            wrong.get_or_insert(error);
            last.certificates.clone()
        });
        let revocations = self.source.revocations().unwrap_or_else(|error| {
            wrong.get_or_insert(error);
            last.revocations.clone()
        });
        // What is wrong with one of them holds back no change of the other.
        for (certificates, revocations) in [
            (&certificates, &revocations),
            (&certificates, &last.revocations),
            (&last.certificates, &revocations),
        ] {
            if (certificates, revocations) == (&last.certificates, &last.revocations) {
                break;
            }
            let found = Found {
                certificates: certificates.clone(),
                revocations: revocations.clone(),
            };
            match verifier(&self.source, &self.build, &found) {
                Ok(verifier) => {
                    let mut known = self.known();
                    known.verifier = verifier;
                    known.found = Arc::new(found);
                    break;
                }
                Err(error) => {
                    wrong.get_or_insert(error);
                }
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    fn known(&self) -> MutexGuard<'_, Known<V>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn verifier<V: ?Sized>(
    source: &Source,
    build: &(impl Fn(Trusted) -> Result<Arc<V>, VerifierBuilderError> + ?Sized),
    found: &Found,
) -> Result<Arc<V>, TlsError> {
    build(source.trusted(found)?).map_err(|error| source.unfit(error))
}

impl<V: ?Sized + Send + Sync> Reread for Authorities<V> {
    /// Where they can't be read, the last good ones hold.
    fn reread(&self) {
        if self.is_due()
            && let Err(error) = self.read_anew()
        {
            warn!(
                error = &error as &dyn std::error::Error,
                "Can't read the certificate authorities, or what they have revoked; what was read last is used"
            );
        }
    }
}

/// Who is not let in for what was revoked, or is not known to have been. Nobody else is told of: these
/// an authority has signed, so strangers can't fill the log.
fn tell(certificate: &CertificateDer<'_>, error: &Error) {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return;
    };
    let (subject, issuer) = (certificate.subject(), certificate.issuer());
    let serial = certificate.raw_serial_as_string();
    match Refused::of(error) {
        Some(Refused::Revoked) => {
            warn!(%subject, %issuer, serial, "A client's certificate was revoked: it is refused");
        }
        Some(error @ (Refused::Unlisted | Refused::List(_))) => warn!(
            %subject,
            %issuer,
            serial,
            error = &error as &dyn std::error::Error,
            "It is not known whether a client's certificate was revoked: it is refused"
        ),
        Some(Refused::UnknownIssuer) | None => {}
    }
}

impl<V: ?Sized> fmt::Debug for Authorities<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorities").field(&self.source).finish()
    }
}

impl ServerCertVerifier for Authorities<WebPkiServerVerifier> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let last = self.last();
        last.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.last()
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.last()
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.last().supported_verify_schemes()
    }
}

impl ClientCertVerifier for Authorities<dyn ClientCertVerifier> {
    fn client_auth_mandatory(&self) -> bool {
        self.last().client_auth_mandatory()
    }

    /// None, as they may change: a client that does not find its own among them shows no certificate.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .last()
            .verify_client_cert(end_entity, intermediates, now);
        verified.inspect_err(|error| tell(end_entity, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.last()
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.last()
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.last().supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::generate_simple_self_signed;

    use super::*;

    fn authority() -> String {
        generate_simple_self_signed(["localhost".to_owned()])
            .unwrap()
            .cert
            .pem()
    }

    #[test]
    fn a_file_that_changes_is_read_again_and_the_last_good_one_holds_where_it_is_broken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let (one, two) = (authority(), authority());
        fs::write(&path, &one).unwrap();
        let source = Source::of(Some(path.clone()), None).unwrap();
        let built = Authorities::open(source, |trusted| Ok(Arc::new(trusted.store.len())));
        let authorities = built.unwrap();
        let newest = || {
            authorities.reread();
            *authorities.last()
        };
        assert_eq!(newest(), 1);
        fs::write(&path, format!("{one}{two}")).unwrap();
        assert_eq!((*authorities.last(), newest()), (1, 2));
        for broken in ["", "-----BEGIN CERTIFICATE-----\n"] {
            fs::write(&path, broken).unwrap();
            assert_eq!(newest(), 2);
        }
        fs::write(&path, two).unwrap();
        assert_eq!(newest(), 1);
    }
}
