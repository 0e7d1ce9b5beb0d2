//! Keys, and tokens that they sign.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

/// It was made for these tests, and opens nothing: making one takes long.
const RSA: &[u8] = include_bytes!("rsa.pem");

/// A key of an issuer, with its name.
pub struct Signer {
    pub id: String,
    kind: Kind,
}

enum Kind {
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub fn ed25519(id: &str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::new(
            id,
            Kind::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()),
        )
    }

    pub fn p256(id: &str) -> Self {
        Self::ec(id, &ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub fn p384(id: &str) -> Self {
        Self::ec(id, &ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    pub fn rsa(id: &str) -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(RSA).unwrap();
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        Self::new(id, Kind::Rsa(key))
    }

    fn ec(id: &str, algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
        Self::new(id, Kind::Ec(key, curve))
    }

    fn new(id: &str, kind: Kind) -> Self {
        let id = id.to_owned();
        Self { id, kind }
    }

    /// The public half, as issuers show it.
    pub fn jwk(&self) -> Value {
        match &self.kind {
            Kind::Ec(key, curve) => {
                let (x, y) = key.public_key().as_ref()[1..]
                    .split_at((key.public_key().as_ref().len() - 1) / 2);
                json!({"kty": "EC", "crv": curve, "kid": self.id, "x": encoded(x), "y": encoded(y)})
            }
            Kind::Ed(key) => {
                let x = encoded(key.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": x, "use": "sig"})
            }
            Kind::Rsa(key) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
                let (n, e) = (encoded(&public.n), encoded(&public.e));
                json!({"kty": "RSA", "kid": self.id, "n": n, "e": e, "use": "sig"})
            }
        }
    }

    /// The public half as it is, which some have taken for a secret.
    pub fn public(&self) -> Vec<u8> {
        match &self.kind {
            Kind::Ec(key, _) => key.public_key().as_ref().to_vec(),
            Kind::Ed(key) => key.public_key().as_ref().to_vec(),
            Kind::Rsa(key) => key.public().as_ref().to_vec(),
        }
    }

    /// A token that says this.
    pub fn token(&self, algorithm: &str, claims: &Value) -> String {
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": self.id});
        self.token_with(&header, claims)
    }

    /// The same, with this header.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signed = self.sign(
            header["alg"].as_str().unwrap_or_default(),
            message.as_bytes(),
        );
        format!("{message}.{}", encoded(&signed))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.kind {
            Kind::Ec(key, _) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Kind::Ed(key) => key.sign(message).as_ref().to_vec(),
            Kind::Rsa(key) => {
                let encoding: &dyn RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signed = vec![0; key.public().modulus_len()];
                key.sign(encoding, &random, message, &mut signed).unwrap();
                signed
            }
        }
    }
}

/// What is signed.
pub fn message(header: &Value, claims: &Value) -> String {
    let part = |it: &Value| encoded(it.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

pub fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// So many seconds from now.
pub fn from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + seconds
}

/// What a good token of this issuer says.
pub fn good(issuer: &str) -> Value {
    json!({
        "iss": issuer,
        "aud": ["other", "oxia"],
        "sub": "alice",
        "groups": ["admins", "users"],
        "exp": from_now(300),
        "iat": from_now(0),
    })
}
