//! One node: its part of Raft, and the documents as far as it has heard.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use openraft::error::{ClientWriteError, Fatal, InitializeError, RaftError};
use openraft::storage::RaftLogStorage;
use openraft::{
    Raft, RaftNetworkFactory, RaftState, ServerState, StorageError, TokioInstant, Vote,
};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use super::ballot::Ballot;
use super::command::{Applied, ClusterId, Command};
use super::discreet::Discreet;
use super::error::{NOT_LEADING, StartError, WriteError};
use super::had::Had;
use super::handover::{self, Terms};
use super::hush::Hush;
use super::peers::Peers;
use super::place::Addresses;
use super::room::check_entry;
use super::seat::{Coordinator, Seat};
use super::standing::stand_when_missed;
use super::storage::{Database, Held, LogStore, StateStore};
use super::timing::RaftTiming;
use super::types::{Member, NodeId, TypeConfig};
use super::voice::Voice;

/// A log of fewer bytes is not worth a snapshot.
const COMPACT_FROM: u64 = 4 << 20;
/// How often the log's size is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an entry may take that is not a leader's store.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// A running node. Ends with [`shut_down`](Self::shut_down).
pub struct Node {
    id: NodeId,
    pub(super) raft: Raft<TypeConfig>,
    pub(super) held: watch::Receiver<Arc<Held>>,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) seat: Seat,
    pub(super) timing: RaftTiming,
    pub(super) terms: Terms,
    pub(super) voice: Voice,
    pub(super) hush: Hush,
    pub(super) ballot: Ballot,
    pub(super) had: Had,
    pub(super) addresses: Addresses,
    /// How many of its coordinators campaign.
    pub(super) campaigns: watch::Sender<usize>,
    /// Locked while a leader is asked for its place.
    pub(super) asking: Mutex<()>,
    coordinators: AtomicU64,
    /// Why it has ended, where nobody asked it to.
    pub(super) failure: watch::Sender<Option<Arc<str>>>,
}

impl Node {
    /// Starts a node on what is in its file.
    pub async fn start(
        id: NodeId,
        database: Arc<Database>,
        network: impl RaftNetworkFactory<TypeConfig>,
        peers: Arc<dyn Peers>,
        timing: RaftTiming,
    ) -> Result<Arc<Self>, StartError> {
        let state = StateStore::new(database.clone())?;
        let held = state.watch();
        let mut log = LogStore::new(database.clone());
        stand_anew(id, &mut log).await.map_err(Fatal::from)?;
        let had = log.get_log_state().await.map_err(Fatal::from)?;
        let had = Had::new(had.last_log_id);
        let hush = Hush::default();
        let network = Discreet {
            network,
            hush: hush.clone(),
        };
        let raft = Raft::new(id, timing.config()?, network, log, state).await?;
        let terms = handover::follow(raft.server_metrics());
        tokio::spawn(compact(
            raft.clone(),
            Arc::downgrade(&database),
            held.clone(),
        ));
        let node = Arc::new(Self {
            id,
            raft,
            held,
            peers,
            seat: Seat::default(),
            timing,
            terms,
            voice: Voice::default(),
            hush,
            ballot: Ballot::default(),
            had,
            addresses: Addresses::default(),
            campaigns: watch::Sender::new(0),
            asking: Mutex::default(),
            coordinators: AtomicU64::new(0),
            failure: watch::Sender::default(),
        });
        tokio::spawn(stand_when_missed(Arc::downgrade(&node), timing.ask_every()));
        Ok(node)
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its part of Raft, for whoever carries the others' messages to it.
    #[must_use]
    pub fn raft(&self) -> &Raft<TypeConfig> {
        &self.raft
    }

    /// What it holds, as far as it has heard.
    #[must_use]
    pub fn held(&self) -> Arc<Held> {
        self.held.borrow().clone()
    }

    /// Whether it has taken part in a cluster: it has voted, or has an entry.
    pub async fn is_formed(&self) -> Result<bool, Fatal<NodeId>> {
        self.raft.is_initialized().await
    }

    /// Whether this node is a member, voting or not, as far as is known.
    #[must_use]
    pub fn has_member(&self, node: NodeId) -> bool {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow();
        metrics
            .membership_config
            .membership()
            .get_node(&node)
            .is_some()
    }

    /// What its cluster knows of it, if that is another address, at which others look for it.
    pub async fn known_elsewhere(&self, address: &str) -> Result<Option<Member>, Fatal<NodeId>> {
        let (id, address) = (self.id, address.to_owned());
        let look = move |state: &RaftState<NodeId, Member, TokioInstant>| {
            let membership = state.membership_state.effective().membership();
            let known = membership.get_node(&id).cloned();
            known.filter(|known| known.address != address)
        };
        self.raft.with_raft_state(look).await
    }

    /// Forms a new cluster of these members, unless there is one already. Every one of them may do
    /// so, if all do it with the same members; but each stands for election then.
    pub async fn form(&self, members: BTreeMap<NodeId, Member>) -> Result<(), StartError> {
        match self.raft.initialize(members).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => Err(StartError::Form(error.to_string())),
        }
    }

