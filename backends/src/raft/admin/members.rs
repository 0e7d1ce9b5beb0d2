//! Members come and go. Whoever comes is caught up before it votes, so that it is missed by nobody;
//! whoever has lost its disk comes as somebody else, in the place of who it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};
use stepdown_wire::raft as wire;
use tokio::time::timeout;

use super::administration::Administration;
use super::error::AdminError;
use crate::raft::handover::CLOSE;
use crate::raft::types::{Member, NodeId};

/// How long a change may take.
const CHANGE_WITHIN: Duration = Duration::from_secs(10);

impl Administration {
    pub(super) async fn add(
        &self,
        address: &str,
        is_learner: bool,
    ) -> Result<wire::AddResponse, AdminError> {
        self.check_leads()?;
        let (id, member) = self.newcomer(address).await?;
        let _changes = self.changes.lock().await;
        let voters = self.finished().await?;
        let known = self.membership().get_node(&id).is_some();
        let done = |already, replaced| wire::AddResponse {
            member: Some(self.told(id, &member)),
            catching_up: None,
            replaced,
            already,
        };
        if voters.contains(&id) || (known && is_learner) {
            return Ok(done(true, Vec::new()));
        }
        if !known {
            self.check_name(&member)?;
            let newcomer = BTreeMap::from([(id, member.clone())]);
            self.change(ChangeMembers::AddNodes(newcomer), true).await?;
        }
        if is_learner {
            return Ok(done(false, Vec::new()));
        }
        let behind = self.behind(id);
        if behind.is_none_or(|entries| entries > CLOSE) {
            let last = self.metrics().last_log_index.unwrap_or_default();
            return Ok(wire::AddResponse {
                catching_up: Some(wire::CatchingUp {
                    matched: behind.map(|entries| last.saturating_sub(entries)),
                    last,
                }),
                ..done(false, Vec::new())
            });
        }
        let replaced = self.make_voter(id, &member, voters).await?;
        Ok(done(false, replaced))
    }

    /// Fails if another member has its name: those who follow a leader by its name would be lost.
    fn check_name(&self, newcomer: &Member) -> Result<(), AdminError> {
        let membership = self.membership();
        let mut members = membership.nodes().map(|(_, member)| member);
        let is_same = |it: &&Member| it.name == newcomer.name && it.address != newcomer.address;
        match members.find(is_same) {
            Some(member) => Err(AdminError::SameName(member.clone())),
            None => Ok(()),
        }
    }

    /// Has it vote, in the place of those at the same address: it can be there only once.
    async fn make_voter(
        &self,
        id: NodeId,
        member: &Member,
        present: BTreeSet<NodeId>,
    ) -> Result<Vec<wire::MemberStatus>, AdminError> {
        let membership = self.membership();
        let at_same =
            |(other, it): &(&NodeId, &Member)| **other != id && it.address == member.address;
        let replaced: Vec<_> = membership.nodes().filter(at_same).collect();
        let told = replaced.iter().map(|(id, it)| self.told(**id, it));
        let told: Vec<_> = told.collect();
        let mut voters = present.clone();
        for (other, _) in &replaced {
            voters.remove(other);
        }
        voters.insert(id);
        self.check_majorities(&present, &voters).await?;
        self.change(ChangeMembers::ReplaceAllVoters(voters), false)
            .await?;
        let learners: BTreeSet<_> = told
            .iter()
            .filter(|it| !it.votes)
            .map(|it| it.node)
            .collect();
        if !learners.is_empty() {
            self.change(ChangeMembers::RemoveNodes(learners), true)
                .await?;
        }
        Ok(told)
    }

    /// Who answers at this address, if it can be taken in.
    async fn newcomer(&self, address: &str) -> Result<(NodeId, Member), AdminError> {
        let answer = self.meet(address).await?;
        let ours = self.node.held().machine.cluster;
        if ours.is_none() {
            return Err(AdminError::Nameless);
        }
        let is_member = self.membership().get_node(&answer.node).is_some();
        let is_same = ours.is_some_and(|id| id.to_string() == answer.cluster);
        if !answer.cluster.is_empty() && !is_same {
            return Err(AdminError::another_cluster(address, &answer.cluster, ours));
        }
        if answer.cluster.is_empty() && answer.formed && !is_member {
            let address = address.to_owned();
            return Err(AdminError::Forming { address });
        }
        if answer.address.is_empty() {
            return Err(AdminError::Nowhere(address.to_owned()));
        }
        let member = Member {
            name: answer.name,
            address: answer.address,
        };
        Ok((answer.node, member))
    }

    pub(super) async fn remove(&self, who: &str) -> Result<wire::RemoveResponse, AdminError> {
        self.check_leads()?;
        let _changes = self.changes.lock().await;
        let present = self.finished().await?;
        let mut voters = present.clone();
        let (id, member) = self.find(who)?;
        let removed = |handed_over| wire::RemoveResponse {
            member: Some(self.told(id, &member)),
            handed_over,
        };
        if !voters.remove(&id) {
            let learner = BTreeSet::from([id]);
            self.change(ChangeMembers::RemoveNodes(learner), true)
                .await?;
            return Ok(removed(None));
        }
        if voters.is_empty() {
            return Err(AdminError::LastVoter(member));
        }
        self.check_majorities(&present, &voters).await?;
        if id == self.node.id() {
            let (successor, its) = self.best_successor(&voters).await?;
            self.hand_over(successor, &its).await?;
            return Ok(removed(Some(self.told(successor, &its))));
        }
        self.change(ChangeMembers::ReplaceAllVoters(voters), false)
            .await?;
        Ok(removed(None))
    }

    /// The voters, once a change that was begun and left is finished.
    async fn finished(&self) -> Result<BTreeSet<NodeId>, AdminError> {
        let membership = self.membership();
        let configs = membership.get_joint_config();
        let voters = configs.last().cloned().unwrap_or_default();
        if configs.len() > 1 {
            self.change(ChangeMembers::ReplaceAllVoters(voters.clone()), false)
                .await?;
        }
        Ok(voters)
    }

    /// Changes the members. It goes on even if nobody waits for it any more: half a change would
    /// stay.
    async fn change(
        &self,
        change: ChangeMembers<NodeId, Member>,
        retain: bool,
    ) -> Result<(), AdminError> {
        let raft = self.node.raft().clone();
        let changing = tokio::spawn(async move { raft.change_membership(change, retain).await });
        let Ok(changed) = timeout(CHANGE_WITHIN, changing).await else {
            return Err(AdminError::TimedOut(CHANGE_WITHIN));
        };
        match changed {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(leader)))) => {
                Err(AdminError::NotLeader(leader.leader_node))
            }
            Ok(Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_),
            )))) => Err(AdminError::Changing),
            Ok(Err(error)) => Err(AdminError::Raft(error.to_string())),
            Err(error) => Err(AdminError::Raft(error.to_string())),
        }
    }
}
