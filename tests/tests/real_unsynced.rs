//! What a real Oxia data server has not synced when it is fenced (`OXIA_BIN`): it does not tell of it, and
//! keeps it. The model data servers do the same.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test"
)]

use std::sync::Arc;

use http::uri::PathAndQuery;
use stepdown::data_servers::{CallOptions, DataServers};
use stepdown_core::call::{
    Answer, Call, CallError, CallErrorKind, EntryId, NewTerm, ReplicaRole, ReplicaStatus, Truncate,
};
use stepdown_core::cluster::{DataServerIdentity, KeySorting};
use stepdown_core::{ShardId, Term};
use stepdown_tests::oxia::{OxiaServer, oxia};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

const INSTANCE: &str = "unsynced";
const SHARD: ShardId = ShardId(3);
/// So often it is tried to fence it while it syncs.
const TRIES: i64 = 30;

/// A leader's message to a follower.
#[derive(Clone, PartialEq, prost::Message)]
struct Append {
    #[prost(int64, tag = "1")]
    term: i64,
    #[prost(message, optional, tag = "2")]
    entry: Option<LogEntry>,
    #[prost(int64, tag = "3")]
    commit_offset: i64,
    #[prost(bool, tag = "5")]
    cumulative_acks_supported: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LogEntry {
    #[prost(int64, tag = "1")]
    term: i64,
    #[prost(int64, tag = "2")]
    offset: i64,
    #[prost(bytes = "vec", tag = "3")]
    value: Vec<u8>,
}

/// A follower's answer.
#[derive(Clone, PartialEq, prost::Message)]
struct Ack {
    #[prost(int64, tag = "1")]
    offset: i64,
}

/// A real follower, and who feeds it as its leaders would.
struct Follower {
    server: OxiaServer,
    calls: DataServers,
    _dir: TempDir,
}

impl Follower {
    async fn call(&self, call: Call) -> Result<Answer, CallError> {
        self.calls.call(self.identity(), call).await
    }

    fn identity(&self) -> &DataServerIdentity {
        self.server.identity()
    }

    async fn fence(&self, term: i64) -> EntryId {
        let fenced = self.call(Call::NewTerm(NewTerm {
            namespace: Arc::from("default"),
            shard: SHARD,
            term: Term(term),
            enable_notifications: true,
            key_sorting: KeySorting::Hierarchical,
        }));
        match fenced.await {
            Ok(Answer::Fenced(head)) => head,
            other => panic!("{other:?}"),
        }
    }

    async fn cut_off(&self, term: i64, head: EntryId) -> Result<Answer, CallError> {
        let term = Term(term);
        let namespace = Arc::from("default");
        let shard = SHARD;
        self.call(Call::Truncate(Truncate {
            namespace,
            shard,
            term,
            head,
        }))
        .await
    }

