use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Answer;
use tonic_health::pb::health_client::HealthClient;
use tower::util::MapRequest;

use super::*;
use crate::cli::CoordinatorArgs;
use crate::options::CoordinatorOptions;
use crate::ports::ListenError;
use stepdown_wire::tls::{Connector, TlsError};

pub(crate) fn options(yaml: &str) -> CoordinatorOptions {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("options.yaml");
    std::fs::write(&path, yaml).expect("a file");
    let words = [
        "-i=127.0.0.1:0",
        "-p=127.0.0.1:0",
        "-m=127.0.0.1:0",
        "--metadata=memory",
    ];
    let args = CoordinatorArgs::from_words(&words).expect("flags");
    CoordinatorOptions::load(args.into_settings(), Some(path)).expect("valid")
}

pub(crate) struct Open {
    pub(crate) internal: String,
    pub(crate) public: String,
    pub(crate) metrics: String,
    count: Metrics,
    pub(crate) ports: Ports,
}

pub(crate) async fn start(yaml: &str) -> Open {
    start_with(yaml, Routes::default()).await
}

/// The same, with something beside health on the public port.
pub(crate) async fn start_with(yaml: &str, admin: Routes) -> Open {
    let listeners = Listeners::bind(&options(yaml)).await.expect("free ports");
    let (internal, public, metrics) = listeners.addresses().expect("addresses");
    let count = Metrics::new().expect("unique names");
    Open {
        internal: internal.to_string(),
        public: public.to_string(),
        metrics: metrics.expect("metrics are on").to_string(),
        ports: Ports::start(listeners, admin, &count),
        count,
    }
}

pub(crate) async fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    endpoint.connect().await.expect("a connection")
}

pub(crate) async fn client(address: &str) -> HealthClient<Channel> {
    HealthClient::new(channel(address).await)
}

pub(crate) fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn both_ports_serve_from_the_start_and_know_no_other_service() {
    let open = start("{}").await;
    for address in [&open.internal, &open.public] {
        let mut client = client(address).await;
        let answer = client.check(ask("")).await.expect("an answer");
        assert_eq!(answer.into_inner().status(), Answer::Serving);
        let error = client
            .check(ask("oxia-readiness"))
            .await
            .expect_err("unknown");
        assert_eq!(error.code(), Code::NotFound);
    }
    open.ports.not_serving().await;
    let answer = client(&open.public).await.check(ask("")).await;
    assert_eq!(
        answer.expect("an answer").into_inner().status(),
        Answer::NotServing
    );
    open.ports.close().await;
}

#[tokio::test]
async fn who_asks_for_the_admin_api_where_it_is_not_is_told_in_words_where_it_is() {
    let open = start("{}").await;
    let endpoint = Endpoint::from_shared(format!("http://{}", open.public)).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    let elsewhere = MapRequest::new(channel, |mut request: http::Request<Body>| {
        *request.uri_mut() = http::Uri::from_static("/io.oxia.proto.v1.OxiaAdmin/GetNamespace");
        request
    });
    let error = HealthClient::new(elsewhere)
        .check(ask(""))
        .await
        .expect_err("there is none");
    assert_eq!(error.code(), Code::Unimplemented);
    for told in [
        "OxiaAdmin/GetNamespace",
        "io.oxia.proto.v1.OxiaAdmin",
        "stepdown.operator.v1.Operator",
    ] {
        assert!(error.message().contains(told), "{error}");
    }
    open.ports.close().await;
}

#[tokio::test]
async fn who_could_not_lead_is_alive_and_not_ready() {
    let open = start("{}").await;
    let mut client = client(&open.internal).await;
    for is_ready in [true, false, true] {
        open.ports.ready(is_ready).await;
        let answer = client.check(ask("stepdown-readiness")).await;
        let expected = match is_ready {
            true => Answer::Serving,
            false => Answer::NotServing,
        };
        assert_eq!(answer.expect("an answer").into_inner().status(), expected);
        let answer = client.check(ask("")).await.expect("an answer");
        assert_eq!(answer.into_inner().status(), Answer::Serving);
    }
    open.ports.not_serving().await;
    let answer = client.check(ask("stepdown-readiness")).await;
    assert_eq!(
        answer.expect("an answer").into_inner().status(),
        Answer::NotServing
    );
    open.ports.close().await;
}

#[tokio::test]
async fn closing_tells_those_who_watch_and_does_not_wait_for_them() {
    let open = start("{}").await;
    let mut client = client(&open.internal).await;
    let mut watch = client.watch(ask("")).await.expect("a stream").into_inner();
    let first = watch.message().await.expect("no error").expect("a message");
    assert_eq!(first.status(), Answer::Serving);

    let close = tokio::spawn(open.ports.close());
    let second = watch.message().await.expect("no error").expect("a message");
    assert_eq!(second.status(), Answer::NotServing);
    assert_eq!(watch.message().await.expect("a clean end"), None);
    close.await.expect("it closes");
    assert!(TcpStream::connect(&open.internal).await.is_err());
}

#[tokio::test]
async fn a_busy_port_is_told_with_the_flag_that_set_it() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = taken.local_addr().expect("an address");
    let yaml = format!("server: {{public: {{bindAddress: '{address}'}}}}");
    let error = Listeners::bind(&options(&yaml))
        .await
        .expect_err("it is taken");
    assert!(matches!(error, ListenError::Address { .. }));
    let text = error.to_string();
    assert!(
        text.contains("--public-addr") && text.contains(&address.to_string()),
        "{text}"
    );
}

