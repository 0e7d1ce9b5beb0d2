//! Who a node is, and whom it listens to.

use std::sync::{Arc, OnceLock};

use stepdown_wire::raft as wire;

use super::strangers::StrangerKind;
use crate::raft::command::ClusterId;
use crate::raft::types::NodeId;

/// One node's number, and its cluster once that is known. Clones are one.
#[derive(Clone, Debug)]
pub struct Identity {
    node: NodeId,
    cluster: Arc<OnceLock<ClusterId>>,
}

/// Why a message is not listened to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// Its sender is of another cluster.
    #[error(
        "node {from} is of cluster {theirs}, and this node of cluster {ours}; one of the two \
         lists an address of the other's"
    )]
    AnotherCluster {
        /// The sender.
        from: NodeId,
        /// The sender's cluster.
        theirs: ClusterId,
        /// The receiver's cluster.
        ours: ClusterId,
    },
    /// It is for a node that is not here.
    #[error(
        "the message is for node {to}, and here is node {here}; if that node has lost its disk, \
         remove it from the cluster and add the new one"
    )]
    AnotherNode {
        /// Whom it is for.
        to: NodeId,
        /// Who is here.
        here: NodeId,
    },
    /// Its sender has the receiver's number.
    #[error(
        "the sender says that it is node {0}, as this node is: two nodes run on copies of one data \
         directory, of which one has to be stopped for good; or one node is listed at two addresses"
    )]
    Twin(NodeId),
    /// It forms a cluster of others than the receiver.
    #[error(
        "the node at {from} forms a cluster of {theirs}, and this node one of {ours}; give every \
         node the same list of bootstrap nodes"
    )]
    AnotherList {
        /// The sender's address.
        from: String,
        /// The sender's list.
        theirs: String,
        /// The receiver's list.
        ours: String,
    },
    /// It does not say who sends it, or its cluster is no cluster's id.
    #[error("the message has no envelope that can be read; is the sender of another version?")]
    Unreadable,
}

impl Identity {
    /// A node that knows its cluster, or does not yet.
    pub fn new(node: NodeId, cluster: Option<ClusterId>) -> Self {
        Self {
            node,
            cluster: Arc::new(cluster.map_or_else(OnceLock::new, OnceLock::from)),
        }
    }

    /// The node's number.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The node's cluster, once that is known.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.cluster.get().copied()
    }

    /// The cluster is known now. A node has one for its life: the one that it has, if it has one,
    /// is given back.
    pub fn belongs_to(&self, cluster: ClusterId) -> ClusterId {
        *self.cluster.get_or_init(|| cluster)
    }

    /// What goes with a message to another node.
    pub(super) fn envelope(&self, to: NodeId) -> wire::Envelope {
        wire::Envelope {
            cluster: self.cluster().map(|id| id.to_string()).unwrap_or_default(),
            from: self.node,
            to,
        }
    }

    /// Whom a message is from, if it is for this node. Whoever does not know its cluster yet is told apart by
    /// the numbers alone: they are drawn at random, so that no other cluster's node has them.
    pub(super) fn check(&self, envelope: Option<&wire::Envelope>) -> Result<NodeId, Stranger> {
        let envelope = envelope.ok_or(Stranger::Unreadable)?;
        let cluster = Self::parse(&envelope.cluster)?;
        if envelope.to != self.node {
            self.check_cluster(envelope.from, cluster)?;
            return Err(Stranger::AnotherNode {
                to: envelope.to,
                here: self.node,
            });
        }
        self.check_sender(envelope.from, cluster)?;
        Ok(envelope.from)
    }

    /// Whether a sender is another node, and of no other cluster.
    pub(super) fn check_sender(
        &self,
        from: NodeId,
        cluster: Option<ClusterId>,
    ) -> Result<(), Stranger> {
        self.check_cluster(from, cluster)?;
        if from == self.node {
            return Err(Stranger::Twin(self.node));
        }
        Ok(())
    }

    fn check_cluster(&self, from: NodeId, theirs: Option<ClusterId>) -> Result<(), Stranger> {
        match (theirs, self.cluster()) {
            (Some(theirs), Some(ours)) if theirs != ours => {
                Err(Stranger::AnotherCluster { from, theirs, ours })
            }
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// A cluster as it is named in a message.
    pub(super) fn parse(cluster: &str) -> Result<Option<ClusterId>, Stranger> {
        match cluster {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Stranger::Unreadable),
        }
    }
}

impl Stranger {
    /// What it is counted as.
    pub fn kind(&self) -> StrangerKind {
        match self {
            Self::AnotherCluster { .. } => StrangerKind::AnotherCluster,
            Self::AnotherList { .. } => StrangerKind::AnotherList,
            Self::AnotherNode { .. } => StrangerKind::AnotherNode,
            Self::Twin(_) => StrangerKind::Twin,
            Self::Unreadable => StrangerKind::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: ClusterId = ClusterId(1);
    const THEIRS: ClusterId = ClusterId(2);

    fn checked(sender: &Identity, to: NodeId, receiver: &Identity) -> Result<NodeId, Stranger> {
        receiver.check(Some(&sender.envelope(to)))
    }

    #[test]
    fn nodes_of_two_clusters_have_nothing_to_say_to_each_other() {
        let receiver = Identity::new(2, Some(OURS));
        let stranger = Identity::new(1, Some(THEIRS));
        let refused = checked(&stranger, 2, &receiver).unwrap_err();
        assert_eq!(refused.kind(), StrangerKind::AnotherCluster);
        assert_eq!(checked(&Identity::new(1, Some(OURS)), 2, &receiver), Ok(1));
    }

    #[test]
    fn a_node_that_is_new_is_told_apart_by_its_number() {
        let new = Identity::new(2, None);
        let old = Identity::new(1, Some(OURS));
        assert_eq!(checked(&old, 2, &new), Ok(1));
        assert_eq!(checked(&new, 1, &old), Ok(2));
        let refused = checked(&old, 3, &new).unwrap_err();
        assert_eq!(refused, Stranger::AnotherNode { to: 3, here: 2 });
    }

    #[test]
    fn a_cluster_is_never_changed_for_another() {
        let node = Identity::new(1, None);
        assert_eq!(node.belongs_to(OURS), OURS);
        assert_eq!(node.clone().belongs_to(THEIRS), OURS);
        assert_eq!(node.cluster(), Some(OURS));
    }

    #[test]
    fn two_nodes_on_copies_of_one_disk_are_told_so() {
        let node = Identity::new(1, Some(OURS));
        assert_eq!(checked(&node, 1, &node.clone()), Err(Stranger::Twin(1)));
    }

    #[test]
    fn a_message_without_a_sender_or_with_no_clusters_id_is_refused() {
        let node = Identity::new(1, Some(OURS));
        assert_eq!(node.check(None), Err(Stranger::Unreadable));
        let envelope = wire::Envelope {
            cluster: "ours".to_owned(),
            from: 2,
            to: 1,
        };
        assert_eq!(node.check(Some(&envelope)), Err(Stranger::Unreadable));
    }
}
