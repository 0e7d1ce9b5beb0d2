//! Private keys: what their files hold, in words for whoever has to make another.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;

use super::error::TlsError;
use super::file;
use super::pem::FileError;

/// The kinds of keys, and of the curves of some, by their object identifiers in DER; what tells more comes
/// first.
const KINDS: [(&[u8], &str); 13] = [
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "an ECDSA key on P-521"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], "an ECDSA key on P-384"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], "an ECDSA key on P-224"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "an ECDSA key on secp256k1"),
    (
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        "an ECDSA key on P-256",
    ),
    (
        &[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01],
        "an ECDSA key on a Brainpool curve",
    ),
    (
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
        "an ECDSA key on a curve that is not known",
    ),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "a DSA key"),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
        "an RSA key for PSS alone",
    ),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
        "an RSA key",
    ),
    (&[0x2b, 0x65, 0x71], "an Ed448 key"),
    (&[0x2b, 0x65, 0x70], "an Ed25519 key"),
    (&[0x2b, 0x65, 0x6e], "a key of X25519, which signs nothing"),
];
/// What can be taken.
const TAKEN: &str =
    "take an RSA key of 2048 to 4096 bits, an ECDSA key on P-256 or P-384, or an Ed25519 key";

/// The key that a file holds.
pub(super) fn read(
    path: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, TlsError> {
    let pem = file::read(path)?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| TlsError::in_file(path, FileError::new("PRIVATE KEY", &pem, &error)))?;
    let held = kind(&key);
    provider.key_provider.load_private_key(key).map_err(|_| {
        TlsError::in_file(
            path,
            format!("it holds {held}, which can't be used; {TAKEN}"),
        )
    })
}

fn kind(key: &PrivateKeyDer<'_>) -> &'static str {
    if let PrivateKeyDer::Pkcs1(_) = key {
        return "an RSA key";
    }
    let der = key.secret_der();
    let has = |identifier: &[u8]| der.windows(identifier.len()).any(|it| it == identifier);
    let found = KINDS.iter().find(|(identifier, _)| has(identifier));
    found.map_or("a key of a kind that is not known", |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustls::crypto::ring;

    use super::*;

    /// Of such a key, what comes before the secret.
    const P521: &str = "-----BEGIN PRIVATE KEY-----\nMIHuAgEAMBAGByqGSM49AgEGBSuBBAAj\n-----END PRIVATE KEY-----\n";
    /// As older programs write a key with a passphrase.
    const WITH_PASSPHRASE: &str = "\
-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,00

AAAA
-----END RSA PRIVATE KEY-----
";

    fn refused(pem: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        fs::write(&path, pem).unwrap();
        read(&path, &ring::default_provider())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_key_that_can_not_be_used_is_named_with_those_that_can() {
        let error = refused(P521);
        assert!(
            error.contains("key.pem: it holds an ECDSA key on P-521"),
            "{error}"
        );
        assert!(error.contains("P-256 or P-384"), "{error}");
    }

    #[test]
    fn a_file_without_a_key_is_said_to_hold_what_it_does() {
        let certificate = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        for (content, expected) in [
            (certificate.cert.pem().as_str(), "it holds CERTIFICATE"),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "openssl pkey",
            ),
            (WITH_PASSPHRASE, "openssl pkey"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "is cut short"),
            (
                "-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n",
                "it holds EC PARAMETERS",
            ),
            ("\u{30}\u{1}", "no PEM"),
            ("", "is empty"),
        ] {
            let error = refused(content);
            assert!(error.contains(expected), "{error}");
        }
    }
}
