//! What can be seen of a running coordinator from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::call::Feature;
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{CoordinatorState, Epoch, Role, ServerId, ServerState, Tenure};

/// A coordinator as it was a moment ago.
#[derive(Clone, Debug)]
pub struct View {
    /// Its role.
    pub role: Role,
    /// Its tenure.
    pub tenure: Tenure,
    /// The epoch of its status, while it leads.
    pub epoch: Option<Epoch>,
    /// The status that the store accepted last, while it leads.
    pub status: Option<Arc<ClusterStatus>>,
    /// The data servers, while it leads.
    pub servers: ServerViews,
}

/// Data servers by their ids. It is replaced as a whole when one of them changes.
pub type ServerViews = Arc<BTreeMap<ServerId, ServerView>>;

/// A data server as it was a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// How it is.
    pub state: ServerState,
    /// What it can do; nothing, until it has said so.
    pub features: BTreeSet<Feature>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            role: Role::Candidate,
            tenure: Tenure(0),
            epoch: None,
            status: None,
            servers: ServerViews::default(),
        }
    }
}

impl View {
    /// Takes in the machine's state; returns whether anything changed.
    pub(super) fn update(&mut self, machine: &CoordinatorState) -> bool {
        let same_status = match (&self.status, machine.status()) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let (role, tenure, epoch) = (machine.role(), machine.tenure(), machine.epoch());
        let same_servers = self.has_servers_of(machine);
        let same = same_status
            && same_servers
            && (self.role, self.tenure, self.epoch) == (role, tenure, epoch);
        if !same {
            self.role = role;
            self.tenure = tenure;
            self.epoch = epoch;
            self.status = machine.status().cloned();
        }
        if !same_servers {
            self.servers = servers(machine);
        }
        !same
    }

    /// Compares without making anything: this is done at every turn.
    fn has_servers_of(&self, machine: &CoordinatorState) -> bool {
        let mut known = self.servers.iter();
        let none = BTreeSet::new();
        let all_same = machine.servers().all(|(id, state, features)| {
            known.next().is_some_and(|(known_id, known)| {
                known_id == id
                    && known.state == state
                    && known.features == *features.unwrap_or(&none)
            })
        });
        all_same && known.next().is_none()
    }
}

fn servers(machine: &CoordinatorState) -> ServerViews {
    let servers = machine.servers().map(|(id, state, features)| {
        let features = features.cloned().unwrap_or_default();
        (id.clone(), ServerView { state, features })
    });
    Arc::new(servers.collect())
}
