//! The connections from clients, and whether anything passes over them.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::handle::Handler;
use crate::kubernetes::LOOK;

/// What becomes of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) is: LineIs,
    /// Connections of an earlier one are closed.
    pub(super) generation: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LineIs {
    #[default]
    Open,
    /// Connections stay, and nothing passes.
    Deaf,
    /// There is no listener.
    Closed,
}

impl Line {
    fn open(generation: u64) -> Self {
        Self {
            is: LineIs::Open,
            generation,
        }
    }
}

/// Serves clients until it is dropped; says after each change whether there is a listener.
pub(super) async fn serve(
    address: SocketAddr,
    handler: Arc<Handler>,
    mut line: watch::Receiver<Line>,
    listens: watch::Sender<bool>,
) {
    let mut connections = JoinSet::new();
    let mut listener = None;
    loop {
        let is_closed = line.borrow_and_update().is == LineIs::Closed;
        if is_closed {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        listens.send_replace(listener.is_some());
        tokio::select! {
            changed = line.changed() => if changed.is_err() { return },
            stream = accept(listener.as_ref()), if !is_closed => {
                if let Some(stream) = stream {
                    connections.spawn(connection(stream, Arc::clone(&handler), line.clone()));
                }
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// `None` where the port is not to be had yet, or a client has gone again: try again.
async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    let accepted = match listener {
        Some(listener) => listener.accept().await.ok(),
        None => None,
    };
    if accepted.is_none() {
        sleep(LOOK).await;
    }
    accepted.map(|(stream, _)| stream)
}

async fn connection(stream: TcpStream, handler: Arc<Handler>, mut line: watch::Receiver<Line>) {
    // Small answers are not held back; without it, they are only slower.
    let _ = stream.set_nodelay(true);
    let born = line.borrow().generation;
    let seen = line.clone();
    let service = service_fn(async |request| {
        // What was read just before the change was noticed may have come after it.
        if *seen.borrow() != Line::open(born) {
            return pending().await;
        }
        handler.handle(request).await
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
    );
    loop {
        let Line { is, generation } = *line.borrow_and_update();
        if is == LineIs::Closed || generation != born {
            return;
        }
        tokio::select! {
            biased;
            changed = line.changed() => if changed.is_err() { return },
            // Nobody is to be told how it ended.
            _ = &mut connection, if is == LineIs::Open => return,
        }
    }
}
