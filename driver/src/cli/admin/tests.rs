//! From one port to the next, in one process.

mod effects;
mod fake;

use std::convert::Infallible;
use std::fs;
use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use http::{Request, Response};
use stepdown_wire::error::{COORDINATOR_LEADER, Reason, to_status};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

use super::*;
use crate::auth::Caller;
use crate::auth::tests::TestIssuer;
use crate::auth::tests::signer::{Signer, good};
use crate::cli::{Cli, Command};
use crate::ports::tests::{Open, start_with};
use crate::ports::tokens::write_certificates;

/// Names the leader, or says who asks if there is none to name: as an error, which needs no messages.
#[derive(Clone)]
struct Coordinator(Arc<OnceLock<String>>);

impl NamedService for Coordinator {
    const NAME: &'static str = "io.oxia.proto.v1.OxiaAdmin";
}

impl Service<Request<Body>> for Coordinator {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<Caller>().unwrap();
        let status = match self.0.get() {
            Some(leader) => to_status(Reason::NodeIsNotLeader, [(COORDINATOR_LEADER, &**leader)]),
            None => Status::data_loss(format!("asked by {:?}", caller.subject)),
        };
        ready(Ok(status.into_http()))
    }
}

async fn open(public: &str, leader: Option<String>) -> Open {
    let yaml = format!("server: {{public: {{bindAddress: '127.0.0.1:0', {public}}}}}");
    let leader = leader.map_or_else(OnceLock::new, OnceLock::from);
    start_with(&yaml, Routes::new(Coordinator(Arc::new(leader)))).await
}

async fn asked(address: &str, flags: &[&str]) -> String {
    let words = [flags, &["namespace", "list"]].concat();
    let told = run(address, &words.join(" ")).await;
    told.unwrap_err().to_string()
}

/// Runs `stepdown admin` with these words.
async fn run(address: &str, words: &str) -> Result<String, AdminCommandError> {
    let address = format!("--admin-address={address}");
    let words = ["stepdown", "admin", &address]
        .into_iter()
        .chain(words.split(' '));
    let cli = Cli::read(words.map(Into::into)).unwrap();
    let Command::Admin(args) = cli.command else {
        panic!("it is another command");
    };
    ask(args).await
}

#[tokio::test]
async fn the_token_goes_with_the_call_to_whoever_is_named_as_the_leader() {
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let token = signer.token("EdDSA", &good(&issuer.url));
    fs::write(&file, format!("{token}\n")).unwrap();
    let auth = format!(
        r#"auth: {{provider: oidc, providerParams: '{{"issuers": {{"{}": {{"allowedAudiences": "oxia"}}}}}}'}}"#,
        issuer.url
    );
    let leads = open(&auth, None).await;
    let stands_by = open(&auth, Some(leads.public.clone())).await;
    let without = asked(&stands_by.public, &[]).await;
    let told = "Unauthenticated: empty token (--token-file)";
    assert_eq!(without, format!("{}: {told}", stands_by.public));
    let flag = format!("--auth-token-file={}", file.display());
    let with = asked(&stands_by.public, &[&flag]).await;
    assert_eq!(
        with,
        format!(
            "{}, named by {}: DataLoss: asked by Some(\"alice\")",
            leads.public, stands_by.public
        )
    );
    leads.ports.close().await;
    stands_by.ports.close().await;
}

#[tokio::test]
async fn two_that_name_each_other_are_asked_once_each() {
    let leader = Arc::new(OnceLock::new());
    let first = start_with("{}", Routes::new(Coordinator(leader.clone()))).await;
    let other = open("", Some(first.public.clone())).await;
    let second = &other.public;
    leader.set(second.clone()).unwrap();
    let told = asked(&first.public, &[]).await;
    let expected = format!(
        "{second}, named by {0} names {0} as the leader",
        first.public
    );
    assert!(told.starts_with(&expected), "{told}");
    first.ports.close().await;
    other.ports.close().await;
}

#[tokio::test]
async fn a_token_is_sent_to_nobody_beyond_this_host_in_plaintext_whoever_names_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    fs::write(&file, "secret").unwrap();
    let flag = format!("--token-file={}", file.display());
    // Nobody is there; nobody is asked, either.
    let beyond = "192.0.2.1:6651";
    let told = asked(beyond, &[&flag]).await;
    assert!(
        told.contains("plaintext") && told.contains("--tls"),
        "{told}"
    );
    let names = open("", Some(beyond.to_owned())).await;
    let told = asked(&names.public, &[&flag]).await;
    let expected = format!("{beyond}, named by {}: a token is not sent", names.public);
    assert!(told.starts_with(&expected), "{told}");
    names.ports.close().await;
}

#[tokio::test]
async fn over_tls_each_side_shows_the_certificate_that_the_other_wants() {
    let directory = tempfile::tempdir().unwrap();
    write_certificates(directory.path());
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (ca, cert, key) = (at("ca.pem"), at("cert.pem"), at("key.pem"));
    let tls = format!("tls: {{certFile: {cert}, keyFile: {key}, trustedCaFile: {ca}}}");
    let open = open(&tls, None).await;
    let named = "--tls-server-name=localhost";
    let trusted = format!("--tls-trusted-ca-file={ca}");
    let shown = [
        named,
        &trusted,
        &format!("--tls-cert-file={cert}"),
        &format!("--tls-key-file={key}"),
    ];
    for (flags, expected) in [
        (&[named, &trusted][..], "DataLoss: asked by None"),
        (&shown, "DataLoss: asked by Some(\"operator\")"),
        (&[&trusted], "certificate"),
        (&[named], "authorities"),
        (&["--tls", named, shown[2]], "both needed"),
    ] {
        let told = asked(&open.public, flags).await;
        assert!(told.contains(expected), "{flags:?}: {told}");
    }
    open.ports.close().await;
}

#[tokio::test]
async fn who_is_refused_in_the_handshake_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    write_certificates(directory.path());
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (ca, cert, key) = (at("ca.pem"), at("cert.pem"), at("key.pem"));
    let files = format!("certFile: {cert}, keyFile: {key}, trustedCaFile: {ca}");
    let open = open(&format!("tls: {{{files}, clientAuth: true}}"), None).await;
    let flags = [
        "--tls-server-name=localhost",
        &format!("--tls-trusted-ca-file={ca}"),
    ];
    let told = asked(&open.public, &flags).await;
    assert!(told.contains("CertificateRequired"), "{told}");
    open.ports.close().await;
}

#[tokio::test]
async fn a_file_without_a_token_is_named_and_what_is_in_it_is_not_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let flag = format!("--token-file={}", file.display());
    for content in [
        None,
        Some(" \n".to_owned()),
        Some("secret\nsecret".to_owned()),
        Some("secret".repeat(3_000)),
    ] {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let told = asked("127.0.0.1:1", &[&flag]).await;
        assert!(told.contains(&file.display().to_string()), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}
