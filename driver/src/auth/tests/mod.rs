//! Tokens of an issuer on a real socket: those that are good, those that are not, and issuers that are slow,
//! broken, or change their keys.

mod issuer;
mod refused;
mod rotation;
pub(crate) mod signer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

pub(crate) use self::issuer::TestIssuer;
use self::issuer::{Manner, with_head};
use self::signer::{Signer, from_now, good};
use super::issuer::Pace;
use super::{Unauthenticated, Verifier};
use crate::options::{AuthOptions, IssuerOptions};

/// Nothing is asked twice within a test, and nobody waits for long.
const PACE: Pace = Pace {
    fresh: Duration::from_secs(3600),
    between: Duration::from_secs(3600),
    answer: Duration::from_secs(20),
    patience: Duration::from_secs(20),
};

fn options(url: &str, file: Option<PathBuf>) -> AuthOptions {
    let issuer = IssuerOptions {
        audiences: ["oxia".to_owned(), "coordinator".to_owned()].into(),
        user_name_claim: "sub".to_owned(),
        static_key_file: file,
    };
    AuthOptions {
        issuers: BTreeMap::from([(url.to_owned(), issuer)]),
    }
}

fn verifier(issuer: &TestIssuer, pace: Pace) -> Verifier {
    let verifier = Verifier::at_pace(&options(&issuer.url, None), pace).unwrap();
    verifier.begin();
    verifier
}

#[tokio::test]
async fn tokens_are_good_that_are_signed_in_a_way_that_fits_the_key() {
    let (rsa, p256) = (Signer::rsa("r"), Signer::p256("p256"));
    let (p384, ed) = (Signer::p384("p384"), Signer::ed25519("e"));
    let issuer = TestIssuer::start(&[&rsa, &p256, &p384, &ed]).await;
    let verifier = verifier(&issuer, PACE);
    for (signer, algorithm) in [
        (&rsa, "RS256"),
        (&rsa, "RS384"),
        (&rsa, "RS512"),
        (&rsa, "PS256"),
        (&rsa, "PS384"),
        (&rsa, "PS512"),
        (&p256, "ES256"),
        (&p384, "ES384"),
        (&ed, "EdDSA"),
    ] {
        let token = signer.token(algorithm, &good(&issuer.url));
        let identity = verifier.verify(&token).await;
        let identity = identity.unwrap_or_else(|error| panic!("{algorithm}: {error}"));
        assert_eq!(identity.subject, "alice");
        assert_eq!(identity.groups, ["admins", "users"]);
        assert_eq!(*identity.issuer, *issuer.url);
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_all_that_fit() {
    let (first, second) = (Signer::ed25519("a"), Signer::ed25519("b"));
    let issuer = TestIssuer::start(&[&first, &second]).await;
    let header = json!({"alg": "EdDSA"});
    let token = second.token_with(&header, &good(&issuer.url));
    assert!(verifier(&issuer, PACE).verify(&token).await.is_ok());
}

#[tokio::test]
async fn clocks_may_differ_a_little() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let verifier = verifier(&issuer, PACE);
    let mut claims = good(&issuer.url);
    claims["exp"] = json!(from_now(-5));
    claims["nbf"] = json!(from_now(15));
    let token = signer.token("EdDSA", &claims);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_says_what_it_signs_by_is_taken_at_its_word() {
    let rsa = Signer::rsa("r");
    let issuer = TestIssuer::start(&[&rsa]).await;
    issuer.sign_only_by(&["RS256", "HS256", "none"]);
    let verifier = verifier(&issuer, PACE);
    let claims = good(&issuer.url);
    assert!(verifier.verify(&rsa.token("RS256", &claims)).await.is_ok());
    let other = verifier.verify(&rsa.token("PS256", &claims)).await;
    assert_eq!(other, Err(Unauthenticated::Unsigned));
}

#[tokio::test]
async fn keys_in_a_file_need_no_issuer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.pem");
    let pairs = [
        rcgen::KeyPair::generate().unwrap(),
        rcgen::KeyPair::generate().unwrap(),
    ];
    let text: String = pairs.iter().map(|it| it.public_key_pem()).collect();
    std::fs::write(&path, text).unwrap();
    let verifier = Verifier::at_pace(&options("any name", Some(path)), PACE).unwrap();
    let header = json!({"alg": "ES256", "kid": "whatever"});
    let message = signer::message(&header, &good("any name"));
    let random = ring::rand::SystemRandom::new();
    let key = ring::signature::EcdsaKeyPair::from_pkcs8(
        &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &pairs[1].serialize_der(),
        &random,
    );
    let signed = key.unwrap().sign(&random, message.as_bytes()).unwrap();
    let token = format!("{message}.{}", signer::encoded(signed.as_ref()));
    assert!(verifier.verify(&token).await.is_ok());
}
