//! Connections to the servers that this one feeds. One stands as long as the server runs; while
//! it is down, messages are dropped, and the model sends anew once it is up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

use super::command::Command;
use super::convert;
use super::engine::Engine;
use super::node::INSTANCE_ID;
use crate::proto::replication_client::ReplicationClient;
use crate::replica::Message;

/// The metadata that names a leader to its followers.
pub(super) const PEER: &str = "sandbox-peer";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// The outgoing connections, by internal address.
pub(super) struct Links {
    own_address: Arc<str>,
    engine: Engine,
    runtime: Handle,
    /// Absent where there is no connection now.
    peers: BTreeMap<Arc<str>, Option<UnboundedSender<Message>>>,
}

impl Links {
    pub(super) fn new(own_address: Arc<str>, engine: Engine, runtime: Handle) -> Self {
        Self {
            own_address,
            engine,
            runtime,
            peers: BTreeMap::new(),
        }
    }

    pub(super) fn is_up(&self, peer: &str) -> bool {
        self.peers.get(peer).is_some_and(Option::is_some)
    }

    pub(super) fn up(&mut self, peer: Arc<str>, messages: UnboundedSender<Message>) {
        self.peers.insert(peer, Some(messages));
    }

    pub(super) fn down(&mut self, peer: &str) {
        if let Some(messages) = self.peers.get_mut(peer) {
            *messages = None;
        }
    }

    /// Sends a message, if there is a connection; starts one, if there never was.
    pub(super) fn send(&mut self, to: Arc<str>, message: Message) {
        match self.peers.get(&to) {
            Some(Some(messages)) => {
                let _ = messages.send(message);
            }
            Some(None) => {}
            None => {
                let link = Link {
                    own_address: self.own_address.clone(),
                    peer: to.clone(),
                    engine: self.engine.clone(),
                };
                self.runtime.spawn(link.run());
                self.peers.insert(to, None);
            }
        }
    }
}

struct Link {
    own_address: Arc<str>,
    peer: Arc<str>,
    engine: Engine,
}

impl Link {
    async fn run(self) {
        let mut retry = FIRST_RETRY;
        loop {
            match self.connect().await {
                Ok(answers) => {
                    retry = FIRST_RETRY;
                    self.listen(answers).await;
                }
                Err(error) => {
                    tracing::debug!(peer = %self.peer, %error, "can't replicate");
                    tokio::time::sleep(retry).await;
                    retry = retry.saturating_mul(2).min(LAST_RETRY);
                }
            }
        }
    }

    async fn connect(&self) -> Result<tonic::Streaming<crate::proto::Message>, tonic::Status> {
        let unavailable =
            |error: tonic::transport::Error| tonic::Status::unavailable(error.to_string());
        let channel = Endpoint::from_shared(format!("http://{}", self.peer))
            .map_err(unavailable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .connect()
            .await
            .map_err(unavailable)?;
        let (messages, outgoing) = unbounded_channel();
        let outgoing = UnboundedReceiverStream::new(outgoing).map(convert::message_to_wire);
        let mut request = tonic::Request::new(outgoing);
        request
            .metadata_mut()
            .insert(PEER, metadata(&self.own_address)?);
        if let Some(instance_id) = self.engine.instance_id() {
            request
                .metadata_mut()
                .insert(INSTANCE_ID, metadata(&instance_id)?);
        }
        let answers = ReplicationClient::new(channel).replicate(request).await?;
        self.engine.tell(Command::LinkUp {
            peer: self.peer.clone(),
            messages,
        });
        Ok(answers.into_inner())
    }

    async fn listen(&self, mut answers: tonic::Streaming<crate::proto::Message>) {
        while let Ok(Some(answer)) = answers.message().await {
            if let Some(mut answer) = convert::message(answer) {
                // A server may know itself by another name than the one it was reached by.
                answer.from = self.peer.clone();
                self.engine.tell(Command::Message(answer));
            }
        }
        self.engine.tell(Command::LinkDown {
            peer: self.peer.clone(),
        });
    }
}

fn metadata(text: &str) -> Result<MetadataValue<Ascii>, tonic::Status> {
    MetadataValue::try_from(text)
        .map_err(|_| tonic::Status::invalid_argument(format!("{text:?} can't be sent as metadata")))
}
