//! Tokens that are not taken, and what is said of them.

use serde_json::{Value, json};

use super::signer::{encoded, message};
use super::*;

fn with(mut claims: Value, key: &str, value: Value) -> Value {
    match value {
        Value::Null => _ = claims.as_object_mut().unwrap().remove(key),
        value => claims[key] = value,
    }
    claims
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said_in_the_usual_words() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let verifier = verifier(&issuer, PACE);
    let claims = good(&issuer.url);
    for (key, value, expected) in [
        ("iss", json!("https://another"), "unknown issuer"),
        ("iss", json!(format!("{}/", issuer.url)), "unknown issuer"),
        ("iss", json!([issuer.url]), "malformed token"),
        ("iss", Value::Null, "malformed token"),
        ("aud", json!("somebody"), "forbidden audience"),
        ("aud", json!(["some", "body"]), "forbidden audience"),
        ("aud", json!([]), "forbidden audience"),
        ("aud", json!({"oxia": 1}), "forbidden audience"),
        ("aud", Value::Null, "forbidden audience"),
        ("sub", Value::Null, "username not found"),
        ("sub", json!(""), "username not found"),
        ("sub", json!(7), "username not found"),
        ("sub", json!(["alice"]), "malformed token"),
        ("exp", json!(from_now(-60)), "token is expired"),
        ("exp", Value::Null, "token is not valid: it has no exp"),
        ("exp", json!("later"), "token is not valid: it has no exp"),
        ("exp", json!(-1), "token is not valid: it has no exp"),
        ("nbf", json!(from_now(120)), "token is not valid yet"),
        (
            "nbf",
            json!("soon"),
            "token is not valid: its nbf has not the form it should have",
        ),
    ] {
        let claims = with(claims.clone(), key, value.clone());
        let refused = verifier.verify(&signer.token("EdDSA", &claims)).await;
        let refused = refused.unwrap_err().to_string();
        assert_eq!(refused, expected, "{key}: {value}");
    }
    for (token, expected) in [
        (String::new(), "empty token"),
        ("x".to_owned(), "malformed token"),
        ("x.y.z".to_owned(), "malformed token"),
        ("..".to_owned(), "malformed token"),
        ("e30.e30.".to_owned(), "malformed token"),
        (signer.token("EdDSA", &claims) + ".more", "malformed token"),
        ("a".repeat(1 << 20), "malformed token"),
        (
            signer.token(
                "EdDSA",
                &with(claims.clone(), "x", json!("y".repeat(16 << 10))),
            ),
            "malformed token",
        ),
    ] {
        let refused = verifier.verify(&token).await.unwrap_err().to_string();
        assert_eq!(refused, expected, "{}", &token[..token.len().min(40)]);
    }
    let good = verifier.verify(&signer.token("EdDSA", &claims)).await;
    assert!(good.is_ok());
}

/// What is signed by a key of an issuer, or looks so, and is not by what fits the key.
#[tokio::test]
async fn how_a_token_is_signed_is_not_for_the_token_to_say() {
    let (rsa, p256, ed) = (Signer::rsa("r"), Signer::p256("p"), Signer::ed25519("e"));
    let issuer = TestIssuer::start(&[&rsa, &p256, &ed]).await;
    let verifier = verifier(&issuer, PACE);
    let claims = good(&issuer.url);
    let mut all = Vec::new();
    // With nothing.
    for algorithm in ["none", "None", "NONE", ""] {
        let header = json!({"alg": algorithm, "kid": "r"});
        all.push(format!("{}.", message(&header, &claims)));
    }
    // With the public key as if it were a secret.
    for (signer, hash) in [
        (&rsa, ring::hmac::HMAC_SHA256),
        (&p256, ring::hmac::HMAC_SHA256),
        (&ed, ring::hmac::HMAC_SHA256),
    ] {
        for header in [
            json!({"alg": "HS256", "kid": signer.id}),
            json!({"alg": "HS256"}),
        ] {
            let message = message(&header, &claims);
            let key = ring::hmac::Key::new(hash, &signer.public());
            let signed = ring::hmac::sign(&key, message.as_bytes());
            all.push(format!("{message}.{}", encoded(signed.as_ref())));
        }
    }
    // With another key than is named, or in another way than is said.
    for (signer, algorithm, id) in [
        (&rsa, "RS256", "p"),
        (&rsa, "ES256", "r"),
        (&p256, "ES384", "p"),
        (&ed, "ES256", "p"),
        (&ed, "EdDSA", "r"),
        (&Signer::ed25519("e"), "EdDSA", "e"),
        (&Signer::p256("p"), "ES256", "p"),
    ] {
        let header = json!({"alg": algorithm, "kid": id});
        all.push(signer.token_with(&header, &claims));
    }
    // With a key that it brings along.
    let own = Signer::ed25519("own");
    for header in [
        json!({"alg": "EdDSA", "jwk": own.jwk()}),
        json!({"alg": "EdDSA", "kid": "own", "jwk": own.jwk()}),
        json!({"alg": "EdDSA", "kid": "e", "jku": "http://127.0.0.1:1/keys"}),
    ] {
        all.push(own.token_with(&header, &claims));
    }
    // With something that has to be understood, and is not.
    let header = json!({"alg": "EdDSA", "kid": "e", "crit": ["b64"], "b64": false});
    all.push(ed.token_with(&header, &claims));
    // With another payload, or another signature.
    let token = ed.token("EdDSA", &claims);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let header = signed.split_once('.').unwrap().0;
    let other = encoded(
        with(claims.clone(), "sub", json!("root"))
            .to_string()
            .as_bytes(),
    );
    all.push(format!("{header}.{other}.{signature}"));
    all.push(format!("{signed}."));
    all.push(format!("{signed}.{}", &signature[1..]));
    for token in all {
        let refused = verifier.verify(&token).await.unwrap_err();
        assert!(
            matches!(
                refused,
                Unauthenticated::Unsigned | Unauthenticated::Malformed
            ),
            "{refused}: {token}"
        );
    }
}
