//! One HTTP/2 connection to each node, opened when it is needed and shared by everything that is
//! said to that node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use openraft::LogId;
use openraft::network::RaftNetworkFactory;
use stepdown_wire::tls::Connector;
use tonic::transport::Channel;

use super::acknowledged::Acknowledged;
use super::call_error::CallError;
use super::client::Peer;
use super::dial::dial;
use super::greeter::Greeter;
use super::identity::Identity;
use crate::raft::peers::{PeerError, Peers};
use crate::raft::place::PlaceAnswer;
use crate::raft::types::{Member, NodeId, TypeConfig};

/// How long to wait for another node. Raft itself sets the deadlines of what it says in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For an answer to what is asked beside Raft.
    pub ask: Duration,
    /// For entries to be answered, and the longer the larger they are.
    pub append: Duration,
    /// For name resolution, TCP and TLS.
    pub dial: Duration,
    /// For the next part of a snapshot to be taken, or to come.
    pub part: Duration,
    /// For a snapshot that is there as a whole to be installed.
    pub install: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            ask: Duration::from_secs(1),
            append: Duration::from_secs(2),
            dial: Duration::from_secs(1),
            part: Duration::from_secs(5),
            install: Duration::from_secs(60),
        }
    }
}

/// The ways to the other nodes. Clones are one.
#[derive(Clone)]
pub struct Connections {
    identity: Identity,
    tls: Option<Connector>,
    deadlines: Deadlines,
    open: Arc<Mutex<BTreeMap<NodeId, (String, Channel)>>>,
    acknowledged: Acknowledged,
}

impl Connections {
    /// Ways from this node, over TLS or in plaintext. None is open yet.
    pub fn new(identity: Identity, tls: Option<Connector>, deadlines: Deadlines) -> Self {
        Self {
            identity,
            tls,
            deadlines,
            open: Arc::default(),
            acknowledged: Acknowledged::default(),
        }
    }

    /// The way to one node. Nothing is sent yet.
    pub fn peer(&self, node: NodeId, address: &str) -> Peer {
        Peer::new(
            self.identity.clone(),
            node,
            address,
            self.channel(node, address),
            self.deadlines,
            self.acknowledged.clone(),
        )
    }

    /// The way to whoever is at an address. Nothing is sent yet.
    pub fn greeter(&self, address: &str) -> Greeter {
        let channel = dial(address, self.tls.as_ref(), self.deadlines.dial);
        let channel = channel.map_err(|error| error.to_string());
        Greeter::new(channel, self.deadlines)
    }

    /// A node that has moved is no longer looked for at its old address.
    fn channel(&self, node: NodeId, address: &str) -> Result<Channel, String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, channel)) = open.get(&node)
            && at == address
        {
            return Ok(channel.clone());
        }
        let channel = dial(address, self.tls.as_ref(), self.deadlines.dial);
        let channel = channel.map_err(|error| error.to_string())?;
        open.insert(node, (address.to_owned(), channel.clone()));
        Ok(channel)
    }
}

impl RaftNetworkFactory<TypeConfig> for Connections {
    type Network = Peer;

    async fn new_client(&mut self, node: NodeId, member: &Member) -> Peer {
        self.peer(node, &member.address)
    }
}

#[async_trait]
impl Peers for Connections {
    async fn read_index(
        &self,
        leader: NodeId,
        at: &Member,
    ) -> Result<Option<LogId<NodeId>>, PeerError> {
        let answer = self.peer(leader, &at.address).read_index().await;
        answer.map_err(|error| failed(at, &error))
    }

    async fn may_lead(
        &self,
        leader: NodeId,
        at: &Member,
        candidate: NodeId,
    ) -> Result<PlaceAnswer, PeerError> {
        let answer = self.peer(leader, &at.address).may_lead(candidate).await;
        answer.map_err(|error| failed(at, &error))
    }

    async fn misses_a_leader(&self, node: NodeId, at: &Member) -> Result<bool, PeerError> {
        let answer = self.peer(node, &at.address).misses_a_leader().await;
        answer.map_err(|error| failed(at, &error))
    }
}

fn failed(member: &Member, error: &CallError) -> PeerError {
    PeerError {
        member: member.clone(),
        reason: error.to_string(),
    }
}
