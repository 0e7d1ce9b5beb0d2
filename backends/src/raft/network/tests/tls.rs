//! Encrypted, and with certificates of both sides.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use stepdown_wire::tls::{Connector, TlsOptions};

use super::support::{LONG, Node, OURS, append, connections, connections_with};
use crate::raft::network::{Connections, Deadlines};

/// Writes an authority, and a certificate by it.
pub fn certificate(dir: &Path) -> TlsOptions {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&key).unwrap().pem();
    std::fs::write(dir.join("ca.pem"), pem).unwrap();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let node = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let pem = node.signed_by(&key, &issuer).unwrap().pem();
    std::fs::write(dir.join("cert.pem"), pem).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
    TlsOptions {
        trusted_ca_file: Some(dir.join("ca.pem")),
        client_auth: true,
        ..TlsOptions::new(dir.join("cert.pem"), dir.join("key.pem"))
    }
}

fn over_tls(options: &TlsOptions) -> Connections {
    let connector = Connector::new(options).unwrap();
    connections_with(1, OURS, Some(connector), Deadlines::default())
}

#[tokio::test]
async fn only_who_has_a_certificate_of_the_authority_is_heard() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (certificate(ours.path()), certificate(theirs.path()));
    let node = Node::start_at("127.0.0.1:0", 2, OURS, Some(&ours)).await;
    let address = node.address().to_string();

    let mut friend = over_tls(&ours).peer(2, &address);
    append(&mut friend, LONG).await.unwrap();
    let of_another_authority = TlsOptions {
        trusted_ca_file: ours.trusted_ca_file.clone(),
        ..theirs.clone()
    };
    for stranger in [
        over_tls(&of_another_authority),
        over_tls(&theirs),
        connections(1, OURS),
    ] {
        append(&mut stranger.peer(2, &address), LONG)
            .await
            .unwrap_err();
    }
    assert_eq!(node.heard.counts(), [1, 0, 0, 0]);
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_used_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = certificate(dir.path());
    let of_the_server = TlsOptions {
        trusted_ca_file: None,
        client_auth: false,
        ..options.clone()
    };
    let node = Node::start_at("127.0.0.1:0", 2, OURS, Some(&of_the_server)).await;
    let address = node.address().to_string();
    append(&mut over_tls(&options).peer(2, &address), LONG)
        .await
        .unwrap();

    // By another authority, the only one that this client trusts.
    let renewed = certificate(dir.path());
    append(&mut over_tls(&renewed).peer(2, &address), LONG)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_authority_that_a_bundle_gains_is_trusted_on_both_sides_without_a_restart() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ours, theirs) = (certificate(ours.path()), certificate(theirs.path()));
    let node = Node::start_at("127.0.0.1:0", 2, OURS, Some(&ours)).await;
    let address = node.address().to_string();
    let client = over_tls(&theirs);
    append(&mut client.peer(2, &address), LONG)
        .await
        .unwrap_err();

    let bundles = [&ours, &theirs].map(|it| it.trusted_ca_file.clone().unwrap());
    let both: String = bundles
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for path in &bundles {
        std::fs::write(path, &both).unwrap();
    }
    append(&mut client.peer(2, &address), LONG).await.unwrap();
}
