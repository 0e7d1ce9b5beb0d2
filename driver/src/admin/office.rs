//! Whether this coordinator answers, and who does if it does not.

use std::sync::Arc;

use stepdown_backends::{Leadership, PublicAddress};
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, Role};
use stepdown_wire::error::{COORDINATOR_LEADER, Reason, to_status};
use tokio::sync::watch;
use tonic::Status;

use super::latest::Latest;
use crate::event_loop::{ServerViews, View};

/// Who leads, as far as this coordinator knows.
#[derive(Clone)]
pub(super) struct Office {
    pub(super) name: Arc<str>,
    pub(super) public_address: Option<PublicAddress>,
    pub(super) view: watch::Receiver<View>,
    pub(super) leadership: Arc<dyn Leadership>,
    pub(super) latest: Latest,
}

/// What is so, while this coordinator leads.
pub(super) struct Seen {
    pub(super) epoch: Option<Epoch>,
    pub(super) status: Arc<ClusterStatus>,
    pub(super) servers: ServerViews,
}

impl Office {
    /// What is so, or the way to whoever leads.
    pub(super) fn open(&self) -> Result<Seen, Status> {
        let view = self.view.borrow().clone();
        match (view.role, view.status) {
            // Nothing must look as if it were not there only because it was not read yet.
            (Role::Leader, Some(_)) if !self.latest.is_known() => {
                Err(to_status(Reason::NotInitialized, []))
            }
            (Role::Leader, Some(status)) => Ok(Seen {
                epoch: view.epoch,
                status,
                servers: view.servers,
            }),
            (Role::Candidate | Role::Leader | Role::SteppingDown, _) => Err(self.elsewhere()),
        }
    }

    fn elsewhere(&self) -> Status {
        let unknown = || to_status(Reason::NotInitialized, []);
        let Some(leader) = self.leadership.leader() else {
            return unknown();
        };
        if leader == self.name {
            return unknown();
        }
        let configuration = self.latest.configuration();
        let coordinators = configuration.iter().flat_map(|it| &it.coordinators);
        let listed = |name: &str| coordinators.clone().find(|it| *it.name == *name);
        let address = match (listed(&leader), listed(&self.name)) {
            (Some(leader), Some(_)) => leader.public_address.clone(),
            _ if coordinators.clone().next().is_some() => return unknown(),
            // One of each host's own, as loopback is, leads nowhere but here again.
            _ => match self.leadership.leader_address(&leader) {
                Some(address) if self.public_address.as_ref() != Some(&address) => {
                    address.to_string().into()
                }
                Some(_) | None => return unknown(),
            },
        };
        let address = Some(&*address).filter(|it| !it.trim().is_empty());
        let hint = address.map(|address| (COORDINATOR_LEADER, address));
        to_status(Reason::NodeIsNotLeader, hint)
    }
}
