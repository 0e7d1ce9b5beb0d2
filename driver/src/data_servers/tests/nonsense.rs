//! A data server, or whoever answers in its place, that says what can't be.

use stepdown_core::ShardId;
use stepdown_core::call::{Call, CallErrorKind};
use stepdown_wire::replication::{EntryId, GetStatusResponse, ServingStatus};

use super::super::CallOptions;
use super::peer::Peer;
use super::{new_term, servers, servers_with};
use crate::observe::Metrics;

#[tokio::test]
async fn a_head_that_cannot_be_is_an_error_of_that_server_and_counted() {
    let peer = Peer::start().await;
    let metrics = Metrics::new().unwrap();
    let servers = servers_with(CallOptions {
        nonsense: Some(metrics.nonsense.clone()),
        ..CallOptions::default()
    });
    for (term, offset) in [(i64::MAX, i64::MAX), (i64::MIN, i64::MIN), (5, 1), (3, -2)] {
        *peer.heard.head.lock().unwrap() = Some(EntryId { term, offset });
        let answer = servers.call(&peer.identity(), new_term(1)).await;
        let error = answer.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Refused, "{error}");
        assert!(error.message.contains("can't end with"), "{error}");
    }
    let text = metrics.text().unwrap();
    let count = format!(
        "stepdown_data_server_nonsense_total{{data_server=\"{}\"}} 4",
        peer.address
    );
    assert!(text.lines().any(|line| line == count), "{text}");
}

#[tokio::test]
async fn a_status_that_cannot_be_is_an_error() {
    let peer = Peer::start().await;
    let committed = GetStatusResponse {
        term: 5,
        status: ServingStatus::Leader.into(),
        head_offset: i64::MAX,
        commit_offset: i64::MAX,
        shard_stats: None,
    };
    *peer.heard.status.lock().unwrap() = Some(committed);
    let shard = ShardId(1);
    let (servers, asked) = (servers(), peer.identity());
    let answer = servers.call(&asked, Call::GetStatus { shard }).await;
    assert_eq!(answer.unwrap_err().kind, CallErrorKind::Refused);
}

#[tokio::test]
async fn an_answer_that_is_larger_than_any_is_not_read() {
    let peer = Peer::start().await;
    *peer.heard.features.lock().unwrap() = vec![1; 100_000];
    let servers = servers();
    let answer = servers.call(&peer.identity(), Call::Handshake).await;
    let error = answer.unwrap_err();
    assert!(error.message.contains("too large"), "{error}");
    servers.call(&peer.identity(), new_term(1)).await.unwrap();
}
