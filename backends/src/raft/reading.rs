//! Reads that have seen all that was acknowledged before they began.

use std::sync::Arc;

use openraft::error::{CheckIsLeaderError, RaftError};
use openraft::{LogId, LogIdOptionExt};
use tokio::time::{sleep, timeout};

use super::error::NOT_LEADING;
use super::node::Node;
use super::storage::Held;
use super::types::{Member, NodeId};

impl Node {
    /// How far a reader has to be, now, to have seen all that was acknowledged. Only the leader
    /// can say so.
    pub async fn read_index(&self) -> Result<Option<LogId<NodeId>>, String> {
        if self.voice.is_cut_off() {
            return Err("no majority answers".to_owned());
        }
        // Else whoever is asked would hear of it.
        if self.keeps_silent() {
            return Err("it gives its place to another".to_owned());
        }
        match timeout(self.timing.patience(), self.raft.get_read_log_id()).await {
            Ok(Ok((index, _))) => Ok(index),
            Ok(Err(error)) => Err(not_read(&error)),
            Err(_) => Err("no majority has answered in time".to_owned()),
        }
    }

    /// What the machine holds, no older than this call. Whoever leads is asked; an election that is
    /// under way is waited for.
    pub(super) async fn read(&self) -> Result<Arc<Held>, String> {
        let mut reason = "no leader is known".to_owned();
        let read = async {
            loop {
                match self.try_read().await {
                    Ok(held) => return held,
                    Err(error) => reason = error,
                }
                sleep(self.timing.ask_every()).await;
            }
        };
        let read = timeout(self.timing.patience(), read).await;
        read.map_err(|_| reason)
    }

    async fn try_read(&self) -> Result<Arc<Held>, String> {
        if let Err(fatal) = &self.raft.metrics().borrow().running_state {
            return Err(fatal.to_string());
        }
        let index = match self.leader() {
            None => return Err("no leader is known".to_owned()),
            Some((leader, _)) if leader == self.id() => self.read_index().await?,
            Some((leader, member)) => {
                let index = self.peers.read_index(leader, &member).await;
                index.map_err(|error| error.to_string())?
            }
        };
        self.reached(index).await
    }

    /// What the machine holds once it is that far.
    async fn reached(&self, index: Option<LogId<NodeId>>) -> Result<Arc<Held>, String> {
        let mut held = self.held.clone();
        let reached = held.wait_for(|held| held.last.index() >= index.index());
        reached
            .await
            .map(|held| held.clone())
            .map_err(|_| "the node has stopped".to_owned())
    }
}

fn not_read(error: &RaftError<NodeId, CheckIsLeaderError<NodeId, Member>>) -> String {
    match error {
        RaftError::APIError(CheckIsLeaderError::ForwardToLeader(_)) => NOT_LEADING.to_owned(),
        RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_)) => {
            "no majority answers".to_owned()
        }
        RaftError::Fatal(fatal) => fatal.to_string(),
    }
}
