//! What people and other programs do to the lease.

use std::sync::Arc;

use stepdown_core::ProcessId;
use stepdown_core::lease::{LeaseRecord, WallTime};

use super::TIMING;
use super::trouble::Thief;
use crate::sim::world::World;

impl World<'_> {
    /// Somebody takes the lease without asking: a coordinator of another make, perhaps under the
    /// holder's own name, or a tool that copies what another process wrote.
    pub(in crate::sim) fn steal_lease(&mut self, thief: Thief) {
        let before = self.lease.lease.as_ref().map(|lease| &lease.record);
        let name = before.map(|record| record.holder.clone());
        let name = name.filter(|name| !name.is_empty());
        let (holder, process) = match (thief, name) {
            (Thief::Namesake, Some(name)) => (name, None),
            (Thief::Double, Some(name)) => (name, Some(ProcessId(self.chance.lease.wide()))),
            (Thief::Namesake | Thief::Double, None) | (Thief::Stranger, _) => {
                (Arc::from("stranger"), None)
            }
        };
        // Its writer keeps the annotations that it does not know.
        let epoch = before.map(|record| record.epoch).unwrap_or_default();
        let record = LeaseRecord {
            holder,
            process,
            pod: process.map(|process| Arc::from(process.to_string())),
            duration: TIMING.lease,
            acquired: None,
            renewed: None,
            transitions: before.map_or(0, |record| record.transitions + 1),
            epoch,
            transfer_to: None,
            transfer_requested: None,
        };
        // What a stranger's clock says means nothing.
        let wall = WallTime(self.chance.lease.below(u64::MAX / 2) as i64);
        self.put_lease(record, wall);
    }

    /// The last place that knows the epoch is not thrown away: then nothing could keep it.
    pub(in crate::sim) fn delete_lease(&mut self) {
        let lease = self.lease.lease.as_ref();
        let epoch = lease.map(|lease| lease.record.epoch).unwrap_or_default();
        let documented = self.store.latest().map(|latest| latest.epoch);
        if epoch > documented.unwrap_or_default() {
            return;
        }
        self.lease.version += 1;
        self.lease.deletions += 1;
        self.lease.lease = None;
        self.show_lease();
    }

    /// Another version of the same record.
    pub(in crate::sim) fn touch_lease(&mut self, change: impl FnOnce(&mut LeaseRecord)) {
        if let Some(lease) = self.lease.lease.clone() {
            let mut record = lease.record;
            change(&mut record);
            self.put_lease(record, WallTime(0));
        }
    }
}
