//! What can be seen of a running coordinator from outside.

use std::sync::Arc;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{CoordinatorState, Role, Tenure};

/// A coordinator as it was a moment ago.
#[derive(Clone, Debug)]
pub struct View {
    /// Its role.
    pub role: Role,
    /// Its tenure.
    pub tenure: Tenure,
    /// The status that the store accepted last, while it leads.
    pub status: Option<Arc<ClusterStatus>>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            role: Role::Candidate,
            tenure: Tenure(0),
            status: None,
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
        let (role, tenure) = (machine.role(), machine.tenure());
        let same = same_status && (self.role, self.tenure) == (role, tenure);
        if !same {
            *self = Self {
                role,
                tenure,
                status: machine.status().cloned(),
            };
        }
        !same
    }
}
