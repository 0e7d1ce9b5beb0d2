//! Snapshots come whole or not at all, no faster than they are taken.

use std::sync::Arc;
use std::time::Duration;

use openraft::Vote;
use openraft::error::{ReplicationClosed, StreamingError};
use openraft::network::{RPCOption, RaftNetwork};
use stepdown_wire::raft as wire;
use stepdown_wire::raft::raft_client::RaftClient;
use stepdown_wire::raft::raft_server::{Raft, RaftServer};
use stepdown_wire::raft::snapshot_part::Part;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

use super::super::server::{CONNECTION_WINDOW, builder};
use super::super::snapshot::{LARGEST_PART, head};
use super::super::{Deadlines, Identity};
use super::support::{
    LONG, Node, OURS, SHORT, append, connections, connections_with, meta, send_snapshot, snapshot,
};

/// More than a connection has room for.
const LARGE: usize = 4 * CONNECTION_WINDOW as usize;

fn data(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn a_snapshot_of_any_size_comes_whole() {
    let node = Node::start(2, OURS).await;
    let mut peer = connections(1, OURS).peer(2, &node.address().to_string());
    for length in [0, 1, 64 << 10, (1 << 20) + 1, LARGE] {
        let highest = send_snapshot(&mut peer, data(length)).await.unwrap();
        assert_eq!(highest, Vote::new_committed(1, 1));
        let (heard, bytes) = node.heard.snapshots.lock().unwrap().pop().unwrap();
        assert_eq!(heard, meta());
        assert!(bytes == data(length), "{length} bytes differ");
    }
}

/// A receiver that takes nothing of a snapshot until it is let.
struct Reluctant(Arc<Semaphore>);

impl Reluctant {
    async fn start() -> (String, Arc<Semaphore>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let permits = Arc::new(Semaphore::new(0));
        let service = RaftServer::new(Self(Arc::clone(&permits)));
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(builder().add_service(service).serve_with_incoming(incoming));
        (address, permits)
    }
}

#[tonic::async_trait]
impl Raft for Reluctant {
    async fn append(
        &self,
        _: Request<wire::AppendRequest>,
    ) -> Result<Response<wire::AppendResponse>, Status> {
        let outcome = wire::append_response::Outcome::Appended(wire::Nothing {});
        Ok(Response::new(wire::AppendResponse {
            outcome: Some(outcome),
        }))
    }

    async fn vote(
        &self,
        _: Request<wire::VoteRequest>,
    ) -> Result<Response<wire::VoteResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<wire::SnapshotPart>>,
    ) -> Result<Response<wire::SnapshotResponse>, Status> {
        self.0.acquire().await.unwrap().forget();
        let mut parts = request.into_inner();
        let mut length = 0;
        while let Some(part) = parts.message().await? {
            if let Some(Part::Data(data)) = part.part {
                length += data.len();
            }
        }
        let ballot = wire::Ballot {
            term: length as u64,
            ..wire::Ballot::default()
        };
        Ok(Response::new(wire::SnapshotResponse {
            ballot: Some(ballot),
        }))
    }

    async fn read_index(
        &self,
        _: Request<wire::ReadIndexRequest>,
    ) -> Result<Response<wire::ReadIndexResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn greet(&self, _: Request<wire::Greeting>) -> Result<Response<wire::Greeting>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn misses_leader(
        &self,
        _: Request<wire::MissesLeaderRequest>,
    ) -> Result<Response<wire::MissesLeaderResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn may_lead(
        &self,
        _: Request<wire::MayLeadRequest>,
    ) -> Result<Response<wire::MayLeadResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

#[tokio::test]
async fn a_snapshot_waits_for_its_receiver_and_signs_of_life_go_past_it() {
    let (address, permits) = Reluctant::start().await;
    let deadlines = Deadlines {
        part: LONG,
        ..Deadlines::default()
    };
    let connections = connections_with(1, OURS, None, deadlines);
    let mut sender = connections.peer(2, &address);
    let sent = tokio::spawn(async move { send_snapshot(&mut sender, data(LARGE)).await });
    let mut leader = connections.peer(2, &address);
    for _ in 0..1000 {
        append(&mut leader, LONG).await.unwrap();
    }
    assert!(!sent.is_finished());
    permits.add_permits(1);
    let highest = timeout(LONG, sent).await.unwrap().unwrap().unwrap();
    assert_eq!(highest.leader_id.term, LARGE as u64);
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_is_given_up() {
    let (address, _permits) = Reluctant::start().await;
    let deadlines = Deadlines {
        part: SHORT,
        ..Deadlines::default()
    };
    let mut sender = connections_with(1, OURS, None, deadlines).peer(2, &address);
    let error = send_snapshot(&mut sender, data(LARGE)).await.unwrap_err();
    assert!(error.contains("took no more"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_installs_for_ever_is_given_up() {
    let (address, _permits) = Reluctant::start().await;
    let deadlines = Deadlines {
        install: SHORT,
        ..Deadlines::default()
    };
    let mut sender = connections_with(1, OURS, None, deadlines).peer(2, &address);
    let error = send_snapshot(&mut sender, data(10)).await.unwrap_err();
    assert!(error.contains("no answer within"), "{error}");
}

#[tokio::test]
async fn a_snapshot_that_is_no_longer_wanted_is_ended() {
    let (address, _permits) = Reluctant::start().await;
    let mut sender = connections(1, OURS).peer(2, &address);
    let cancel = std::future::ready(ReplicationClosed::new("over"));
    let option = RPCOption::new(Duration::ZERO);
    let ended = sender
        .full_snapshot(Vote::new(1, 1), snapshot(data(LARGE)), cancel, option)
        .await;
    assert!(matches!(ended, Err(StreamingError::Closed(_))), "{ended:?}");
}

pub fn part(part: Part) -> wire::SnapshotPart {
    wire::SnapshotPart { part: Some(part) }
}

pub fn head_of(data: &[u8]) -> wire::SnapshotHead {
    let envelope = Identity::new(1, Some(OURS)).envelope(2);
    head(envelope, &Vote::new_committed(1, 1), &meta(), data).unwrap()
}

pub async fn raw_client(address: &str) -> RaftClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    RaftClient::new(endpoint.connect().await.unwrap())
}

pub async fn send_raw(node: &Node, parts: Vec<wire::SnapshotPart>) -> Status {
    let mut client = raw_client(&node.address().to_string()).await;
    let sent = client.install_snapshot(tokio_stream::iter(parts)).await;
    sent.unwrap_err()
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_or_cut_short_is_not_installed() {
    let node = Node::start(2, OURS).await;
    let head = head_of(b"abc");
    let whole = |bytes: &'static [u8]| {
        let head = part(Part::Head(head.clone()));
        vec![head, part(Part::Data(bytes.into()))]
    };
    for (parts, code, word) in [
        (whole(b"abd"), Code::DataLoss, "checksum"),
        (whole(b"ab"), Code::DataLoss, "2 bytes"),
        (whole(b"abcd"), Code::DataLoss, "4 bytes"),
        (vec![], Code::InvalidArgument, "head"),
        (whole(b"abc").split_off(1), Code::InvalidArgument, "head"),
    ] {
        let status = send_raw(&node, parts).await;
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(word), "{status}");
    }
    for length in [(64 << 20) + 1, u64::MAX] {
        let huge = wire::SnapshotHead {
            length,
            ..head.clone()
        };
        let status = send_raw(&node, vec![part(Part::Head(huge))]).await;
        assert!(status.message().contains("no more than"), "{status}");
    }
    assert_eq!(node.heard.counts(), [0; 4]);
}

#[tokio::test]
async fn a_part_that_no_node_sends_is_not_taken_in_whoever_it_is_from() {
    let node = Node::start(2, OURS).await;
    let large = Part::Data(vec![7; LARGEST_PART].into());
    let status = send_raw(&node, vec![part(large)]).await;
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
}

#[tokio::test]
async fn a_newer_snapshot_ends_one_whose_sender_has_gone_quiet() {
    let node = Node::start(2, OURS).await;
    let address = node.address().to_string();
    let mut client = raw_client(&address).await;
    let (quiet, parts) = mpsc::channel(1);
    let old =
        tokio::spawn(async move { client.install_snapshot(ReceiverStream::new(parts)).await });
    quiet.send(part(Part::Head(head_of(b"abc")))).await.unwrap();
    // Which of the two begins first is not known: the old one is ended by one of these at last.
    let mut peer = connections(1, OURS).peer(2, &address);
    let ended = async {
        while !old.is_finished() {
            send_snapshot(&mut peer, data(10)).await.unwrap();
        }
        old.await.unwrap().unwrap_err()
    };
    let status = timeout(LONG, ended).await.unwrap();
    assert_eq!(status.code(), Code::Aborted, "{status}");
    assert!(
        node.heard
            .snapshots
            .lock()
            .unwrap()
            .iter()
            .all(|(_, bytes)| *bytes == data(10))
    );
}
