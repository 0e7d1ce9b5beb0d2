//! Many deadlines, one of each kind, the earliest first.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{ServerId, ShardId, Timestamp};

/// Whose deadline it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Server(ServerId),
    Shard(ShardId),
}

/// At most one deadline for each [`Timer`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Timestamp, Timer)>,
    due: BTreeMap<Timer, Timestamp>,
}

impl Timers {
    /// Sets, moves or removes a deadline.
    pub(crate) fn set(&mut self, timer: Timer, at: Option<Timestamp>) {
        if self.due.get(&timer).copied() == at {
            return;
        }
        if let Some(old) = self.due.remove(&timer) {
            self.queue.remove(&(old, timer.clone()));
        }
        if let Some(at) = at {
            self.queue.insert((at, timer.clone()));
            self.due.insert(timer, at);
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes out the earliest deadline, if it has passed.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Timer> {
        let (at, _) = self.queue.first()?;
        if *at > now {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.due.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_deadline_fires_once_and_at_its_new_time() {
        let mut timers = Timers::default();
        let (one, two) = (Timer::Shard(ShardId(1)), Timer::Shard(ShardId(2)));
        timers.set(one.clone(), Some(Timestamp(10)));
        timers.set(two.clone(), Some(Timestamp(20)));
        timers.set(one.clone(), Some(Timestamp(30)));
        assert_eq!(timers.next(), Some(Timestamp(20)));
        assert_eq!(timers.pop(Timestamp(25)), Some(two));
        assert_eq!(timers.pop(Timestamp(25)), None);
        assert_eq!(timers.pop(Timestamp(30)), Some(one));
        assert_eq!(timers.next(), None);
    }
}