    /// Gives the cluster its id, if this node leads and there is none yet.
    pub async fn name_cluster(&self, cluster: ClusterId) -> Result<Applied, WriteError> {
        self.write(Command::Form { cluster }).await
    }

    /// Writes one entry, if this node leads.
    pub async fn write(&self, command: Command) -> Result<Applied, WriteError> {
        check_entry(&command)?;
        match timeout(WRITE_WITHIN, self.raft.client_write(command)).await {
            Ok(Ok(written)) => Ok(written.data),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => {
                Err(WriteError::Raft(NOT_LEADING.to_owned()))
            }
            Ok(Err(error)) => Err(WriteError::Raft(error.to_string())),
            Err(_) => Err(WriteError::TimedOut(WRITE_WITHIN)),
        }
    }

    /// The term in which this node leads the others, if it does.
    pub(super) fn leads(&self) -> Option<u64> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow();
        (metrics.state == ServerState::Leader).then(|| metrics.vote.leader_id.term)
    }

    /// Returns once this node does not lead in this term any more.
    pub(super) async fn deposed(&self, term: u64) -> String {
        let mut metrics = self.raft.server_metrics();
        let leads = metrics.wait_for(|metrics| {
            metrics.state != ServerState::Leader || metrics.vote.leader_id.term != term
        });
        match leads.await {
            Ok(metrics) => match metrics.current_leader {
                Some(leader) => format!("node {leader} was elected"),
                None => "the others have elected, or elect, another".to_owned(),
            },
            Err(_) => "the node has stopped".to_owned(),
        }
    }

    /// The node that leads, as far as is known.
    #[must_use]
    pub fn leader(&self) -> Option<(NodeId, Member)> {
        let metrics = self.raft.server_metrics();
        let metrics = metrics.borrow();
        let leader = metrics.current_leader?;
        let member = metrics.membership_config.membership().get_node(&leader)?;
        Some((leader, member.clone()))
    }

    pub(super) fn join(&self) -> Coordinator {
        Coordinator(self.coordinators.fetch_add(1, Ordering::Relaxed))
    }

    /// Stops it. What it holds stays on its disk.
    pub async fn shut_down(&self) {
        // Only a panic there could fail this, and then it has stopped as well.
        let _ = self.raft.shutdown().await;
    }
}

/// A leader that is started again stands for election again. Raft would have it lead on in its term,
/// which is no use after a restart, and where its directory is an older copy of what it was then, its
/// entries would take the place of what is committed.
async fn stand_anew(id: NodeId, log: &mut LogStore) -> Result<(), StorageError<NodeId>> {
    let vote = log.read_vote().await?;
    let led = vote.filter(|vote| vote.committed && vote.leader_id.node_id == id);
    if let Some(vote) = led {
        log.save_vote(&Vote::new(vote.leader_id.term, id)).await?;
    }
    Ok(())
}

/// Says when a node has stopped that was not told to, and why. Ends with the node.
pub(super) async fn tell_of_its_end(node: Arc<Node>) {
    let mut metrics = node.raft.metrics();
    let ended = metrics.wait_for(|metrics| metrics.running_state.is_err());
    let reason = match ended.await.as_deref() {
        Ok(metrics) => match &metrics.running_state {
            Ok(()) | Err(Fatal::Stopped) => return,
            Err(fatal @ (Fatal::StorageError(_) | Fatal::Panicked)) => fatal.to_string(),
        },
        Err(_) => Fatal::<NodeId>::Panicked.to_string(),
    };
    node.failure.send_replace(Some(reason.into()));
}

/// Asks for a snapshot when the log has grown well beyond what it makes. Ends with the node.
async fn compact(
    raft: Raft<TypeConfig>,
    database: Weak<Database>,
    held: watch::Receiver<Arc<Held>>,
) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(logged) = database.upgrade().map(|database| database.log_bytes()) else {
            return;
        };
        if logged <= COMPACT_FROM {
            continue;
        }
        let present = held.borrow().machine.status.clone();
        let snapshot = present.map_or(0, |it| it.status.estimated_bytes());
        if logged > snapshot.saturating_mul(2) && raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}
