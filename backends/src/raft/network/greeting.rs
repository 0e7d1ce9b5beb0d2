//! How nodes find out who is at an address.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use stepdown_wire::raft as wire;

use super::identity::{Identity, Stranger};
use crate::raft::command::ClusterId;
use crate::raft::types::{Member, NodeId};

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Its number.
    pub node: NodeId,
    /// Its name and address.
    pub member: Member,
    /// Its cluster, once that is known.
    pub cluster: Option<ClusterId>,
    /// The addresses of those that form its cluster; none where it waits to be added.
    pub bootstrap: BTreeSet<String>,
    /// Whether it has taken part in a cluster.
    pub is_formed: bool,
    /// Whom it has reached at these addresses.
    pub reached: BTreeMap<String, NodeId>,
    /// In an answer: whether its cluster has whoever asks for a member.
    pub has_member: bool,
    /// Whether a cluster calls for a node that was at its address before.
    pub is_claimed: bool,
}

/// Who a node is, and whom it has reached. Clones are one.
#[derive(Clone, Debug)]
pub struct Introduction {
    identity: Identity,
    member: Member,
    bootstrap: Arc<BTreeSet<String>>,
    reached: Arc<Mutex<BTreeMap<String, NodeId>>>,
    is_claimed: Arc<AtomicBool>,
}

impl Introduction {
    /// A node that has reached nobody yet, and the addresses of those that form its cluster.
    pub fn new(identity: Identity, member: Member, bootstrap: BTreeSet<String>) -> Self {
        Self {
            identity,
            member,
            bootstrap: Arc::new(bootstrap),
            reached: Arc::default(),
            is_claimed: Arc::default(),
        }
    }

    /// Its number and its cluster.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its name and address.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The addresses of those that form its cluster.
    pub fn bootstrap(&self) -> &BTreeSet<String> {
        &self.bootstrap
    }

    /// This node is at this address.
    pub fn reached(&self, address: &str, node: NodeId) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.insert(address.to_owned(), node);
    }

    /// A cluster calls for a node that was at this one's address before, or does so no longer.
    pub fn claimed(&self, is_claimed: bool) {
        self.is_claimed.store(is_claimed, Ordering::Relaxed);
    }

    /// What the node says of itself now.
    pub fn greeting(&self, is_formed: bool) -> Greeting {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        Greeting {
            node: self.identity.node(),
            member: self.member.clone(),
            cluster: self.identity.cluster(),
            bootstrap: (*self.bootstrap).clone(),
            is_formed,
            reached: reached.clone(),
            has_member: false,
            is_claimed: self.is_claimed.load(Ordering::Relaxed),
        }
    }

    /// Whether whoever greets may be of the same cluster. Lists matter only to those that have
    /// formed none yet.
    pub(super) fn check(&self, greeting: &Greeting, is_formed: bool) -> Result<(), Stranger> {
        let from = greeting.node;
        self.identity.check_sender(from, greeting.cluster)?;
        if !is_formed && !greeting.is_formed && greeting.bootstrap != *self.bootstrap {
            return Err(Stranger::AnotherList {
                from: greeting.member.address.clone(),
                theirs: shown(&greeting.bootstrap),
                ours: shown(&self.bootstrap),
            });
        }
        Ok(())
    }
}

fn shown(addresses: &BTreeSet<String>) -> String {
    match addresses.is_empty() {
        true => "nobody".to_owned(),
        false => Vec::from_iter(addresses.iter().map(String::as_str)).join(", "),
    }
}

impl From<Greeting> for wire::Greeting {
    fn from(greeting: Greeting) -> Self {
        Self {
            node: greeting.node,
            name: greeting.member.name,
            address: greeting.member.address,
            cluster: greeting
                .cluster
                .map(|id| id.to_string())
                .unwrap_or_default(),
            bootstrap: greeting.bootstrap.into_iter().collect(),
            formed: greeting.is_formed,
            reached: greeting.reached,
            member: greeting.has_member,
            claimed: greeting.is_claimed,
        }
    }
}

impl TryFrom<wire::Greeting> for Greeting {
    type Error = Stranger;

    fn try_from(greeting: wire::Greeting) -> Result<Self, Stranger> {
        Ok(Self {
            node: greeting.node,
            member: Member {
                name: greeting.name,
                address: greeting.address,
            },
            cluster: Identity::parse(&greeting.cluster)?,
            bootstrap: greeting.bootstrap.into_iter().collect(),
            is_formed: greeting.formed,
            reached: greeting.reached,
            has_member: greeting.member,
            is_claimed: greeting.claimed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn introduction(node: NodeId, cluster: Option<ClusterId>, bootstrap: &[&str]) -> Introduction {
        let member = Member {
            name: format!("node-{node}"),
            address: format!("{node}:1"),
        };
        let bootstrap = bootstrap.iter().map(|&it| it.to_owned()).collect();
        Introduction::new(Identity::new(node, cluster), member, bootstrap)
    }

    #[test]
    fn a_greeting_survives_the_wire_form() {
        let node = introduction(7, Some(ClusterId(9)), &["a:1", "b:1"]);
        node.reached("b:1", 8);
        let greeting = node.greeting(true);
        let heard = Greeting::try_from(wire::Greeting::from(greeting.clone()));
        assert_eq!(heard, Ok(greeting));
    }

    #[test]
    fn those_that_form_a_cluster_must_have_one_list() {
        let node = introduction(1, None, &["a:1", "b:1"]);
        let same = introduction(2, None, &["b:1", "a:1"]);
        assert_eq!(node.check(&same.greeting(false), false), Ok(()));
        let other = introduction(2, None, &["b:1"]);
        let refused = node.check(&other.greeting(false), false).unwrap_err();
        let text = refused.to_string();
        for part in ["2:1", "a:1, b:1", "the same list"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(node.check(&other.greeting(true), false), Ok(()));
        assert_eq!(node.check(&other.greeting(false), true), Ok(()));
    }

    #[test]
    fn nodes_of_two_clusters_and_copies_of_one_do_not_greet() {
        let node = introduction(1, Some(ClusterId(1)), &[]);
        let stranger = introduction(2, Some(ClusterId(2)), &[]);
        let refused = node.check(&stranger.greeting(true), true).unwrap_err();
        assert!(
            matches!(refused, Stranger::AnotherCluster { .. }),
            "{refused}"
        );
        let refused = node.check(&node.greeting(true), true).unwrap_err();
        assert_eq!(refused, Stranger::Twin(1));
        assert_eq!(
            node.check(&introduction(2, None, &[]).greeting(false), true),
            Ok(())
        );
    }
}
