//! Answers that cross the cancellation of their calls.

use std::collections::BTreeSet;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::peer::identity;
use super::{new_term, servers};

const CALLS: usize = 200;
const ROUNDS: usize = 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

#[tokio::test]
async fn late_answers_of_thousands_of_cancelled_calls_keep_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = identity(&listener.local_addr().unwrap().to_string());
    let (waiting, mut all_wait) = tokio::sync::mpsc::channel(1);
    let late = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        LatePeer(stream).serve(waiting).await;
    });
    let servers = servers();
    for _ in 0..ROUNDS {
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            let (servers, server) = (servers.clone(), server.clone());
            calls.spawn(async move { servers.call(&server, new_term(1)).await });
        }
        tokio::select! {
            Some(()) = all_wait.recv() => {}
            Some(end) = calls.join_next() => panic!("{end:?}"),
        }
        calls.shutdown().await;
        all_wait.recv().await.unwrap();
    }
    servers.call(&server, new_term(1)).await.unwrap();
    late.abort();
}

/// A server that answers a call when it hears that nobody waits for it any more. No library does
/// that, so it writes its frames itself.
struct LatePeer(TcpStream);

impl LatePeer {
    /// Says when all calls of a round wait, and when all were answered too late. Then answers one.
    async fn serve(mut self, said: tokio::sync::mpsc::Sender<()>) {
        let mut preface = [0; 24];
        self.0.read_exact(&mut preface).await.unwrap();
        self.send(SETTINGS, 0, 0, &[]).await;
        let mut open = BTreeSet::new();
        let mut cancelled = 0;
        loop {
            let (kind, flags, stream) = self.receive().await;
            match kind {
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                HEADERS if cancelled == CALLS * ROUNDS => self.answer(stream).await,
                HEADERS => {
                    open.insert(stream);
                    if open.len() == CALLS {
                        said.send(()).await.unwrap();
                    }
                }
                // A late answer makes the client reset its stream once more.
                RST_STREAM if open.remove(&stream) => {
                    cancelled += 1;
                    self.answer(stream).await;
                    if open.is_empty() {
                        said.send(()).await.unwrap();
                    }
                }
                _ => {}
            }
        }
    }

    /// Status 200, one `NewTermResponse` with a head, `grpc-status: 0`.
    async fn answer(&mut self, stream: u32) {
        let response = b"\x88\x0f\x10\x10application/grpc";
        let trailers = b"\x00\x0bgrpc-status\x010";
        let message = [0, 0, 0, 0, 2, 0x0a, 0];
        self.send(HEADERS, END_HEADERS, stream, response).await;
        self.send(DATA, 0, stream, &message).await;
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, trailers)
            .await;
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    async fn receive(&mut self) -> (u8, u8, u32) {
        let mut header = [0; 9];
        self.0.read_exact(&mut header).await.unwrap();
        let [a, b, c, kind, flags, stream @ ..] = header;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.unwrap();
        (kind, flags, u32::from_be_bytes(stream))
    }
}
