//! A node, as people administer it.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use openraft::{Membership, RaftMetrics};
use stepdown_wire::raft::{MemberStatus, StatusResponse};
use stepdown_wire::tls::Connector;
use tokio::sync::Mutex;

use super::client::ask_status;
use super::error::AdminError;
use crate::raft::network::Strangers;
use crate::raft::node::Node;
use crate::raft::storage::Database;
use crate::raft::types::{Member, NodeId};

/// A node, as people administer it.
#[derive(Clone)]
pub struct Administration {
    pub(super) node: Arc<Node>,
    pub(super) me: Member,
    pub(super) database: Weak<Database>,
    pub(super) tls: Option<Connector>,
    pub(super) strangers: Strangers,
    /// Locked while the members are looked at and changed: else a change undoes another.
    pub(super) changes: Arc<Mutex<()>>,
}

impl Administration {
    /// Administers this node, which calls itself `me`. It reaches the others over TLS or in
    /// plaintext, as it does for Raft.
    #[must_use]
    pub fn new(
        node: Arc<Node>,
        me: Member,
        database: &Arc<Database>,
        tls: Option<Connector>,
    ) -> Self {
        Self {
            node,
            me,
            database: Arc::downgrade(database),
            tls,
            strangers: Strangers::default(),
            changes: Arc::default(),
        }
    }

    /// The same, and it tells of these, too.
    pub(in crate::raft) fn telling_of(self, strangers: Strangers) -> Self {
        Self { strangers, ..self }
    }

    pub(super) fn metrics(&self) -> RaftMetrics<NodeId, Member> {
        self.node.raft().metrics().borrow().clone()
    }

    /// Those that there are, as far as this node has heard.
    pub(super) fn membership(&self) -> Membership<NodeId, Member> {
        self.metrics().membership_config.membership().clone()
    }

    /// Fails unless this node leads.
    pub(super) fn check_leads(&self) -> Result<(), AdminError> {
        match self.node.leads() {
            Some(_) => Ok(()),
            None => Err(AdminError::NotLeader(
                self.node.leader().map(|(_, member)| member),
            )),
        }
    }

    /// The member of this name, address or number.
    pub(super) fn find(&self, who: &str) -> Result<(NodeId, Member), AdminError> {
        let membership = self.membership();
        let is_it = |(id, member): &(&NodeId, &Member)| {
            who == member.name || who == member.address || who == id.to_string()
        };
        let mut found = membership.nodes().filter(is_it);
        match (found.next(), found.next()) {
            (Some((id, member)), None) => Ok((*id, member.clone())),
            (Some(_), Some(_)) => Err(AdminError::Ambiguous(who.to_owned())),
            (None, _) => Err(AdminError::Unknown {
                who: who.to_owned(),
                members: membership.nodes().map(|(_, it)| it.clone()).collect(),
            }),
        }
    }

    /// How many entries a member is behind this node, which leads; `None` where it is known to have
    /// none.
    pub(super) fn behind(&self, member: NodeId) -> Option<u64> {
        self.node.behind(member)
    }

    /// What another node says of itself.
    pub(super) async fn meet(&self, address: &str) -> Result<StatusResponse, AdminError> {
        let answer = ask_status(address, self.tls.as_ref()).await;
        answer.map_err(|error| AdminError::NoAnswer {
            address: address.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Fails unless this node answers, at this address, as what it is known as.
    pub(super) async fn check_answers(
        &self,
        id: NodeId,
        member: &Member,
    ) -> Result<(), AdminError> {
        let answer = self.meet(&member.address).await?;
        if answer.node == id {
            return Ok(());
        }
        Err(AdminError::AnotherNode {
            member: member.clone(),
            expected: id,
            found: answer.node,
        })
    }

    /// Fails unless a majority is there both of those that vote and of those that would: it takes
    /// both to change the members, and a cluster that has none can't be changed any more.
    pub(super) async fn check_majorities(
        &self,
        present: &BTreeSet<NodeId>,
        next: &BTreeSet<NodeId>,
    ) -> Result<(), AdminError> {
        self.check_majority(present, "vote").await?;
        self.check_majority(next, "would vote").await
    }

    async fn check_majority(
        &self,
        voters: &BTreeSet<NodeId>,
        vote: &'static str,
    ) -> Result<(), AdminError> {
        let membership = self.membership();
        let others = voters.iter().filter(|id| **id != self.node.id());
        let answers = join_all(others.map(|id| {
            let member = membership.get_node(id).cloned().unwrap_or_default();
            async move {
                self.check_answers(*id, &member)
                    .await
                    .map_err(|error| (member, error))
            }
        }));
        let silent: Vec<_> = answers.await.into_iter().filter_map(Result::err).collect();
        if (voters.len() - silent.len()) * 2 > voters.len() {
            return Ok(());
        }
        let reasons = silent
            .iter()
            .map(|(member, error)| format!("{member}: {error}"));
        Err(AdminError::NoMajority {
            voters: voters.len(),
            vote,
            silent: reasons.collect(),
        })
    }

    pub(super) fn told(&self, id: NodeId, member: &Member) -> MemberStatus {
        let metrics = self.metrics();
        let replication = metrics.replication.as_ref();
        let matched = replication.and_then(|all| all.get(&id).copied().flatten());
        MemberStatus {
            node: id,
            name: member.name.clone(),
            address: member.address.clone(),
            votes: metrics.membership_config.voter_ids().any(|it| it == id),
            matched: matched.map(|it| it.index),
        }
    }
}
