//! Leadership: a lock that one coordinator holds at a time.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use super::document::Coordinator;
use super::shared::Shared;
use crate::backend::{Leadership, LeadershipReport};
use crate::under_way::UnderWay;

pub(super) struct MemoryLeadership {
    shared: Arc<Shared>,
    coordinator: Coordinator,
    name: Arc<str>,
    /// How many of our stores are under way.
    stores: watch::Sender<usize>,
}

impl MemoryLeadership {
    pub(super) fn new(
        shared: Arc<Shared>,
        coordinator: Coordinator,
        name: &str,
        stores: watch::Sender<usize>,
    ) -> Self {
        Self {
            shared,
            coordinator,
            name: name.into(),
            stores,
        }
    }

    /// Campaigns until the turn is ours. Between that and the report nothing can be cancelled, so
    /// no turn is won without being reported.
    async fn campaign(&self, reports: &mpsc::Sender<LeadershipReport>) -> Option<u64> {
        let mut lock = self.shared.lock.subscribe();
        loop {
            let permit = reports.reserve().await.ok()?;
            let mut turn = None;
            self.shared.lock.send_if_modified(|lock| {
                turn = lock.acquire(self.coordinator, &self.name);
                turn.is_some()
            });
            if turn.is_some() {
                permit.send(LeadershipReport::Won { authority: None });
                return turn;
            }
            drop(permit);
            tokio::select! {
                () = reports.closed() => return None,
                free = lock.wait_for(|lock| lock.turn().is_none()) => free.ok()?,
            };
        }
    }
}

#[async_trait]
impl Leadership for MemoryLeadership {
    async fn lead(&self, reports: mpsc::Sender<LeadershipReport>) {
        let Some(turn) = self.campaign(&reports).await else {
            return;
        };
        let mut lock = self.shared.lock.subscribe();
        let reason = tokio::select! {
            () = reports.closed() => return,
            lost = lock.wait_for(|lock| lock.turn() != Some(turn)) => {
                lost.map(|lock| lock.ended().to_owned()).unwrap_or_default()
            }
        };
        // Nobody listens any more: then it needs no telling.
        let _ = reports.send(LeadershipReport::Lost { reason }).await;
    }

    async fn release(&self) {
        UnderWay::none(&self.stores).await;
        self.shared.lock.send_if_modified(|lock| {
            lock.is_held_by(self.coordinator) && lock.release("leadership was released")
        });
    }

    fn leader(&self) -> Option<Arc<str>> {
        self.shared.lock.borrow().leader()
    }
}
