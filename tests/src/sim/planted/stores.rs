//! Mistakes about the store: conflicts, doubts, epochs and ids.

use std::sync::Arc;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{Head, HeadOutcome, LoadOutcome, StoreOutcome};
use stepdown_core::{Effect, Epoch, Event, ShardId, Tenure, Version};

use super::mistaken::Mistake;
use super::seen::Seen;

/// It stores again on the newer version after a conflict.
#[derive(Default)]
pub struct RetriesAfterConflict {
    leads: bool,
}

impl RetriesAfterConflict {
    fn is_foreign(&self, seen: &Seen, head: &Head) -> bool {
        self.leads
            && seen.storing.as_ref().is_some_and(|(expected, document)| {
                head.write_id != Some(document.write_id) && Some(&head.version) != expected.as_ref()
            })
    }
}

impl Mistake for RetriesAfterConflict {
    fn hears(&mut self, seen: &mut Seen, event: Event) -> Option<Event> {
        match &event {
            Event::HeadRead {
                tenure,
                outcome: HeadOutcome::Found(head),
                ..
            } if self.is_foreign(seen, head) => {
                store_again(seen, *tenure, head.version.clone());
                None
            }
            Event::StoreEnded {
                tenure,
                outcome: StoreOutcome::Conflict(_),
                ..
            } if self.leads => {
                let (tenure, request) = (*tenure, seen.invent());
                seen.more.push_back(Effect::ReadHead { tenure, request });
                None
            }
            _ => Some(event),
        }
    }

    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        match &effect {
            Effect::OpenOffice { .. } => self.leads = true,
            Effect::CloseOffice { .. } => self.leads = false,
            _ => {}
        }
        Some(effect)
    }
}

fn store_again(seen: &mut Seen, tenure: Tenure, version: Version) {
    let request = seen.invent();
    if let Some((_, document)) = seen.storing.clone() {
        let expected = Some(version);
        seen.more.push_back(Effect::Store {
            tenure,
            request,
            expected,
            document,
        });
    }
}

/// It leads on the document of an earlier load.
#[derive(Default)]
pub struct LeadsOnAnOldDocument {
    first: Option<LoadOutcome>,
}

impl Mistake for LeadsOnAnOldDocument {
    fn hears(&mut self, _: &mut Seen, mut event: Event) -> Option<Event> {
        if let Event::Loaded { outcome, .. } = &mut event
            && matches!(outcome, LoadOutcome::Found(_))
        {
            *outcome = self.first.get_or_insert(outcome.clone()).clone();
        }
        Some(event)
    }
}

/// What may have been stored has been stored.
pub struct ActsInDoubt;

impl Mistake for ActsInDoubt {
    fn hears(&mut self, _: &mut Seen, mut event: Event) -> Option<Event> {
        if let Event::StoreEnded { outcome, .. } = &mut event
            && matches!(outcome, StoreOutcome::Ambiguous(_))
        {
            *outcome = StoreOutcome::Stored(Version::new("unknown"));
        }
        Some(event)
    }
}

/// What is stored once more is not what was stored before.
#[derive(Default)]
pub struct RepeatsOtherwise {
    last: Option<stepdown_core::WriteId>,
}

impl Mistake for RepeatsOtherwise {
    fn does(&mut self, seen: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Store { document, .. } = &mut effect
            && self.last.replace(document.write_id) == Some(document.write_id)
        {
            document.write_id.request = seen.invent();
        }
        Some(effect)
    }
}

/// Whatever is found after a doubt counts as its own.
#[derive(Default)]
pub struct AdoptsAnotherHead {
    doubts: bool,
}

impl Mistake for AdoptsAnotherHead {
    fn hears(&mut self, seen: &mut Seen, mut event: Event) -> Option<Event> {
        match &mut event {
            Event::StoreEnded { outcome, .. } => {
                self.doubts = matches!(outcome, StoreOutcome::Ambiguous(_));
            }
            Event::HeadRead {
                outcome: HeadOutcome::Found(head),
                ..
            } if std::mem::take(&mut self.doubts) => {
                if let Some((expected, document)) = &seen.storing
                    && expected.as_ref() != Some(&head.version)
                {
                    head.write_id = Some(document.write_id);
                    head.intact = true;
                }
            }
            _ => {}
        }
        Some(event)
    }
}

/// It writes in the epoch that it has found.
#[derive(Default)]
pub struct KeepsTheEpoch {
    found: Epoch,
}

impl Mistake for KeepsTheEpoch {
    fn hears(&mut self, _: &mut Seen, event: Event) -> Option<Event> {
        if let Event::Loaded { outcome, .. } = &event {
            match outcome {
                LoadOutcome::Absent { epoch } => self.found = *epoch,
                LoadOutcome::Found(found) => self.found = found.epoch,
                LoadOutcome::Corrupt(_)
                | LoadOutcome::Forbidden(_)
                | LoadOutcome::Unavailable { .. } => {}
            }
        }
        Some(event)
    }

    fn does(&mut self, _: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Store { document, .. } = &mut effect {
            document.epoch = self.found;
        }
        Some(effect)
    }
}

/// A new namespace begins with an id that is taken.
pub struct UsesAShardIdTwice;

impl Mistake for UsesAShardIdTwice {
    fn does(&mut self, _: &mut Seen, mut effect: Effect) -> Option<Effect> {
        if let Effect::Store { document, .. } = &mut effect {
            let mut status = ClusterStatus::clone(&document.status);
            for namespace in status.namespaces.values_mut().skip(1) {
                if let Some((_, shard)) = namespace.shards.pop_first() {
                    namespace.shards.insert(ShardId(0), shard);
                }
            }
            document.status = Arc::new(status);
        }
        Some(effect)
    }
}
