//! Requests that don't come to an end.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::encoding::encode_varint;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::ServiceExt;

use super::support::{LONG, Node, OURS};

const MIB: usize = 1 << 20;

/// Asks for entries to be appended, of which the last one never comes; says why it was refused.
async fn append_for_ever(channel: Channel, mib: usize) -> Option<Code> {
    let frames = frames(mib * MIB + 1, mib).chain(tokio_stream::pending());
    append(channel, Body::new(StreamBody::new(frames))).await
}

/// A message that is there as a whole, and says nothing.
async fn append_nonsense(channel: Channel, mib: usize) -> Option<Code> {
    let frames = frames(mib * MIB, mib);
    append(channel, Body::new(StreamBody::new(frames))).await
}

/// What begins a message of this length, and some of it.
fn frames(
    length: usize,
    mib: usize,
) -> impl Stream<Item = Result<Frame<Bytes>, Status>> + Send + 'static {
    // A field that only another release knows.
    let mut field = vec![0x7a];
    encode_varint(u64::try_from(length).unwrap(), &mut field);
    let length = u32::try_from(length + field.len()).unwrap().to_be_bytes();
    let head = Bytes::from([&[0], &length[..], &field].concat());
    let data = std::iter::repeat_n(Bytes::from(vec![7; MIB]), mib);
    let frames = std::iter::once(head).chain(data);
    tokio_stream::iter(frames.map(|it| Ok(Frame::data(it))))
}

async fn append(channel: Channel, body: Body) -> Option<Code> {
    let request = Request::post("/stepdown.raft.v1.Raft/Append")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = channel.oneshot(request).await.unwrap();
    let status = answer.headers().get("grpc-status")?;
    Some(Code::from_bytes(status.as_bytes()))
}

#[tokio::test]
async fn a_node_keeps_no_more_of_what_never_comes_as_a_whole_than_it_has_memory_for() {
    let node = Node::start(2, OURS).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", node.address())).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut asked = JoinSet::new();
    for _ in 0..4 {
        asked.spawn(append_for_ever(channel.clone(), 40));
    }
    let first = timeout(LONG, asked.join_next()).await.unwrap().unwrap();
    assert_eq!(first.unwrap(), Some(Code::ResourceExhausted));
}

#[tokio::test]
async fn a_call_whose_head_is_larger_than_any_node_sends_is_refused() {
    let node = Node::start(2, OURS).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", node.address())).unwrap();
    let request = Request::post("/stepdown.raft.v1.Raft/Greet")
        .header("content-type", "application/grpc")
        .header("padding", "7".repeat(5_000))
        .body(Body::empty());
    let channel = endpoint.connect().await.unwrap();
    let answer = timeout(LONG, channel.oneshot(request.unwrap())).await;
    let status = answer.unwrap().unwrap().status();
    assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn whoever_fills_a_node_s_memory_does_not_keep_others_from_being_heard() {
    let node = Node::start(2, OURS).await;
    let from = async |address: &str| {
        let endpoint = Endpoint::from_shared(format!("http://{}", node.address())).unwrap();
        let endpoint = endpoint.local_address(Some(address.parse().unwrap()));
        endpoint.connect().await.unwrap()
    };
    let stranger = from("127.0.0.2").await;
    let mut asked = JoinSet::new();
    for _ in 0..3 {
        asked.spawn(append_for_ever(stranger.clone(), 40));
    }
    let refused = timeout(LONG, asked.join_next()).await.unwrap().unwrap();
    assert_eq!(refused.unwrap(), Some(Code::ResourceExhausted));
    let peer = from("127.0.0.3").await;
    for _ in 0..3 {
        let heard = timeout(LONG, append_nonsense(peer.clone(), 30)).await;
        let heard = heard.unwrap().unwrap();
        assert_ne!(heard, Code::ResourceExhausted);
    }
}
