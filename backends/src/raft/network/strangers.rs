//! How many messages were refused, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

use super::identity::Stranger;

/// Kinds of [`Stranger`], for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StrangerKind {
    /// Of another cluster.
    AnotherCluster,
    /// With another list of those that form the cluster.
    AnotherList,
    /// For a node that is not here.
    AnotherNode,
    /// From a node with the same number.
    Twin,
    /// From nobody.
    Unreadable,
}

impl fmt::Display for StrangerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnotherCluster => "another_cluster",
            Self::AnotherList => "another_list",
            Self::AnotherNode => "another_node",
            Self::Twin => "twin",
            Self::Unreadable => "unreadable",
        })
    }
}

/// The messages that were refused since the start. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Strangers(Arc<Mutex<BTreeMap<StrangerKind, u64>>>);

impl Strangers {
    /// How many there were of each kind.
    pub fn counts(&self) -> BTreeMap<StrangerKind, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// One more. A stranger may call ten times a second: it is told at the first time, the second,
    /// the fourth and so on.
    pub(super) fn refused(&self, stranger: &Stranger) {
        let count = {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(stranger.kind()).or_default();
            *count = count.saturating_add(1);
            *count
        };
        if count.is_power_of_two() {
            warn!(
                error = stranger as &dyn std::error::Error,
                times = count,
                "Refused a message of a stranger"
            );
        }
    }
}
