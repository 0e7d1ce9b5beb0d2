//! Who is let in, on real ports, and who they are found to be.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::Path;
use std::task::{Context, Poll};

use http::{Request, Response};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use tonic::Code;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint};
use tower::{Service, ServiceExt};

use super::tests::{Open, ask, channel, client, options, start_with};
use super::*;
use crate::auth::tests::TestIssuer;
use crate::auth::tests::signer::{Signer, good};
use crate::auth::{Caller, Door};
use stepdown_wire::port::Peer;
use stepdown_wire::tls::Connector;

/// Says who calls, as an error: that needs no messages.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(!request.headers().contains_key("authorization"));
        let caller = request.extensions().get::<Caller>().unwrap();
        let Caller {
            subject, how, peer, ..
        } = caller;
        let words = (how.word(), subject.as_deref().unwrap_or(""), &*peer.names);
        let is_here = peer.remote.is_some_and(|it| it.ip().is_loopback());
        assert!(is_here);
        ready(Ok(
            Status::data_loss(format!("{words:?}")).into_http::<Body>()
        ))
    }
}

async fn open(public: &str) -> Open {
    let yaml = format!("server: {{public: {public}}}");
    start_with(&yaml, Routes::default().add_service(Echo)).await
}

fn request(path: &str, authorization: &[&str]) -> Request<Body> {
    let mut request = Request::post(format!("http://a{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for value in authorization {
        request = request.header("authorization", *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn call(channel: &mut Channel, path: &str, authorization: &[&str]) -> Status {
    let channel = channel.ready().await.unwrap();
    let response = channel.call(request(path, authorization)).await.unwrap();
    Status::from_header_map(response.headers()).expect("a status in the head")
}

fn auth(issuer: &TestIssuer) -> String {
    format!(
        r#"auth: {{provider: oidc, providerParams: '{{"issuers": {{"{}": {{"allowedAudiences": "oxia"}}}}}}'}}"#,
        issuer.url
    )
}

/// Ports whose public one asks for tokens of this issuer.
async fn open_to_tokens_of(issuer: &TestIssuer) -> Open {
    open(&format!("{{bindAddress: '127.0.0.1:0', {}}}", auth(issuer))).await
}

#[tokio::test]
async fn a_port_that_asks_for_tokens_lets_nobody_in_without_but_whoever_asks_for_its_health() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let open = open_to_tokens_of(&issuer).await;
    let token = signer.token("EdDSA", &good(&issuer.url));
    let bearer = format!("Bearer {token}");
    let mut channel = channel(&open.public).await;
    for (path, authorization, code, message) in [
        (
            "/test.Echo/Who",
            &[][..],
            Code::Unauthenticated,
            "empty token",
        ),
        (
            "/test.Echo/Who",
            &[""],
            Code::Unauthenticated,
            "empty token",
        ),
        (
            "/test.Echo/Who",
            &["Bearer "],
            Code::Unauthenticated,
            "empty token",
        ),
        (
            "/test.Echo/Who",
            &["Basic eDp5"],
            Code::Unauthenticated,
            "malformed token",
        ),
        (
            "/test.Echo/Who",
            &[&bearer, &bearer],
            Code::Unauthenticated,
            "malformed token",
        ),
        (
            "/test.Echo/Who",
            &[&bearer],
            Code::DataLoss,
            r#"("token", "alice", [])"#,
        ),
        (
            "/test.Echo/Who",
            &[&token],
            Code::DataLoss,
            r#"("token", "alice", [])"#,
        ),
        (
            "/any.Service/Method",
            &[],
            Code::Unauthenticated,
            "empty token",
        ),
        (
            "/grpc.health.v1.Healthy/Check",
            &[],
            Code::Unauthenticated,
            "empty token",
        ),
        (
            "//grpc.health.v1.Health/Check",
            &[],
            Code::Unauthenticated,
            "empty token",
        ),
    ] {
        let status = call(&mut channel, path, authorization).await;
        assert_eq!((status.code(), status.message()), (code, message), "{path}");
    }
    let lower = bearer.replacen("Bearer", "bearer", 1);
    let status = call(&mut channel, "/test.Echo/Who", &[&lower]).await;
    assert_eq!(status.code(), Code::DataLoss);
    let status = call(&mut channel, "/any.Service/Method", &[&bearer]).await;
    assert_eq!(status.code(), Code::Unimplemented);
    let answer = client(&open.public).await.check(ask("")).await;
    assert!(answer.is_ok());
    open.ports.close().await;
}

#[tokio::test]
async fn a_token_as_large_as_may_be_comes_through_and_one_that_is_larger_does_not() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let open = open_to_tokens_of(&issuer).await;
    let mut channel = channel(&open.public).await;
    let mut claims = good(&issuer.url);
    claims["groups"] = vec!["g".repeat(1000); 11].into();
    let token = signer.token("EdDSA", &claims);
    assert!(token.len() > 14_000);
    let status = call(&mut channel, "/test.Echo/Who", &[&token]).await;
    assert_eq!(status.code(), Code::DataLoss, "{status}");
    let token = "a".repeat(17 << 10);
    let status = call(&mut channel, "/test.Echo/Who", &[&token]).await;
    assert_eq!(status.message(), "malformed token");
    let large = "a".repeat(40 << 10);
    let ready = channel.ready().await.unwrap();
    let response = ready.call(request("/test.Echo/Who", &[&large])).await;
    assert!(response.is_err() || response.unwrap().status() != 200);
    open.ports.close().await;
}

#[tokio::test]
async fn where_nothing_is_asked_for_a_token_is_nothing() {
    let open = open("{bindAddress: '127.0.0.1:0'}").await;
    let mut channel = channel(&open.public).await;
    let status = call(&mut channel, "/test.Echo/Who", &["Bearer x"]).await;
    assert_eq!(status.message(), r#"("anonymous", "", [])"#);
    open.ports.close().await;
}

#[tokio::test]
async fn a_port_whose_keys_can_not_be_read_is_not_opened() {
    let params = r#"{"issuers": {"a": {"allowedAudiences": "b", "staticKeyFile": "/nowhere/k"}}}"#;
    let yaml =
        format!("server: {{public: {{auth: {{provider: oidc, providerParams: '{params}'}}}}}}");
    let error = Listeners::bind(&options(&yaml)).await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("/nowhere/k") && error.contains("--public-addr"),
        "{error}"
    );
}

/// An authority, and a certificate of it with these names for either side.
pub(crate) fn write_certificates(directory: &Path) {
    let at = |name: &str| directory.join(name);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "operator");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(at("ca.pem"), authority.pem()).unwrap();
    std::fs::write(at("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(at("key.pem"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn whoever_shows_a_certificate_is_known_by_its_names_and_has_a_token_beside() {
    let directory = tempfile::tempdir().unwrap();
    write_certificates(directory.path());
    let files = format!(
        "certFile: {0}/cert.pem, keyFile: {0}/key.pem, trustedCaFile: {0}/ca.pem",
        directory.path().display()
    );
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let token = signer.token("EdDSA", &good(&issuer.url));
    let names = r#"["operator", "localhost"]"#;
    for (more, authorization, message) in [
        (
            String::new(),
            &[][..],
            format!(r#"("certificate", "operator", {names})"#),
        ),
        (auth(&issuer), &[], "empty token".to_owned()),
        (
            auth(&issuer),
            &[&*token],
            format!(r#"("token", "alice", {names})"#),
        ),
    ] {
        let open = open(&format!(
            "{{bindAddress: '127.0.0.1:0', tls: {{{files}}}, {more}}}"
        ))
        .await;
        let ours = options(&format!(
            "controller: {{tls: {{{files}, serverName: localhost}}}}"
        ));
        let connector = Connector::new(&ours.controller_tls.unwrap()).unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{}", open.public)).unwrap();
        let mut channel = endpoint.connect_with_connector(connector).await.unwrap();
        let status = call(&mut channel, "/test.Echo/Who", authorization).await;
        assert_eq!(status.message(), message);
        open.ports.close().await;
    }
}

#[tokio::test]
async fn a_token_that_others_may_have_read_is_refused_though_it_is_good() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let yaml = format!("server: {{public: {{{}}}}}", auth(&issuer));
    let auth = options(&yaml).public.auth.unwrap();
    let verifier = crate::auth::Verifier::open(&auth).unwrap();
    let token = signer.token("EdDSA", &good(&issuer.url));
    for (remote, local, is_encrypted, code) in [
        ("127.0.0.1:5", "127.0.0.1:6", false, Code::DataLoss),
        ("10.0.0.1:5", "10.0.0.2:6", false, Code::Unauthenticated),
        ("127.0.0.1:5", "10.0.0.2:6", false, Code::Unauthenticated),
        ("127.0.0.1:5", "10.0.0.2:6", true, Code::DataLoss),
    ] {
        let service = tower::service_fn(|_: Request<Body>| async {
            Ok::<_, Infallible>(Status::data_loss("").into_http::<Body>())
        });
        let mut guarded = tower::Layer::layer(&Door::new(Some(verifier.clone())), service);
        let mut request = request("/test.Echo/Who", &[&token]);
        request.extensions_mut().insert(Peer {
            remote: remote.parse().ok(),
            local: local.parse().ok(),
            is_encrypted,
            names: [].into(),
        });
        let response = guarded.call(request).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), code, "{remote} {local}");
        if code == Code::Unauthenticated {
            assert!(status.message().contains("in plaintext"), "{status}");
        }
    }
}
