//! The store: one document at a version, and whoever else writes to it.

use std::sync::Arc;

use super::World;
use crate::cluster::{ClusterStatus, ShardMetadata};
use crate::store::{Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome};
use crate::{Effect, Epoch, Event, ShardId, Version};

impl World {
    pub(crate) fn status(&self) -> &ClusterStatus {
        &self.stored.as_ref().unwrap().1.status
    }

    pub(crate) fn stores(&self) -> usize {
        self.log
            .iter()
            .filter(|effect| matches!(effect, Effect::Store { .. }))
            .count()
    }

    /// Somebody edits a shard of the stored document.
    pub(crate) fn edit(&mut self, id: ShardId, edit: impl FnOnce(&mut ShardMetadata)) {
        let (_, document) = self.stored.as_mut().unwrap();
        let mut namespaces = Arc::make_mut(&mut document.status).namespaces.values_mut();
        let shard = namespaces.find_map(|namespace| namespace.shards.get_mut(&id));
        edit(Arc::make_mut(shard.unwrap()));
    }

    /// Somebody else writes the document.
    pub(crate) fn overwrite(&mut self) {
        self.stored.as_mut().unwrap().0 += 1;
    }

    pub(super) fn load(&self) -> LoadOutcome {
        if let Some(outcome) = &self.unreadable {
            return outcome.clone();
        }
        match &self.stored {
            None => LoadOutcome::Absent { epoch: Epoch(0) },
            Some((version, document)) => LoadOutcome::Found(LoadedStatus {
                version: Version::new(version.to_string()),
                epoch: document.epoch,
                write_id: Some(document.write_id),
                intact: true,
                status: document.status.clone(),
                bytes: 1_000,
            }),
        }
    }

    pub(crate) fn head(&self) -> HeadOutcome {
        match &self.stored {
            None => HeadOutcome::Absent,
            Some((version, document)) => HeadOutcome::Found(Head {
                version: Version::new(version.to_string()),
                write_id: Some(document.write_id),
                intact: true,
            }),
        }
    }

    /// Which stores are turned down while time passes; the others are carried out.
    pub(crate) fn run_refusing(
        &mut self,
        millis: u64,
        refuse: impl Fn(&StatusDocument) -> Option<StoreOutcome>,
    ) {
        self.hold_stores = true;
        let end = self.now.after(std::time::Duration::from_millis(millis));
        loop {
            self.settle();
            let held = std::mem::take(&mut self.held);
            if held.is_empty() {
                match self.machine.poll_deadline() {
                    Some((at, _)) if at <= end => self.now = self.now.max(at),
                    _ => break,
                }
                self.feed(Event::TimePassed);
            }
            for effect in held {
                let Effect::Store {
                    tenure,
                    request,
                    expected,
                    document,
                } = effect
                else {
                    panic!("{effect:?}")
                };
                let outcome = match refuse(&document) {
                    Some(refusal) => refusal,
                    None => self.apply(expected, document),
                };
                self.feed(Event::StoreEnded {
                    tenure,
                    request,
                    outcome,
                });
            }
        }
        self.now = end;
        self.hold_stores = false;
    }

    pub(crate) fn store(
        &mut self,
        expected: Option<Version>,
        document: StatusDocument,
    ) -> StoreOutcome {
        if !self.script.is_empty() {
            return self.script.remove(0);
        }
        self.apply(expected, document)
    }

    pub(crate) fn apply(
        &mut self,
        expected: Option<Version>,
        document: StatusDocument,
    ) -> StoreOutcome {
        let version = self.stored.as_ref().map(|(version, _)| *version);
        if expected != version.map(|version| Version::new(version.to_string())) {
            return StoreOutcome::Conflict("another version".to_owned());
        }
        let next = version.unwrap_or(0) + 1;
        self.stored = Some((next, document));
        StoreOutcome::Stored(Version::new(next.to_string()))
    }
}
