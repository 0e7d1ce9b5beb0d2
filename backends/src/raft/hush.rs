//! Followers that hear nothing of their leader for a while.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::types::NodeId;

/// Who is left alone. Clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Hush(Arc<Mutex<Option<Alone>>>);

#[derive(Debug)]
struct Alone {
    nodes: BTreeSet<NodeId>,
    /// They have said that they would vote for another.
    are_free: bool,
    /// Whatever becomes of whoever began it.
    until: Instant,
    owner: Arc<()>,
}

/// Ends with whoever began it.
#[derive(Debug)]
pub(super) struct Hushed {
    hush: Hush,
    owner: Arc<()>,
}

impl Drop for Hushed {
    fn drop(&mut self) {
        let is_its = |alone: &mut Alone| Arc::ptr_eq(&alone.owner, &self.owner);
        self.hush.lock().take_if(is_its);
    }
}

impl Hush {
    /// Leaves these alone, unless others are.
    pub(super) fn begin(&self, nodes: BTreeSet<NodeId>, lasts: Duration) -> Option<Hushed> {
        let mut alone = self.lock();
        if alone.as_ref().is_some_and(Alone::lasts) {
            return None;
        }
        let owner = Arc::default();
        *alone = Some(Alone {
            nodes,
            are_free: false,
            until: Instant::now() + lasts,
            owner: Arc::clone(&owner),
        });
        Some(Hushed {
            hush: self.clone(),
            owner,
        })
    }

    /// Everybody is told of everything again, whoever began it.
    pub(super) fn give_up(&self) {
        *self.lock() = None;
    }

    pub(super) fn includes(&self, node: NodeId) -> bool {
        let alone = self.lock();
        let alone = alone.as_ref().filter(|alone| alone.lasts());
        alone.is_some_and(|alone| alone.nodes.contains(&node))
    }

    /// Those that would vote for another, and will for so long.
    pub(super) fn free_for(&self, time: Duration) -> BTreeSet<NodeId> {
        let alone = self.lock();
        let until = Instant::now() + time;
        let alone = alone.as_ref().filter(|it| it.are_free && until < it.until);
        alone.map(|alone| alone.nodes.clone()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Alone>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alone {
    fn lasts(&self) -> bool {
        Instant::now() < self.until
    }
}

impl Hushed {
    /// Those that are left alone by it would vote for another.
    pub(super) fn are_free(&self) {
        let mut alone = self.hush.lock();
        let alone = alone.as_mut();
        if let Some(alone) = alone.filter(|it| Arc::ptr_eq(&it.owner, &self.owner)) {
            alone.are_free = true;
        }
    }

    pub(super) fn lasts(&self) -> bool {
        let alone = self.hush.lock();
        let alone = alone.as_ref();
        alone.is_some_and(|it| it.lasts() && Arc::ptr_eq(&it.owner, &self.owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nodes: &[NodeId]) -> BTreeSet<NodeId> {
        nodes.iter().copied().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_left_alone_for_longer_than_it_was_meant() {
        let hush = Hush::default();
        let second = Duration::from_secs(1);
        let hushed = hush.begin(set(&[2]), second * 5).unwrap();
        assert!(hush.includes(2) && !hush.includes(3));
        assert!(hush.begin(set(&[3]), second).is_none());
        assert_eq!(hush.free_for(second), set(&[]));
        hushed.are_free();
        assert_eq!(hush.free_for(second), set(&[2]));
        tokio::time::advance(second * 4).await;
        assert_eq!(hush.free_for(second), set(&[]), "it ends too early");
        assert!(hush.includes(2));
        tokio::time::advance(second).await;
        assert!(!hush.includes(2) && !hushed.lasts());
    }

    #[tokio::test]
    async fn whoever_left_some_alone_ends_that_and_nobody_elses() {
        let hush = Hush::default();
        let second = Duration::from_secs(1);
        let first = hush.begin(set(&[2]), second).unwrap();
        hush.give_up();
        let next = hush.begin(set(&[3]), second).unwrap();
        first.are_free();
        drop(first);
        assert!(hush.includes(3) && hush.free_for(Duration::ZERO).is_empty());
        drop(next);
        assert!(!hush.includes(3));
    }
}
