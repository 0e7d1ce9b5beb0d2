//! One shard's writer, and what it knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stepdown_core::ShardId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Channel;

use super::outcome::Gap;
use crate::proto::data_client::DataClient;
use crate::proto::{AppendRequest, Entry, ReadRequest};

/// A leader that answers no sooner is asked again.
const WITHIN: Duration = Duration::from_secs(1);

/// What is known of one shard's writes.
#[derive(Debug)]
pub(super) struct ShardLoad {
    namespace: Arc<str>,
    shard: ShardId,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    entries: Vec<Entry>,
    /// When the last acknowledged write was sent, and when it was acknowledged.
    last: Option<(Instant, Instant)>,
    longest: Duration,
}

/// What became of an acknowledged entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    There,
    Lost,
    Unread,
}

impl ShardLoad {
    pub(super) fn new(namespace: Arc<str>, shard: ShardId) -> Self {
        Self {
            namespace,
            shard,
            written: Mutex::default(),
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.shard)
    }

    /// Writes to whoever leads, one entry after the other with a pause between, until dropped.
    pub(super) async fn write(
        &self,
        pause: Duration,
        mut leaders: watch::Receiver<Option<DataClient<Channel>>>,
    ) {
        loop {
            let leader = leaders.borrow_and_update().clone();
            let Some(mut leader) = leader else {
                if leaders.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let sent = Instant::now();
            let append = leader.append(AppendRequest {
                namespace: self.namespace.to_string(),
                shard: self.shard.0,
            });
            tokio::select! {
                answer = timeout(WITHIN, append) => {
                    if let Ok(Ok(answer)) = answer {
                        self.acknowledge(answer.into_inner(), sent, Instant::now());
                    }
                    sleep(pause).await;
                }
                changed = leaders.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn acknowledge(&self, entry: Entry, sent: Instant, now: Instant) {
        self.lock().acknowledge(entry, sent, now);
    }

    /// Looks for an acknowledged entry; `None` if the leader can't say.
    pub(super) async fn find(
        &self,
        leader: Option<DataClient<Channel>>,
        entry: Entry,
    ) -> Option<Found> {
        let read = ReadRequest {
            namespace: self.namespace.to_string(),
            shard: self.shard.0,
            offset: Some(entry.offset),
        };
        let answer = timeout(WITHIN, leader?.read(read)).await.ok()?.ok()?;
        let there = answer.into_inner().entry == Some(entry);
        Some(if there { Found::There } else { Found::Lost })
    }

    pub(super) fn acknowledged(&self) -> u64 {
        u64::try_from(self.lock().entries.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    pub(super) fn wrote_since(&self, since: Instant) -> bool {
        self.lock().last.is_some_and(|(sent, _)| sent >= since)
    }

    /// The longest time without an acknowledgement, from the first one until `until`.
    pub(super) fn longest_gap(&self, until: Instant) -> Option<Gap> {
        let written = self.lock();
        let (_, last) = written.last?;
        Some(Gap {
            shard: self.name(),
            time: written.longest.max(until.duration_since(last)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn acknowledge(&mut self, entry: Entry, sent: Instant, now: Instant) {
        if let Some((_, before)) = self.last {
            self.longest = self.longest.max(now.duration_since(before));
        }
        self.last = Some((sent, now));
        self.entries.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_between_two_acknowledgements_is_kept() {
        let load = ShardLoad::new("default".into(), ShardId(3));
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for (offset, ms) in [(0, 10), (1, 30), (2, 530), (3, 550)] {
            assert!(!load.wrote_since(at(ms)));
            let entry = Entry { term: 1, offset };
            load.acknowledge(entry, at(ms), at(ms + 1));
            assert!(load.wrote_since(at(ms)));
        }
        let gap = load.longest_gap(at(600)).unwrap();
        assert_eq!(gap.time, Duration::from_millis(500));
        assert_eq!(gap.shard, "default/3");
        assert_eq!(load.acknowledged(), 4);
    }
}
