//! People are answered over TLS as nodes are, and only those with a certificate.

use crate::raft::admin::AdminClient;
use crate::raft::network::tests::tls::certificate;

use super::support::Served;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_people_with_a_certificate_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let options = certificate(dir.path());
    let node = Served::start_over("127.0.0.1:0", "a", 1, Some(&options)).await;
    let addresses = vec![node.member.address.clone()];
    let client = AdminClient::new(addresses.clone(), Some(&options)).unwrap();
    assert_eq!(client.status().await.unwrap().node, 1);
    let stranger = AdminClient::new(addresses, None).unwrap();
    let refused = stranger.status().await.unwrap_err().to_string();
    assert!(refused.contains("no node answers"), "{refused}");
}
