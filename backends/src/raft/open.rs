//! Opens a node on its directory, and one coordinator's view of it.

use std::sync::Arc;

use stepdown_wire::tls::Connector;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, spawn_blocking};
use tracing::info;

use super::admin::Administration;
use super::command::ClusterId;
use super::error::StartError;
use super::forming::form;
use super::listen::listen;
use super::naming::name;
use super::network::{Connections, Deadlines, Identity, Introduction, Server};
use super::node::Node;
use super::options::RaftOptions;
use super::storage::{self, Database, Directory, Fault};
use super::timing::RaftTiming;
use super::touch::keep_in_touch;
use super::types::{Member, NodeId};
use crate::backend::Backend;
use crate::candidate::Candidate;

/// Numbers are kept below this, so that whatever reads them as floats reads them right.
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// Opens the backend. Must be called within a runtime, where it leaves a node, its port and its
/// tasks, which end with the backend.
pub(crate) async fn open(
    options: &RaftOptions,
    candidate: &Candidate,
) -> Result<Backend, StartError> {
    let running = start(options, &candidate.name, RaftTiming::default()).await?;
    let node = running.node.clone();
    Ok(node.backend_of(candidate, Arc::new(running)))
}

/// A node with all that belongs to it. It ends when this is dropped.
pub(super) struct Running {
    pub(super) node: Arc<Node>,
    // In this order: nobody is answered by a node that ends.
    _server: Server,
    _tasks: JoinSet<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without a runtime, its tasks have ended already.
        if let Ok(runtime) = Handle::try_current() {
            let node = self.node.clone();
            runtime.spawn(async move { node.shut_down().await });
        }
    }
}

/// Starts a node on what is in its directory, which may be nothing.
pub(super) async fn start(
    options: &RaftOptions,
    name_of_node: &str,
    timing: RaftTiming,
) -> Result<Running, StartError> {
    let tls = options.tls.as_ref();
    let connector = tls.map(Connector::new).transpose();
    let connector = connector.map_err(StartError::Tls)?;
    let listener = listen(&options.address, tls).await?;
    let (database, kept) = opened(options).await?;
    let fresh = cluster().map_err(StartError::Chance)?;
    let identity = Identity::new(kept.node, kept.cluster);
    let member = Member {
        name: name_of_node.to_owned(),
        address: options.address.clone(),
    };
    let bootstrap = options.bootstrap_nodes.iter().cloned().collect();
    let introduction = Introduction::new(identity.clone(), member.clone(), bootstrap);
    let connections = Connections::new(identity.clone(), connector.clone(), Deadlines::default());
    let peers = Arc::new(connections.clone());
    let node = Node::start(
        kept.node,
        database.clone(),
        connections.clone(),
        peers,
        timing,
    )
    .await?;
    if let Some(known) = node.known_elsewhere(&member.address).await? {
        node.shut_down().await;
        return Err(StartError::Moved {
            directory: options.data_dir.display().to_string(),
            node: kept.node,
            known,
            address: member.address,
        });
    }
    let replica = Arc::new(node.clone());
    let administration = Administration::new(node.clone(), member, &database, connector);
    let server = Server::start_with(
        listener,
        introduction.clone(),
        replica,
        Deadlines::default(),
        Some(administration),
    );
    let server = server.map_err(|error| StartError::Listen {
        address: options.address.clone(),
        error,
    })?;
    info!(node = kept.node, address = %options.address, "Started the Raft node");
    let mut tasks = JoinSet::new();
    let strangers = server.strangers().clone();
    tasks.spawn(form(node.clone(), connections, introduction, strangers));
    tasks.spawn(name(node.clone(), identity, database, fresh));
    tasks.spawn(super::node::tell_of_its_end(node.clone()));
    tasks.spawn(keep_in_touch(node.clone()));
    Ok(Running {
        node,
        _server: server,
        _tasks: tasks,
    })
}

/// The file, and whose it is: a new one is somebody new.
async fn opened(options: &RaftOptions) -> Result<(Arc<Database>, storage::Identity), StartError> {
    let path = options.data_dir.clone();
    let drawn = number().map_err(StartError::Chance)?;
    let opened = spawn_blocking(move || {
        let database = Database::open(Arc::new(Directory::lock(&path)?))?;
        let refuse = |fault| database.refuse(fault);
        let kept = match database.identity().map_err(refuse)? {
            Some(kept) => kept,
            None => {
                let new = storage::Identity {
                    node: drawn,
                    cluster: None,
                };
                database.identify(&new).map_err(refuse)?;
                new
            }
        };
        Ok((Arc::new(database), kept))
    });
    opened.await.map_err(Fault::from)?
}

fn number() -> Result<NodeId, getrandom::Error> {
    loop {
        let number = getrandom::u64()? & LARGEST_NUMBER;
        if number != 0 {
            return Ok(number);
        }
    }
}

fn cluster() -> Result<ClusterId, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(ClusterId(u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
