//! A1 to A4: what data servers are told.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::assign::ShardAssignments;
use stepdown_core::{RequestId, Role};

use super::{Check, Published};
use crate::sim::world::World;

const AGAIN: Duration = Duration::from_secs(61);
/// For so long a doubtful store may hold back what is to be told, and leave a little to do.
const HELD: Duration = Duration::from_secs(40);

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
                let now = self.queue.now();
                let facts = &mut self.hosts[host].facts;
                facts.pushed.insert(request, position);
                facts.pushed_at.insert(request, now);
                return Ok(());
            }
        }
        Err(self.violation(
            "A1",
            format!("c{host} pushes what follows from none of versions {since} to {until}: {assignments:?}"),
        ))
    }

    /// A4: whoever is told of the assignments is told again every minute, whatever it may have heard
    /// from an older leader since.
    pub(super) fn check_told_again(&self) -> Check {
        let now = self.queue.now();
        for (host, place) in self.hosts.iter().enumerate() {
            let machine = place.machine.as_ref();
            let leads = machine.is_some_and(|machine| machine.role() == Role::Leader);
            if !leads || place.paused.is_some() || self.was_paused(host) {
                continue;
            }
            let last = place.connections.streams.keys();
            let last = last.filter_map(|request| place.facts.pushed_at.get(request));
            let overdue = place.clock.stretch(AGAIN) + HELD;
            // One of them may have ended unheard.
            if last.max().is_some_and(|last| now.since(*last) > overdue) {
                return Err(self.violation("A4", format!("c{host} tells nobody again")));
            }
        }
        Ok(())
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
