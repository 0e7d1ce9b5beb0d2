//! Both documents go out and come in.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::Epoch;
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_wire::raft as wire;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tower::ServiceExt;

use super::support::{LIMIT, cluster, follower};
use crate::raft::fixtures::{alone, status, write_id};

const CONFIGURATION: &str = "\
namespaces:
  - name: default
    replicationFactor: 1
    initialShardCount: 2
servers:
  - public: a:6648
    internal: a:6649
";

fn text_of(text: &str, replaced: Option<u64>) -> wire::ImportStatusRequest {
    wire::ImportStatusRequest {
        text: text.to_owned(),
        replaced,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_comes_in_is_there_as_somebody_elses() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let backend = nodes[0].backend();
    let stored = status(3);
    let text = stored.encode();
    let imported = nodes[0].client().import_status(text_of(&text, None)).await;
    let imported = imported.unwrap();
    assert_eq!(
        imported.version.map(|it| (it.version, it.shards)),
        Some((1, 3))
    );
    let LoadOutcome::Found(found) = backend.store.load().await else {
        panic!("it is there");
    };
    assert!(!found.intact && *found.status == stored);
    let exported = nodes[0].client().export().await.unwrap().status.unwrap();
    assert_eq!(ClusterStatus::decode(&exported.text), Ok(stored));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exported_status_that_a_coordinator_wrote_says_that_it_is_whole() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let node = &nodes[0];
    let backend = node.backend();
    let (sender, mut reports) = tokio::sync::mpsc::channel(8);
    let leadership = backend.leadership.clone();
    tokio::spawn(async move { leadership.lead(sender).await });
    timeout(LIMIT, reports.recv()).await.unwrap().unwrap();
    let document = StatusDocument {
        admits: false,
        epoch: Epoch(4),
        write_id: write_id(4, 1),
        status: Arc::new(status(2)),
    };
    let outcome = backend.store.store(None, document).await;
    assert!(matches!(outcome, StoreOutcome::Stored(_)), "{outcome:?}");
    let text = node.client().export().await.unwrap().status.unwrap().text;
    assert!(text.starts_with("# oxia v1 version=1 epoch=4"), "{text}");
    // Cut short anywhere, it is not taken in.
    let cut = text_of(&text[..text.len() - 10], Some(1));
    let refused = node.client().import_status(cut).await.unwrap_err();
    assert!(refused.to_string().contains("cut short"), "{refused}");
    let imported = node.client().import_status(text_of(&text, Some(1))).await;
    assert_eq!(imported.unwrap().version.map(|it| it.version), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_is_there_is_replaced_only_by_its_version() {
    let _alone = alone().await;
    let nodes = cluster(&["a", "b", "c"]).await;
    let client = follower(&nodes).await.client();
    let text = status(1).encode();
    client.import_status(text_of(&text, None)).await.unwrap();
    for (replaced, word) in [(None, "there is a status already"), (Some(7), "not at 7")] {
        let refused = client.import_status(text_of(&text, replaced)).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(word), "{refused}");
    }
    client.import_status(text_of(&text, Some(1))).await.unwrap();
    for (text, word) in [("", "put it right"), ("shards: [", "put it right")] {
        let refused = client.import_status(text_of(text, Some(2))).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(word), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_without_shards_gives_way_to_one_that_comes_in() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let client = nodes[0].client();
    for text in [ClusterStatus::default().encode(), status(1).encode()] {
        client.import_status(text_of(&text, None)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_comes_in_if_it_can_be_put_in_force() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let client = nodes[0].client();
    let import = async |text: &str| {
        let text = text.to_owned();
        let request = wire::ImportConfigurationRequest { text };
        let imported = client.import_configuration(request).await;
        imported.map_err(|error| error.to_string())
    };
    for text in ["", "namespaces: []\n", "servers: 3\n"] {
        let refused = import(text).await.unwrap_err();
        assert!(refused.contains("the configuration"), "{refused}");
    }
    let refused = import(&"#".repeat((4 << 20) + 1)).await.unwrap_err();
    assert!(refused.contains("no more than 4194304"), "{refused}");
    let first = import(CONFIGURATION).await.unwrap();
    let again = import(CONFIGURATION).await.unwrap();
    assert_eq!((first.already, again.already), (false, true));
    assert_eq!(first.version, again.version);
    let exported = client.export().await.unwrap();
    assert_eq!(exported.configuration_text, CONFIGURATION);
    assert_eq!(exported.status, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_nobody_reads_are_not_made_again_until_they_are_given_up() {
    let _alone = alone().await;
    let nodes = cluster(&["a"]).await;
    let text = status(1_000).encode();
    let imported = nodes[0].client().import_status(text_of(&text, None)).await;
    imported.unwrap();
    // Less than there is to be read.
    let endpoint = Endpoint::from_shared(format!("http://{}", nodes[0].member.address)).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535);
    let channel = endpoint.connect().await.unwrap();
    let ask = || {
        let nothing = http_body_util::Full::new(bytes::Bytes::from_static(&[0; 5]));
        let request = http::Request::post("/stepdown.raft.v1.Admin/Export")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::new(nothing));
        channel.clone().oneshot(request.unwrap())
    };
    let unread = ask().await.unwrap();
    assert!(Status::from_header_map(unread.headers()).is_none());
    let refused = Status::from_header_map(ask().await.unwrap().headers()).unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    // Whoever asks has patience until it is read, or given up.
    let client = nodes[0].client();
    let mut exported = Box::pin(client.export());
    let waits = timeout(Duration::from_secs(1), &mut exported).await;
    assert!(waits.is_err(), "{waits:?}");
    drop(unread);
    let exported = timeout(LIMIT, exported).await.unwrap().unwrap();
    assert_eq!(exported.status.unwrap().text, text);
}
