//! Public keys, and which signatures each may check.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::signatures::RSA;

/// Of so many keys of one issuer no more is made.
const MOST: usize = 100;

/// One public key. What it can check is said by its kind, and never by a token alone.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// What its issuer calls it.
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// A key set (RFC 7517, 5), each key yet to be looked at: one that is odd does not spoil the others.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Key {
    /// A key without a name.
    pub(super) fn new(algorithms: Vec<Algorithm>, key: DecodingKey) -> Self {
        Self {
            id: None,
            algorithms,
            key,
        }
    }

    /// Whether a token that is signed in this way, by a key of this name, may be signed by this one.
    pub(super) fn may_have_signed(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        let is_named = match (self.id.as_deref(), id) {
            (Some(own), Some(id)) => own == id,
            (None, _) | (_, None) => true,
        };
        is_named && self.algorithms.contains(&algorithm)
    }

    /// The same, for these signatures alone.
    pub(super) fn only_for(mut self, allowed: &[Algorithm]) -> Self {
        self.algorithms.retain(|it| allowed.contains(it));
        self
    }

    fn of_jwk(jwk: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk).ok()?;
        let common = &jwk.common;
        let is_for_signatures = common
            .public_key_use
            .as_ref()
            .is_none_or(|it| *it == PublicKeyUse::Signature);
        let verifies = common
            .key_operations
            .as_ref()
            .is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !is_for_signatures || !verifies {
            return None;
        }
        let mut algorithms = algorithms_of(&jwk.algorithm)?;
        if let Some(only) = common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|it| *it == only);
        }
        if algorithms.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self {
            id: jwk.common.key_id,
            algorithms,
            key,
        })
    }
}

/// The keys of a set that can be used; what else is in it is passed over.
pub(super) fn of_key_set(json: &[u8]) -> serde_json::Result<Vec<Key>> {
    let set: KeySet = serde_json::from_slice(json)?;
    let keys = set.keys.into_iter().take(MOST);
    Ok(keys.filter_map(Key::of_jwk).collect())
}

/// What keys of this kind can check. Secrets are no public keys.
fn algorithms_of(kind: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    if let AlgorithmParameters::RSA(_) = kind {
        return Some(RSA.to_vec());
    }
    if let AlgorithmParameters::EllipticCurve(key) = kind {
        return if key.curve == EllipticCurve::P256 {
            Some(vec![Algorithm::ES256])
        } else if key.curve == EllipticCurve::P384 {
            Some(vec![Algorithm::ES384])
        } else {
            None
        };
    }
    if let AlgorithmParameters::OctetKeyPair(key) = kind {
        let is_usual = key.curve == EllipticCurve::Ed25519;
        return is_usual.then(|| vec![Algorithm::EdDSA]);
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(keys: Value) -> Vec<Key> {
        of_key_set(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_key_checks_what_its_kind_says_and_no_more() {
        let rsa = json!({"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"});
        let mut narrow = rsa.clone();
        narrow["alg"] = "PS256".into();
        let p256 = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"});
        let p384 = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "use": "sig"});
        let keys = read(json!([rsa, narrow, p256, p384, ed]));
        let all: Vec<_> = keys.iter().map(|key| key.algorithms.clone()).collect();
        assert_eq!(
            all,
            [
                RSA.to_vec(),
                vec![Algorithm::PS256],
                vec![Algorithm::ES256],
                vec![Algorithm::ES384],
                vec![Algorithm::EdDSA]
            ]
        );
    }

    #[test]
    fn secrets_and_keys_for_something_else_are_passed_over_and_spoil_no_others() {
        let good = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"});
        for other in [
            json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "key_ops": ["encrypt"]}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "HS256"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "none"}),
            json!({"kty": "RSA", "n": "=", "e": "AQAB"}),
            json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
            json!({"kty": "OKP", "crv": "P-256", "x": "AA"}),
            json!({"kty": "EC", "crv": "Ed25519", "x": "AA", "y": "AA"}),
            json!({"kty": 7}),
            json!("text"),
        ] {
            assert_eq!(read(json!([other, good])).len(), 1, "{other}");
        }
        assert!(of_key_set(b"{}").is_err());
        assert!(of_key_set(b"<html>").is_err());
    }

    #[test]
    fn a_key_is_taken_by_its_name_where_both_have_one() {
        let named = &read(json!([{"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a"}]))[0];
        let unnamed = &read(json!([{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]))[0];
        let ed = Algorithm::EdDSA;
        assert!(named.may_have_signed(ed, Some("a")));
        assert!(named.may_have_signed(ed, None));
        assert!(!named.may_have_signed(ed, Some("b")));
        assert!(unnamed.may_have_signed(ed, Some("b")));
        assert!(!unnamed.may_have_signed(Algorithm::HS256, None));
    }
}
