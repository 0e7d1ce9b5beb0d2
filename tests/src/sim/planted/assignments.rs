//! Mistakes about assignments: what data servers are told, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_core::assign::ShardAssignments;
use stepdown_core::{Effect, RequestId};

use super::mistaken::Mistake;
use super::seen::Seen;

/// What is on its way to the store is published.
pub struct PublishesWhatIsNotStored;

impl Mistake for PublishesWhatIsNotStored {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::Store {
            tenure, document, ..
        } = &effect
        {
            let assignments = Arc::new(ShardAssignments::of(&document.status, None));
            for (request, (server, _)) in &seen.streams {
                seen.more.push_back(Effect::PushAssignments {
                    tenure: *tenure,
                    request: *request,
                    server: server.clone(),
                    assignments: assignments.clone(),
                });
            }
        }
        Some(effect)
    }
}

/// What a server was told is not told again, whatever it may have heard since.
#[derive(Default)]
pub struct NeverTellsAgain {
    told: BTreeMap<RequestId, Arc<ShardAssignments>>,
}

impl Mistake for NeverTellsAgain {
    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::PushAssignments {
            request,
            assignments,
            ..
        } = &effect
        {
            let before = self.told.insert(*request, assignments.clone());
            if before.as_ref() == Some(assignments) {
                return None;
            }
        }
        Some(effect)
    }
}
