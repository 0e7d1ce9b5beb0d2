//! A1 to A3: what data servers are told.

use std::sync::Arc;

use stepdown_core::RequestId;
use stepdown_core::assign::ShardAssignments;

use super::{Check, Published};
use crate::sim::world::World;

impl World<'_> {
    /// Each push follows from an accepted version, none older than the one before, nor than the
    /// one that the tenure loaded: so it has every namespace, and no leader that is not stored.
    pub(super) fn check_push(
        &mut self,
        host: usize,
        request: RequestId,
        assignments: &ShardAssignments,
    ) -> Check {
        let facts = &self.hosts[host].facts;
        let since = facts
            .pushed
            .get(&request)
            .copied()
            .unwrap_or(facts.loaded_at);
        let known = facts
            .accepted
            .as_ref()
            .and_then(|(version, _)| self.store.position(version));
        let until = known.unwrap_or(0);
        for position in (since..=until).rev() {
            let published = self.published(position);
            if *published == assignments.namespaces {
                self.hosts[host].facts.pushed.insert(request, position);
                return Ok(());
            }
        }
        Err(self.violation(
            "A1",
            format!("c{host} pushes what follows from none of versions {since} to {until}: {assignments:?}"),
        ))
    }

    pub(in crate::sim) fn published(&mut self, position: usize) -> Arc<Published> {
        let status = &self.store.chain[position].status;
        self.history
            .published
            .entry(position)
            .or_insert_with(|| Arc::new(ShardAssignments::of(status, None).namespaces))
            .clone()
    }
}
