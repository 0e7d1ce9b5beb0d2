//! How etcd and an API server are started, and the files that they need for it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;

pub(super) fn etcd(dir: &Path, client: SocketAddr, peer: SocketAddr) -> Vec<String> {
    vec![
        format!("--data-dir={}", dir.join("etcd").display()),
        format!("--listen-client-urls=http://{client}"),
        format!("--advertise-client-urls=http://{client}"),
        format!("--listen-peer-urls=http://{peer}"),
        format!("--initial-advertise-peer-urls=http://{peer}"),
        format!("--initial-cluster=default=http://{peer}"),
    ]
}

/// Whoever shows the token may do anything.
pub(super) fn kube_apiserver(
    dir: &Path,
    etcd: SocketAddr,
    secure: SocketAddr,
    token: &str,
) -> Vec<String> {
    let key = KeyPair::generate().expect("a key can be made");
    let file = |name: &str, text: String| {
        let path = dir.join(name);
        fs::write(&path, text).expect("a temporary file can be written");
        path.display().to_string()
    };
    let public = file("accounts.pub", key.public_key_pem());
    let private = file("accounts.key", key.serialize_pem());
    let tokens = file(
        "tokens.csv",
        format!("{token},admin,admin,system:masters\n"),
    );
    vec![
        format!("--etcd-servers=http://{etcd}"),
        format!("--bind-address={}", secure.ip()),
        format!("--advertise-address={}", secure.ip()),
        format!("--secure-port={}", secure.port()),
        format!("--cert-dir={}", certificates(dir).display()),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={public}"),
        format!("--service-account-signing-key-file={private}"),
        format!("--token-auth-file={tokens}"),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        // With it, watches without a version fail where etcd is older than 3.4.31 or 3.5.13.
        "--feature-gates=WatchList=false".to_owned(),
    ]
}

/// Where an API server puts the certificate that it signs for itself.
pub(super) fn certificate(dir: &Path) -> PathBuf {
    certificates(dir).join("apiserver.crt")
}

fn certificates(dir: &Path) -> PathBuf {
    dir.join("certificates")
}
