//! Issuers that change their keys, and that do not answer as they should.

use super::*;

/// Asks again as often as it may.
const EAGER: Pace = Pace {
    between: Duration::ZERO,
    ..PACE
};

/// Waits for what others are about to bring about; within a minute it has to be so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waited_for = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    let so = tokio::time::timeout(Duration::from_secs(60), waited_for);
    so.await.expect(what);
}

#[tokio::test]
async fn a_key_that_is_new_is_asked_for_and_one_that_is_gone_is_forgotten() {
    let (old, new) = (Signer::ed25519("old"), Signer::ed25519("new"));
    let issuer = TestIssuer::start(&[&old]).await;
    let verifier = verifier(&issuer, EAGER);
    let token = |signer: &Signer| signer.token("EdDSA", &good(&issuer.url));
    assert!(verifier.verify(&token(&old)).await.is_ok());
    issuer.show(&[&new]);
    // It is still believed: nothing says yet that it is gone.
    assert!(verifier.verify(&token(&old)).await.is_ok());
    assert!(verifier.verify(&token(&new)).await.is_ok());
    let gone = verifier.verify(&token(&old)).await;
    assert_eq!(gone, Err(Unauthenticated::Unsigned));
}

#[tokio::test]
async fn keys_that_are_old_are_asked_for_again_beside() {
    let (old, new) = (Signer::ed25519("old"), Signer::ed25519("new"));
    let issuer = TestIssuer::start(&[&old]).await;
    let pace = Pace {
        fresh: Duration::ZERO,
        between: Duration::from_millis(10),
        ..EAGER
    };
    let verifier = verifier(&issuer, pace);
    let token = old.token("EdDSA", &good(&issuer.url));
    assert!(verifier.verify(&token).await.is_ok());
    issuer.show(&[&new]);
    let is_forgotten = async || verifier.verify(&token).await.is_err();
    until("it is forgotten", is_forgotten).await;
}

#[tokio::test]
async fn whatever_strangers_show_an_issuer_is_not_asked_often() {
    let (known, strange) = (Signer::ed25519("a"), Signer::ed25519("b"));
    let issuer = TestIssuer::start(&[&known]).await;
    let verifier = verifier(&issuer, PACE);
    let token = |signer: &Signer| signer.token("EdDSA", &good(&issuer.url));
    for _ in 0..100 {
        let refused = verifier.verify(&token(&strange)).await;
        assert_eq!(refused, Err(Unauthenticated::Unsigned));
    }
    assert!(verifier.verify(&token(&known)).await.is_ok());
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn everybody_who_waits_for_keys_waits_for_the_same_question() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let verifier = Verifier::at_pace(&options(&issuer.url, None), PACE).unwrap();
    let token = signer.token("EdDSA", &good(&issuer.url));
    let all = futures_util::future::join_all((0..50).map(|_| verifier.verify(&token))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn an_issuer_that_fails_does_not_take_the_keys_away_that_are_known() {
    let (known, strange) = (Signer::ed25519("a"), Signer::ed25519("b"));
    let issuer = TestIssuer::start(&[&known]).await;
    let verifier = verifier(&issuer, EAGER);
    let token = |signer: &Signer| signer.token("EdDSA", &good(&issuer.url));
    assert!(verifier.verify(&token(&known)).await.is_ok());
    let elsewhere = format!("{}/elsewhere", issuer.url);
    for manner in [
        Manner::With("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned()),
        Manner::With(format!(
            "HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n"
        )),
        Manner::With(with_head("{}")),
        Manner::With(with_head("<html>")),
        Manner::With(with_head(&"x".repeat(2 << 20))),
        Manner::With("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned()),
        Manner::With("no HTTP at all\r\n\r\n".to_owned()),
        Manner::With(format!(
            "HTTP/1.1 200 OK\r\nx: {}\r\n\r\n",
            "y".repeat(1 << 20)
        )),
        Manner::With(with_head(
            &json!({"issuer": issuer.url, "jwks_uri": "file:///etc/passwd"}).to_string(),
        )),
        Manner::With(with_head(
            &json!({"issuer": issuer.url, "jwks_uri": elsewhere}).to_string(),
        )),
        Manner::AsAnother,
    ] {
        let asked = issuer.asked();
        issuer.answer(manner.clone());
        let refused = verifier.verify(&token(&strange)).await;
        assert_eq!(refused, Err(Unauthenticated::Unsigned), "{manner:?}");
        assert!(issuer.asked() > asked, "{manner:?}");
        assert!(verifier.verify(&token(&known)).await.is_ok(), "{manner:?}");
    }
    issuer.answer(Manner::Well);
    issuer.show(&[&strange]);
    assert!(verifier.verify(&token(&strange)).await.is_ok());
}

#[tokio::test]
async fn nobody_waits_long_for_an_issuer_that_is_slow() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    issuer.answer(Manner::Silently);
    let pace = Pace {
        between: Duration::ZERO,
        answer: Duration::from_millis(50),
        patience: Duration::from_millis(20),
        ..PACE
    };
    let verifier = verifier(&issuer, pace);
    let token = signer.token("EdDSA", &good(&issuer.url));
    let refused = verifier.verify(&token).await;
    assert_eq!(refused, Err(Unauthenticated::NoKeys));
    issuer.answer(Manner::Well);
    let is_taken = async || verifier.verify(&token).await.is_ok();
    until("it is taken once the issuer answers", is_taken).await;
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_asked_again_with_the_next_token() {
    let signer = Signer::ed25519("a");
    let url = TestIssuer::start(&[]).await.url.clone();
    let verifier = Verifier::at_pace(&options(&url, None), EAGER).unwrap();
    verifier.begin();
    let refused = verifier.verify(&signer.token("EdDSA", &good(&url))).await;
    assert_eq!(refused, Err(Unauthenticated::NoKeys));
}
