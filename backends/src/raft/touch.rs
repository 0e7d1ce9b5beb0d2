//! A way to every other node that is open already where it is needed.
//!
//! Whoever does not lead has little to ask the others while somebody does. Once nobody does, they have to
//! reach each other; and a port that strangers have filled lets nobody in who comes only then.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::node::Node;

/// How often each of the others is asked something.
const EVERY: Duration = Duration::from_secs(2);

/// Asks all others now and then, for as long as it runs.
pub(super) async fn keep_in_touch(node: Arc<Node>) {
    loop {
        let metrics = node.raft.server_metrics();
        let membership = metrics.borrow().membership_config.membership().clone();
        let others = membership.nodes().filter(|(id, _)| **id != node.id());
        // What they say, and whether they do, is nothing to this one.
        let asked = others.map(|(id, at)| node.peers.misses_a_leader(*id, at));
        join_all(asked).await;
        sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_trait::async_trait;
    use openraft::LogId;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::super::fixtures::alone;
    use super::super::network::{Connections, Deadlines, Identity};
    use super::super::peers::{PeerError, Peers};
    use super::super::place::PlaceAnswer;
    use super::super::storage::{Database, Directory};
    use super::super::timing::RaftTiming;
    use super::super::types::{Member, NodeId};
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Tells who is asked whether it misses a leader.
    struct Asked(mpsc::UnboundedSender<NodeId>);

    fn silent(at: &Member) -> PeerError {
        PeerError {
            member: at.clone(),
            reason: String::new(),
        }
    }

    #[async_trait]
    impl Peers for Asked {
        async fn read_index(
            &self,
            _: NodeId,
            at: &Member,
        ) -> Result<Option<LogId<NodeId>>, PeerError> {
            Err(silent(at))
        }

        async fn may_lead(
            &self,
            _: NodeId,
            at: &Member,
            _: NodeId,
        ) -> Result<PlaceAnswer, PeerError> {
            Err(silent(at))
        }

        async fn misses_a_leader(&self, node: NodeId, at: &Member) -> Result<bool, PeerError> {
            let _ = self.0.send(node);
            Err(silent(at))
        }
    }

    #[tokio::test]
    async fn the_others_are_asked_though_there_is_a_leader() {
        let _alone = alone().await;
        let directory = tempfile::tempdir().unwrap();
        let lock = Directory::lock(directory.path()).unwrap();
        let database = Arc::new(Database::open(Arc::new(lock)).unwrap());
        let network = Connections::new(Identity::new(1, None), None, Deadlines::default());
        let (sender, mut asked) = mpsc::unbounded_channel();
        let peers = Arc::new(Asked(sender));
        let node = Node::start(1, database, network, peers, RaftTiming::default());
        let node = node.await.unwrap();
        let members = BTreeMap::from([(1, Member::default())]);
        node.form(members).await.unwrap();
        let leads = node.raft().wait(Some(LONG));
        leads.current_leader(1, "it is alone").await.unwrap();
        let other = Member {
            name: "b".to_owned(),
            address: "127.0.0.1:1".to_owned(),
        };
        let added = node.raft().add_learner(2, other, false).await;
        added.unwrap();
        // Nothing else asks one that does not vote.
        let touch = tokio::spawn(keep_in_touch(node.clone()));
        let first = timeout(LONG, asked.recv()).await.unwrap();
        assert_eq!(first, Some(2));
        touch.abort();
        node.shut_down().await;
    }
}
