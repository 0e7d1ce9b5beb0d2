//! Namespaces that are going to be deleted: what they have acknowledged is read back before.

use tokio::time::Instant;

use super::outcome::{Entries, Gap};
use super::reading::{Reader, read_all};
use super::{Workload, Writer};

/// What is still known of shards that were forgotten.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    pub(super) entries: Entries,
    pub(super) longest_gap: Option<Gap>,
}

impl Workload {
    /// Writes nothing to a namespace any more, and reads back what it has acknowledged, as
    /// [`verify`](Self::verify) does.
    pub(crate) fn close(
        &mut self,
        namespace: &str,
        deadline: Instant,
    ) -> impl Future<Output = Entries> + Send + use<> {
        let mut readers = Vec::new();
        for writer in self.shards.values_mut() {
            if writer.load.namespace() == namespace {
                writer.stop.cancel();
                writer.closed.get_or_insert_with(Instant::now);
                readers.push(Reader::of(writer));
            }
        }
        read_all(readers, deadline)
    }

    /// Forgets a namespace that was closed; of its entries, no more is known at the end than this.
    pub(crate) fn forget(&mut self, namespace: &str, entries: Entries) {
        let is_it = |writer: &Writer| writer.load.namespace() == namespace;
        let closed = self.shards.values().filter(|it| is_it(it));
        let gaps = closed.filter_map(|it| it.load.longest_gap(it.closed?));
        let gaps = gaps.chain(self.forgotten.longest_gap.take());
        self.forgotten.longest_gap = gaps.max_by_key(|it| it.time);
        self.forgotten.entries += entries;
        self.shards.retain(|_, writer| !is_it(writer));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stepdown_core::ShardId;

    use super::*;
    use crate::proto::Entry;
    use crate::workload::LeaderAt;

    fn leaderless(namespace: &str, shard: i64) -> LeaderAt {
        LeaderAt {
            namespace: namespace.into(),
            shard: ShardId(shard),
            address: None,
        }
    }

    fn acknowledge(workload: &Workload, shard: i64, offset: i64) {
        let now = Instant::now();
        let load = &workload.shards[&ShardId(shard)].load;
        load.acknowledge(Entry { term: 1, offset }, now, now);
    }

    #[tokio::test(start_paused = true)]
    async fn a_forgotten_namespace_counts_for_what_was_read_back_of_it_and_is_waited_for_no_more() {
        let mut workload = Workload::new(2);
        workload.follow([leaderless("kept", 0), leaderless("gone", 1)]);
        let began = Instant::now();
        for shard in [0, 1, 1] {
            acknowledge(&workload, shard, 0);
        }
        let silent = |workload: &Workload| workload.silent_since(Instant::now()).join(" ");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(silent(&workload), "kept/0 gone/1");

        // Nobody leads, so that nothing can be read.
        let unread = workload.close("gone", began).await;
        assert_eq!((unread.acknowledged, unread.unread()), (2, 2));
        assert_eq!(silent(&workload), "kept/0");
        tokio::time::advance(Duration::from_secs(9)).await;

        let read = Entries {
            acknowledged: 2,
            verified: 2,
            lost: 0,
        };
        workload.forget("gone", read);
        assert_eq!(workload.acknowledged(), 3);
        let all = workload.verify(began).await;
        assert_eq!((all.acknowledged, all.verified, all.unread()), (3, 2, 1));
        // What was closed has no gap any more.
        let gap = workload.forgotten.longest_gap.unwrap();
        assert_eq!((&*gap.shard, gap.time), ("gone/1", Duration::from_secs(1)));
    }
}