    async fn status(&self) -> ReplicaStatus {
        match self.call(Call::GetStatus { shard: SHARD }).await {
            Ok(Answer::Status(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Opens a leader's stream. It answers nothing before something was synced.
    async fn open(&self, term: i64) -> (mpsc::Sender<Append>, JoinHandle<Streaming<Ack>>) {
        let (sender, receiver) = mpsc::channel(64);
        let mut request = Request::new(ReceiverStream::new(receiver));
        let metadata = request.metadata_mut();
        metadata.insert("instance-id", INSTANCE.parse().unwrap());
        metadata.insert("namespace", "default".parse().unwrap());
        metadata.insert("shard-id", SHARD.0.to_string().parse().unwrap());
        metadata.insert("term", term.to_string().parse().unwrap());
        let endpoint = format!("http://{}", self.identity().internal);
        let channel: Channel = Endpoint::from_shared(endpoint)
            .unwrap()
            .connect()
            .await
            .unwrap();
        let mut client = Grpc::new(channel);
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static("/replication.OxiaLogReplication/Replicate");
        let answers = tokio::spawn(async move {
            let answer = client.streaming(request, path, ProstCodec::default()).await;
            answer.unwrap().into_inner()
        });
        (sender, answers)
    }

    /// A leader's entry; what is acknowledged then.
    async fn append(&self, term: i64, offset: i64) -> Ack {
        let (sender, answers) = self.open(term).await;
        sender.send(entry(term, offset)).await.unwrap();
        let mut acks = answers.await.unwrap();
        acks.next().await.unwrap().unwrap()
    }
}

fn entry(term: i64, offset: i64) -> Append {
    let value = vec![7; 100];
    Append {
        term,
        entry: Some(LogEntry {
            term,
            offset,
            value,
        }),
        commit_offset: -1,
        cumulative_acks_supported: true,
    }
}

/// A follower that was fenced in the term that is returned while it synced, with what it told, and with
/// how much more it has.
async fn with_a_tail() -> Option<(Follower, i64, EntryId, i64)> {
    let oxia = oxia()?;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let follower = Follower {
        server: OxiaServer::start(&oxia, "follower", dir.path()),
        calls: DataServers::new(CallOptions::default(), Arc::from(INSTANCE)).unwrap(),
        _dir: dir,
    };
    while follower.call(Call::Handshake).await.is_err() {
        tokio::task::yield_now().await;
    }
    let mut head = follower.fence(1).await;
    for term in 1..TRIES {
        let from = head.offset + 1;
        let (sender, answers) = follower.open(term).await;
        let feeding = tokio::spawn(async move {
            let mut offset = from;
            while sender.send(entry(term, offset)).await.is_ok() {
                offset += 1;
            }
        });
        let mut acks = answers.await.unwrap();
        // It syncs for the second time by now, at least.
        let first = acks.next().await.unwrap().unwrap();
        assert!(first.offset >= from);
        head = follower.fence(term + 1).await;
        let status = follower.status().await;
        drop(acks);
        feeding.await.unwrap();
        assert_eq!(status.role, ReplicaRole::Fenced);
        if status.head_offset > head.offset {
            return Some((follower, term + 1, head, status.head_offset));
        }
    }
    panic!("{TRIES} times everything was synced when it was fenced");
}

#[tokio::test]
async fn a_real_server_keeps_what_it_has_not_synced_and_takes_it_for_the_next_leaders() {
    let Some((follower, term, head, end)) = with_a_tail().await else {
        return;
    };
    println!("it told {head:?}, and had entries up to {end}");
    // No other term changes that.
    let again = follower.fence(term + 1).await;
    assert_eq!((again, follower.status().await.head_offset), (head, end));
    let acknowledged = follower.append(term + 1, head.offset + 1).await;
    assert!(acknowledged.offset > head.offset);
    let kept = follower.fence(term + 2).await;
    assert_eq!((kept.term, kept.offset), (head.term, end));
}

#[tokio::test]
async fn what_a_real_server_has_not_told_is_cut_off() {
    let Some((follower, term, head, end)) = with_a_tail().await else {
        return;
    };
    println!("it told {head:?}, and had entries up to {end}");
    let cut = follower.cut_off(term, head).await.unwrap();
    let Answer::Truncated(left) = cut else {
        panic!("{cut:?}");
    };
    assert_eq!(left.offset, head.offset);
    let status = follower.status().await;
    assert_eq!(
        (status.role, status.head_offset),
        (ReplicaRole::Follower, head.offset)
    );
    let again = follower.cut_off(term, head).await;
    assert_eq!(again.unwrap_err().kind, CallErrorKind::InvalidStatus);
    assert_eq!(follower.fence(term).await, head);
    let status = follower.status().await;
    assert_eq!(
        (status.role, status.head_offset),
        (ReplicaRole::Fenced, head.offset)
    );
    let acknowledged = follower.append(term, head.offset + 1).await;
    assert_eq!(acknowledged.offset, head.offset + 1);
    let next = follower.fence(term + 1).await;
    assert_eq!(next.term, Term(term));
    assert_eq!(next.offset, head.offset + 1);
}
