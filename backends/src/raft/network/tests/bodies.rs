//! Requests that don't come to an end.

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::ServiceExt;

use super::support::{LONG, Node, OURS};

const MIB: usize = 1 << 20;

/// Asks for entries to be appended, of which the last one never comes; says why it was refused.
async fn append_for_ever(channel: Channel, mib: usize) -> Option<Code> {
    let length = u32::try_from(mib * MIB + 1).unwrap().to_be_bytes();
    let head = Bytes::from([&[0], &length[..]].concat());
    let data = std::iter::repeat_n(Bytes::from(vec![7; MIB]), mib);
    let frames = std::iter::once(head).chain(data);
    let frames = frames.map(|it| Ok::<_, Status>(Frame::data(it)));
    let frames = tokio_stream::iter(frames).chain(tokio_stream::pending());
    let request = Request::post("/stepdown.raft.v1.Raft/Append")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(StreamBody::new(frames)))
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
