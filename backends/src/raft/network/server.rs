//! The port on which other nodes are answered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stepdown_wire::port::{Connections, Listener};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server as Grpc;
use tower::util::MapRequestLayer;
use tracing::{error, info};

use super::answers::Answers;
use super::bodies::Bodies;
use super::connections::Deadlines;
use super::greeting::Introduction;
use super::replica::Replica;
use super::service::Service;
use super::strangers::Strangers;
use crate::raft::admin::{self, Administration};

/// How long calls that are under way may take when the port closes.
const GRACE: Duration = Duration::from_millis(500);
/// Silent connections are asked for a sign of life so often, and let go after the same time again.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// What one call may have sent that was not looked at yet, in bytes.
pub(super) const WINDOW: u32 = 256 << 10;
/// The same for all calls of a connection. A snapshot that waits takes one call's share of it, and
/// leaves the rest to signs of life.
pub(super) const CONNECTION_WINDOW: u32 = 4 << 20;
/// Calls of one connection that are worked on at once. Each costs some memory before it is looked at.
const CALLS: u32 = 16;
/// What the head of a call may have, in bytes.
const HEADERS: u32 = 4 << 10;

/// The port, answering. It closes when this is dropped.
pub struct Server {
    address: SocketAddr,
    strangers: Strangers,
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers for `replica`, which is the node `introduction` tells of.
    pub fn start(
        listener: Listener,
        introduction: Introduction,
        replica: Arc<dyn Replica>,
        deadlines: Deadlines,
    ) -> io::Result<Self> {
        Self::start_with(listener, introduction, replica, deadlines, None)
    }

    /// The same, and lets people administer the node.
    pub fn start_with(
        listener: Listener,
        introduction: Introduction,
        replica: Arc<dyn Replica>,
        deadlines: Deadlines,
        administration: Option<Administration>,
    ) -> io::Result<Self> {
        let address = listener.socket.local_addr()?;
        let strangers = Strangers::default();
        let service = Service::new(introduction, replica, strangers.clone(), deadlines.part);
        let administration = administration
            .map(|administration| admin::service(administration.telling_of(strangers.clone())));
        let stop = CancellationToken::new();
        let connections = Connections::accept(listener, stop.clone());
        let stopped = stop.clone().cancelled_owned();
        info!(%address, "Started the Raft server");
        let bodies = Bodies::default();
        let bounded = MapRequestLayer::new(move |request| bodies.bound(request));
        let task = tokio::spawn(async move {
            let served = builder()
                .layer(bounded)
                .layer(Answers::default())
                .add_service(service)
                .add_optional_service(administration)
                .serve_with_incoming_shutdown(connections.map(Ok::<_, io::Error>), stopped)
                .await;
            if let Err(error) = served {
                error!(
                    error = &error as &dyn std::error::Error,
                    "The Raft server failed"
                );
            }
        });
        Ok(Self {
            address,
            strangers,
            stop: stop.drop_guard(),
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The messages that were refused.
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Closes the port. Calls that are under way have a moment.
    pub async fn close(self) {
        let Self { stop, mut task, .. } = self;
        drop(stop);
        if timeout(GRACE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

pub(super) fn builder() -> Grpc {
    Grpc::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(CALLS)
        .http2_max_header_list_size(HEADERS)
}
