//! Leadership: a lock that one coordinator holds at a time.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use super::Shared;
use super::document::Coordinator;
use crate::backend::{Leadership, LeadershipReport};
use crate::under_way::UnderWay;

/// Who holds the lock.
#[derive(Default)]
pub(super) struct Office {
    holder: Option<Holder>,
    /// Names the time in office given last; none is given twice.
    last_turn: u64,
    /// How the last turn ended.
    ended: String,
}

struct Holder {
    coordinator: Coordinator,
    name: Arc<str>,
    turn: u64,
}

impl Office {
    pub(super) fn leader(&self) -> Option<Arc<str>> {
        self.holder.as_ref().map(|holder| holder.name.clone())
    }

    /// Ends the turn of whoever is in office; says whether anybody was.
    pub(super) fn vacate(&mut self, reason: &str) -> bool {
        self.ended = reason.to_owned();
        self.holder.take().is_some()
    }

    fn enter(&mut self, coordinator: Coordinator, name: &Arc<str>) -> Option<u64> {
        if let Some(holder) = &self.holder {
            return (holder.coordinator == coordinator).then_some(holder.turn);
        }
        self.last_turn += 1;
        self.holder = Some(Holder {
            coordinator,
            name: name.clone(),
            turn: self.last_turn,
        });
        Some(self.last_turn)
    }

    fn turn(&self) -> Option<u64> {
        self.holder.as_ref().map(|holder| holder.turn)
    }
}

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
        let mut office = self.shared.office.subscribe();
        loop {
            let permit = reports.reserve().await.ok()?;
            let mut turn = None;
            self.shared.office.send_if_modified(|office| {
                turn = office.enter(self.coordinator, &self.name);
                turn.is_some()
            });
            if turn.is_some() {
                permit.send(LeadershipReport::Won { authority: None });
                return turn;
            }
            drop(permit);
            tokio::select! {
                () = reports.closed() => return None,
                vacant = office.wait_for(|office| office.holder.is_none()) => vacant.ok()?,
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
        let mut office = self.shared.office.subscribe();
        let reason = tokio::select! {
            () = reports.closed() => return,
            lost = office.wait_for(|office| office.turn() != Some(turn)) => {
                lost.map(|office| office.ended.clone()).unwrap_or_default()
            }
        };
        // Nobody listens any more: then it needs no telling.
        let _ = reports.send(LeadershipReport::Lost { reason }).await;
    }

    async fn release(&self) {
        UnderWay::none(&self.stores).await;
        self.shared.office.send_if_modified(|office| {
            let ours = office
                .holder
                .as_ref()
                .is_some_and(|holder| holder.coordinator == self.coordinator);
            ours && office.vacate("leadership was released")
        });
    }

    fn leader(&self) -> Option<Arc<str>> {
        self.shared.office.borrow().leader()
    }
}
