//! The store: one document at a version, and whoever else writes to it.

use std::sync::Arc;

use super::World;
use crate::cluster::{ClusterStatus, ShardMetadata};
use crate::store::{Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome};
use crate::{Effect, Epoch, ShardId, Version};

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
