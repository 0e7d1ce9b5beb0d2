//! Public keys in a PEM file.

use std::fs;
use std::path::Path;

use jsonwebtoken::{Algorithm, DecodingKey};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::keys::Key;
use super::signatures::RSA;

/// The object identifier of Ed25519 (RFC 8410, 3).
const ED25519: &str = "1.3.101.112";
/// The length of its keys, in bytes.
const ED25519_KEY: usize = 32;
/// The lengths of uncompressed points of P-256 and P-384, in bytes.
const P256_POINT: usize = 65;
const P384_POINT: usize = 97;

/// All keys in the file.
pub(super) fn read(path: &Path) -> Result<Vec<Key>, String> {
    let told = |reason: String| format!("the key file {}: {reason}", path.display());
    let pem = fs::read(path).map_err(|error| told(error.to_string()))?;
    keys(&pem).map_err(told)
}

fn keys(pem: &[u8]) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for block in Pem::iter_from_buffer(pem) {
        let block = block.map_err(|error| format!("its PEM is broken: {error}"))?;
        let Pem { label, contents } = &block;
        let key = match label.as_str() {
            "PUBLIC KEY" | "EC PUBLIC KEY" => SubjectPublicKeyInfo::from_der(contents)
                .ok()
                .and_then(|(_, info)| of_info(&info)),
            "RSA PUBLIC KEY" => Some(rsa(contents)),
            "CERTIFICATE" => X509Certificate::from_der(contents)
                .ok()
                .and_then(|(_, certificate)| of_info(certificate.public_key())),
            _ => {
                return Err(format!(
                    "there is a {label} in it, which is none of PUBLIC KEY, RSA PUBLIC KEY, EC PUBLIC KEY and CERTIFICATE"
                ));
            }
        };
        keys.push(key.ok_or_else(|| {
            format!("a {label} in it can't be used: use RSA, P-256, P-384 or Ed25519")
        })?);
    }
    if keys.is_empty() {
        return Err("there is no PUBLIC KEY and no CERTIFICATE in it".to_owned());
    }
    Ok(keys)
}

fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Option<Key> {
    let bytes = &*info.subject_public_key.data;
    if info.algorithm.algorithm.to_id_string() == ED25519 {
        let is_key = bytes.len() == ED25519_KEY;
        return is_key.then(|| Key::new(vec![Algorithm::EdDSA], DecodingKey::from_ed_der(bytes)));
    }
    let parsed = info.parsed().ok()?;
    if let PublicKey::RSA(_) = parsed {
        return Some(rsa(bytes));
    }
    let PublicKey::EC(_) = parsed else {
        return None;
    };
    let algorithm = match bytes.len() {
        P256_POINT => Algorithm::ES256,
        P384_POINT => Algorithm::ES384,
        _ => return None,
    };
    Some(Key::new(vec![algorithm], DecodingKey::from_ec_der(bytes)))
}

fn rsa(der: &[u8]) -> Key {
    Key::new(RSA.to_vec(), DecodingKey::from_rsa_der(der))
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    #[test]
    fn each_kind_of_key_is_read_and_checks_what_it_can() {
        for (kind, algorithm) in [
            (&PKCS_ECDSA_P256_SHA256, Algorithm::ES256),
            (&PKCS_ECDSA_P384_SHA384, Algorithm::ES384),
            (&PKCS_ED25519, Algorithm::EdDSA),
        ] {
            let pair = KeyPair::generate_for(kind).unwrap();
            let certificate = rcgen::CertificateParams::new(["a".to_owned()])
                .unwrap()
                .self_signed(&pair)
                .unwrap();
            let key = pair.public_key_pem();
            let ec = key.replace(" PUBLIC", " EC PUBLIC");
            let text = format!("# a comment\n{key}{ec}{}", certificate.pem());
            let all = keys(text.as_bytes()).unwrap();
            assert_eq!(all.len(), 3);
            for key in all {
                assert!(key.may_have_signed(algorithm, Some("any")));
                assert!(!key.may_have_signed(Algorithm::RS256, None));
                assert!(!key.may_have_signed(Algorithm::HS256, None));
            }
        }
    }

    #[test]
    fn what_is_no_public_key_is_named() {
        let pair = KeyPair::generate().unwrap();
        for (text, expected) in [
            (String::new(), "there is no PUBLIC KEY"),
            (pair.serialize_pem(), "there is a PRIVATE KEY in it"),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(),
                "a PUBLIC KEY in it can't be used",
            ),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n".to_owned(),
                "its PEM is broken",
            ),
        ] {
            let error = keys(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let error = read(Path::new("/nonexistent/keys.pem")).unwrap_err();
        assert!(
            error.starts_with("the key file /nonexistent/keys.pem: "),
            "{error}"
        );
    }
}
