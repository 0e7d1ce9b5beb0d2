//! The lock that makes one coordinator the leader.

use std::sync::Arc;

use super::document::Coordinator;

/// Who holds the lock.
#[derive(Default)]
pub(super) struct Lock {
    holder: Option<Holder>,
    /// Numbers the last turn at leading; none is given twice.
    last_turn: u64,
    /// How the last turn ended.
    ended: String,
}

struct Holder {
    coordinator: Coordinator,
    name: Arc<str>,
    turn: u64,
}

impl Lock {
    pub(super) fn leader(&self) -> Option<Arc<str>> {
        self.holder.as_ref().map(|holder| holder.name.clone())
    }

    /// Ends the turn of whoever leads; says whether anybody did.
    pub(super) fn release(&mut self, reason: &str) -> bool {
        self.ended = reason.to_owned();
        self.holder.take().is_some()
    }

    /// The turn, if the lock is this coordinator's now.
    pub(super) fn acquire(&mut self, coordinator: Coordinator, name: &Arc<str>) -> Option<u64> {
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

    pub(super) fn turn(&self) -> Option<u64> {
        self.holder.as_ref().map(|holder| holder.turn)
    }

    pub(super) fn is_held_by(&self, coordinator: Coordinator) -> bool {
        let holder = self.holder.as_ref();
        holder.is_some_and(|holder| holder.coordinator == coordinator)
    }

    /// How the last turn ended.
    pub(super) fn ended(&self) -> &str {
        &self.ended
    }
}
