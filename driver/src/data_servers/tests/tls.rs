//! Encrypted connections.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use stepdown_core::call::CallErrorKind;

use super::super::{CallOptions, DataServers};
use super::peer::{Peer, identity};
use super::{new_term, servers, servers_with};
use crate::options::TlsOptions;
use stepdown_wire::tls::Connector;

fn certificate(dir: &Path) -> CertifiedKey<KeyPair> {
    let key = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), key.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.signing_key.serialize_pem()).unwrap();
    key
}

async fn start(key: &CertifiedKey<KeyPair>, protocol: &[u8]) -> Peer {
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    Peer::start_at("127.0.0.1:0", Some(Arc::new(config))).await
}

fn over_tls(dir: &Path, server_name: &str) -> DataServers {
    trusting(&dir.join("cert.pem"), dir, server_name)
}

fn trusting(authorities: &Path, dir: &Path, server_name: &str) -> DataServers {
    let options = TlsOptions {
        trusted_ca_file: Some(authorities.to_path_buf()),
        server_name: Some(server_name.to_owned()),
        ..TlsOptions::new(dir.join("cert.pem"), dir.join("key.pem"))
    };
    servers_with(CallOptions {
        tls: Some(Connector::new(&options).unwrap()),
        ..CallOptions::default()
    })
}

#[tokio::test]
async fn controller_tls_encrypts_every_address_and_checks_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let peer = start(&certificate(dir.path()), b"h2").await;
    let prefixed = identity(&format!("tls://{}", peer.address));
    for server in [peer.identity(), prefixed] {
        let servers = over_tls(dir.path(), "localhost");
        servers.call(&server, new_term(1)).await.unwrap();
    }
    let impostor = over_tls(dir.path(), "elsewhere");
    let error = impostor.call(&peer.identity(), new_term(1)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Unreachable);
    assert!(error.message.contains("tls"), "{error}");
}

#[tokio::test]
async fn a_data_server_is_believed_once_its_authority_is_added_to_those_that_are_trusted() {
    let [old, new] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (of_old, of_new) = (certificate(old.path()), certificate(new.path()));
    let authorities = old.path().join("authorities.pem");
    std::fs::write(&authorities, of_old.cert.pem()).unwrap();
    let servers = trusting(&authorities, old.path(), "localhost");
    let before = start(&of_new, b"h2").await;
    let refused = servers.call(&before.identity(), new_term(1)).await;
    assert_eq!(refused.unwrap_err().kind, CallErrorKind::Unreachable);
    std::fs::write(&authorities, of_old.cert.pem() + &of_new.cert.pem()).unwrap();
    for key in [&of_new, &of_old] {
        let peer = start(key, b"h2").await;
        servers.call(&peer.identity(), new_term(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_prefixed_address_is_never_spoken_to_in_the_clear() {
    let peer = Peer::start().await;
    let server = identity(&format!("tls://{}", peer.address));
    let answer = servers().call(&server, new_term(1)).await;
    assert_eq!(answer.unwrap_err().kind, CallErrorKind::Unreachable);
    assert!(peer.heard.headers.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_prefixed_address_must_show_a_certificate_that_the_system_trusts() {
    let dir = tempfile::tempdir().unwrap();
    let peer = start(&certificate(dir.path()), b"h2").await;
    let server = identity(&format!("tls://localhost:{}", peer.address.port()));
    let answer = servers().call(&server, new_term(1)).await;
    assert_eq!(answer.unwrap_err().kind, CallErrorKind::Unreachable);
}

#[tokio::test]
async fn a_port_that_does_not_speak_http2_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let peer = start(&certificate(dir.path()), b"http/1.1").await;
    let servers = over_tls(dir.path(), "localhost");
    let error = servers.call(&peer.identity(), new_term(1)).await;
    assert_eq!(error.unwrap_err().kind, CallErrorKind::Unreachable);
}
