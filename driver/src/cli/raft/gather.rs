//! What all members say, put together.

use futures_util::future::join_all;
use stepdown_backends::raft::admin::AdminClient;
use stepdown_wire::raft::{MemberStatus, StatusResponse};

use super::error::RaftCommandError;
use crate::cli::visible::visible;

/// The cluster, as its members see it.
pub(super) struct View {
    /// What whoever leads says; where that does not answer, what another says.
    pub(super) best: StatusResponse,
    pub(super) members: Vec<Seen>,
}

/// A member, and what it says.
pub(super) struct Seen {
    pub(super) member: MemberStatus,
    /// Or why it says nothing.
    pub(super) status: Result<StatusResponse, String>,
}

impl View {
    /// Asks a node who there are, and those what they know.
    pub(super) async fn gather(client: &AdminClient) -> Result<Self, RaftCommandError> {
        let mut view = Self::asked(client).await?;
        let by_name = |seen: &Seen| (seen.member.name.clone(), seen.member.node);
        view.members.sort_by_key(by_name);
        Ok(view)
    }

    async fn asked(client: &AdminClient) -> Result<Self, RaftCommandError> {
        let first = client.overview().await?;
        let known = members(client, &first).await;
        let leads = |status: &&StatusResponse| status.leader == Some(status.node);
        let answers = known.iter().filter_map(|seen| seen.status.as_ref().ok());
        // One that was deposed, and has not heard of it, is in a lower term.
        let leader = answers.filter(leads).max_by_key(|status| status.term);
        let Some(best) = leader else {
            return Ok(Self {
                best: first,
                members: known,
            });
        };
        let best = best.clone();
        // The leader knows of all, and how far they are.
        let asked = |member: &MemberStatus| {
            let asked = known.iter().find(|seen| seen.member.node == member.node);
            asked.map(|seen| seen.status.clone())
        };
        let mut members = Vec::new();
        for member in &best.members {
            let status = match asked(member) {
                Some(status) => status,
                None => ask(client, member).await,
            };
            members.push(Seen {
                member: member.clone(),
                status,
            });
        }
        Ok(Self { best, members })
    }

    pub(super) fn leader(&self) -> Option<&Seen> {
        let leads = |seen: &&Seen| Some(seen.member.node) == self.best.leader;
        self.members.iter().find(leads)
    }

    /// Whether what is known is what the leader says.
    fn is_leaders(&self) -> bool {
        self.best.leader == Some(self.best.node)
    }

    /// Whether there is a leader that a majority answers.
    pub(super) fn is_led(&self) -> bool {
        self.quorum_millis().is_some()
    }

    /// How long a majority has taken to answer the leader, just now.
    pub(super) fn quorum_millis(&self) -> Option<u64> {
        self.best.quorum_millis.filter(|_| self.is_leaders())
    }

    /// How many entries a member is behind the leader, where that is known.
    pub(super) fn lag(&self, seen: &Seen) -> Option<u64> {
        let last = self.best.last.filter(|_| self.is_leaders())?;
        let matched = seen.member.matched?;
        Some(last.saturating_sub(matched))
    }
}

async fn members(client: &AdminClient, first: &StatusResponse) -> Vec<Seen> {
    let asked = first.members.iter().map(|member| async {
        Seen {
            member: member.clone(),
            status: match member.node == first.node {
                true => Ok(first.clone()),
                false => ask(client, member).await,
            },
        }
    });
    join_all(asked).await
}

async fn ask(client: &AdminClient, member: &MemberStatus) -> Result<StatusResponse, String> {
    let status = client.status_of(&member.address).await;
    let status = status.map_err(|error| visible(&error.to_string()))?;
    if status.node == member.node {
        return Ok(status);
    }
    Err(format!(
        "node {} is there; if it has lost its disk, add it again: stepdown raft add {}",
        status.node, member.address
    ))
}
