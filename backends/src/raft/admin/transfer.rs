//! Leadership is handed over to whoever is named.

use std::collections::BTreeSet;

use stepdown_wire::raft as wire;

use super::administration::Administration;
use super::error::AdminError;
use crate::raft::handover::{CLOSE, KEPT_FREE};
use crate::raft::types::{Member, NodeId};

impl Administration {
    pub(super) async fn transfer(&self, who: &str) -> Result<wire::TransferResponse, AdminError> {
        self.check_leads()?;
        let (id, member) = self.find(who)?;
        let told = |already| wire::TransferResponse {
            member: Some(self.told(id, &member)),
            already,
        };
        if id == self.node.id() {
            return Ok(told(true));
        }
        let membership = self.membership();
        if !membership.voter_ids().any(|voter| voter == id) {
            return Err(AdminError::NotAVoter(member));
        }
        self.hand_over(id, &member).await?;
        Ok(told(false))
    }

    /// Hands over to a voter, if that answers and has nearly all.
    pub(super) async fn hand_over(&self, to: NodeId, member: &Member) -> Result<(), AdminError> {
        let entries = self.behind(to);
        if entries.is_none_or(|entries| entries > CLOSE) {
            let member = member.clone();
            return Err(AdminError::Behind { member, entries });
        }
        self.check_answers(to, member).await?;
        tracing::info!(to = %member, "Handing over");
        if self.node.hand_over(to).await {
            return Ok(());
        }
        self.check_answers(to, member).await?;
        Err(AdminError::NotTaken {
            member: member.clone(),
            within: KEPT_FREE,
        })
    }

    /// Whoever of these answers and has most.
    pub(super) async fn best_successor(
        &self,
        voters: &BTreeSet<NodeId>,
    ) -> Result<(NodeId, Member), AdminError> {
        let membership = self.membership();
        let mut voters: Vec<_> = voters.iter().collect();
        voters.sort_by_key(|id| self.behind(**id).unwrap_or(u64::MAX));
        let mut last = None;
        for id in voters {
            let member = membership.get_node(id).cloned().unwrap_or_default();
            match self.check_answers(*id, &member).await {
                Ok(()) => return Ok((*id, member)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| AdminError::LastVoter(self.me.clone())))
    }
}
