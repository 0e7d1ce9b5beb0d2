//! Whoever is connected can have little of a port, and not for long.

use futures_util::future::join_all;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Code, Status};
use tower::ServiceExt;

use super::tests::{ask, channel, client, get, start};
use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A SETTINGS frame that sets nothing.
const NO_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// The settings with which a port begins: by their numbers, RFC 9113, 6.5.2.
async fn settings(address: &str) -> Vec<(u16, u32)> {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(PREFACE).await.expect("written");
    stream.write_all(NO_SETTINGS).await.expect("written");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!((head[3], head[4]), (4, 0), "not SETTINGS: {head:?}");
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.expect("its end");
    let each = settings.chunks(6).map(|it| {
        let number = u16::from_be_bytes([it[0], it[1]]);
        (number, u32::from_be_bytes([it[2], it[3], it[4], it[5]]))
    });
    each.collect()
}

#[tokio::test]
async fn a_connection_may_have_few_calls_with_small_heads_and_little_that_is_not_looked_at() {
    let open = start("{}").await;
    for address in [&open.internal, &open.public] {
        let settings = settings(address).await;
        for bound in [(3, CALLS), (4, WINDOW), (6, HEADERS)] {
            assert!(settings.contains(&bound), "{bound:?}: {settings:?}");
        }
    }
    open.ports.close().await;
}

/// The head of a call that goes on, as a frame (RFC 9113, 6.2; RFC 7541, 6.2.2).
fn head(stream: u32) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", "x"),
        ("content-type", "application/grpc"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut frame = vec![0, 0, u8::try_from(block.len()).expect("short"), 1, 4];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(&block);
    frame
}

#[tokio::test]
async fn a_connection_ends_on_which_far_more_calls_are_begun_than_it_may_have() {
    let open = start("{}").await;
    let mut stream = TcpStream::connect(&open.internal).await.expect("connected");
    let mut begun = [PREFACE, NO_SETTINGS].concat();
    let calls = CALLS + u32::try_from(EXCESS).expect("few") + 1;
    begun.extend((0..calls).flat_map(|call| head(call * 2 + 1)));
    stream.write_all(&begun).await.expect("written");
    let mut answer = Vec::new();
    // It ends, however it does.
    let _ = stream.read_to_end(&mut answer).await;
    let mut rest = answer.as_slice();
    let mut frames = Vec::new();
    while let [_, _, length, kind, ..] = rest {
        frames.push(*kind);
        rest = rest.get(9 + usize::from(*length)..).unwrap_or_default();
    }
    assert!(frames.contains(&7), "no GOAWAY: {frames:?}");
    open.ports.close().await;
}

#[tokio::test]
async fn a_question_that_is_larger_than_the_name_of_a_service_is_refused() {
    let open = start("{}").await;
    let mut client = client(&open.internal).await;
    let error = client.check(ask(&"x".repeat(QUESTION))).await;
    assert_eq!(error.expect_err("too large").code(), Code::OutOfRange);
    open.ports.close().await;
}

#[tokio::test]
async fn a_call_that_does_not_come_to_its_end_is_given_up() {
    let open = start("{}").await;
    let channel = channel(&open.internal).await;
    let begun = Frame::data(Bytes::from_static(&[0, 0, 0, 1, 0, 7]));
    let for_ever = tokio_stream::once(Ok::<_, Status>(begun)).chain(tokio_stream::pending());
    let request = Request::post("/grpc.health.v1.Health/Check")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(StreamBody::new(for_ever)));
    // Time passes when nothing else happens.
    tokio::time::pause();
    let answer = channel.oneshot(request.expect("a request")).await;
    let answer = answer.expect("an answer");
    let status = answer.headers().get("grpc-status").expect("a status");
    assert_eq!(Code::from_bytes(status.as_bytes()), Code::Cancelled);
    tokio::time::resume();
    open.ports.close().await;
}

#[tokio::test]
async fn a_scrape_of_whoever_takes_nothing_keeps_nobody_else_waiting() {
    let open = start("{}").await;
    let mut takes_nothing = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(&open.metrics).await.expect("connected");
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.expect("written");
        takes_nothing.push(stream);
    }
    for answer in join_all((0..8).map(|_| get(&open.metrics, "/metrics", ""))).await {
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    open.ports.close().await;
}

#[tokio::test]
async fn a_connection_is_for_one_scrape_and_ends_with_it() {
    let open = start("{}").await;
    let mut stream = TcpStream::connect(&open.metrics).await.expect("connected");
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("its end");
    let answer = String::from_utf8(answer).expect("text");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-length: "), "{answer}");
    open.ports.close().await;
}