pub(crate) async fn get(address: &str, path: &str, header: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    answer
}

#[tokio::test]
async fn metrics_are_served_as_text_and_nothing_else_is_there() {
    let open = start("{}").await;
    let text = String::from_utf8(get(&open.metrics, "/metrics", "").await).expect("text");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(
        text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{text}"
    );
    assert!(
        text.contains("\nstepdown_role{role=\"candidate\"} 1\n"),
        "{text}"
    );
    let missing = get(&open.metrics, "/", "").await;
    assert!(missing.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    let packed = get(&open.metrics, "/metrics", "Accept-Encoding: gzip\r\n").await;
    assert!(String::from_utf8_lossy(&packed).contains("content-encoding: gzip\r\n"));
    assert!(packed.windows(2).any(|pair| pair == [0x1f, 0x8b]));
    open.ports.close().await;
}

#[tokio::test]
async fn served_calls_are_counted_with_their_messages_and_codes() {
    let open = start("{}").await;
    let mut client = client(&open.internal).await;
    client.check(ask("")).await.expect("an answer");
    client.check(ask("other")).await.expect_err("unknown");
    let mut watch = client.watch(ask("")).await.expect("a stream").into_inner();
    watch.message().await.expect("no error").expect("a message");
    let count = open.count.clone();
    open.ports.close().await;
    assert_eq!(
        watch.message().await.expect("no error").map(|m| m.status()),
        Some(Answer::NotServing)
    );

    let text = count.text().expect("text");
    let check = r#"grpc_method="Check",grpc_service="grpc.health.v1.Health",grpc_type="unary"} "#;
    let watch =
        r#"grpc_method="Watch",grpc_service="grpc.health.v1.Health",grpc_type="server_stream"} "#;
    for line in [
        format!("grpc_server_started_total{{{check}2"),
        format!("grpc_server_msg_received_total{{{check}2"),
        format!("grpc_server_msg_sent_total{{{check}1"),
        format!("grpc_server_handled_total{{grpc_code=\"OK\",{check}1"),
        format!("grpc_server_handled_total{{grpc_code=\"NotFound\",{check}1"),
        format!("grpc_server_msg_sent_total{{{watch}2"),
        format!("grpc_server_handled_total{{grpc_code=\"OK\",{watch}1"),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
    }
}

fn write_certificate(dir: &Path) -> CertifiedKey<KeyPair> {
    let pair = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(dir.join("cert.pem"), pair.cert.pem()).expect("a file");
    std::fs::write(dir.join("key.pem"), pair.signing_key.serialize_pem()).expect("a file");
    pair
}

/// Shakes hands with a server whose certificate must be this one.
async fn shake_hands(address: &str, trusted: &CertifiedKey<KeyPair>) -> std::io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, stream).await?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = write_certificate(dir.path());
    let open = start(&format!(
        "observability: {{metric: {{tls: {{certFile: {0}/cert.pem, keyFile: {0}/key.pem}}}}}}",
        dir.path().display()
    ))
    .await;
    let answer = shake_hands(&open.metrics, &first).await.expect("trusted");
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));

    let second = write_certificate(dir.path());
    assert!(shake_hands(&open.metrics, &first).await.is_err());
    shake_hands(&open.metrics, &second).await.expect("trusted");

    std::fs::write(dir.path().join("key.pem"), "half written").expect("a file");
    shake_hands(&open.metrics, &second)
        .await
        .expect("the last good one");
    open.ports.close().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_told_with_its_file() {
    let yaml = "server: {internal: {tls: {certFile: /nowhere/c, keyFile: /nowhere/k}}}";
    let error = Listeners::bind(&options(yaml))
        .await
        .expect_err("no such file");
    assert!(matches!(
        &error,
        ListenError::Tls { source: TlsError::File { path, .. }, .. } if path == "/nowhere/c"
    ));
    assert!(error.to_string().contains("--internal-addr"));
}

#[tokio::test]
async fn a_connector_presents_its_certificate_and_checks_the_servers() {
    let dir = tempfile::tempdir().expect("a directory");
    write_certificate(dir.path());
    let pair = format!(
        "certFile: {0}/cert.pem, keyFile: {0}/key.pem, trustedCaFile: {0}/cert.pem",
        dir.path().display()
    );
    let open = start(&format!(
        "server: {{internal: {{tls: {{{pair}, clientAuth: true}}}}}}"
    ))
    .await;
    let ask_over = async |more: &str| {
        let options = options(&format!("controller: {{tls: {{{pair}{more}}}}}"));
        let connector = Connector::new(&options.controller_tls.expect("on")).expect("valid");
        let endpoint = Endpoint::from_shared(format!("http://{}", open.internal)).expect("a URI");
        let channel = endpoint.connect_with_connector(connector).await.ok()?;
        HealthClient::new(channel).check(ask("")).await.ok()
    };
    assert!(ask_over(", serverName: localhost").await.is_some());
    assert!(ask_over(", insecureSkipVerify: true").await.is_some());
    assert!(ask_over(", serverName: elsewhere").await.is_none());
    assert!(
        ask_over("").await.is_none(),
        "the certificate is not for 127.0.0.1"
    );
    let plain = Endpoint::from_shared(format!("http://{}", open.internal)).expect("a URI");
    let plain = match plain.connect().await {
        Ok(channel) => HealthClient::new(channel).check(ask("")).await.ok(),
        Err(_) => None,
    };
    assert!(plain.is_none());
    open.ports.close().await;
}
