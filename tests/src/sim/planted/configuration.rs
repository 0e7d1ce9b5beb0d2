//! Mistakes about what the configuration says.

use stepdown_core::{ConfigurationText, Effect, Event};

use super::mistaken::Mistake;
use super::seen::Seen;

/// The document is not read once more before namespaces are deleted: what was heard of it last is taken for it.
#[derive(Default)]
pub struct TrustsWhatItHeard {
    heard: Option<ConfigurationText>,
}

impl Mistake for TrustsWhatItHeard {
    fn hears(&mut self, _: &mut Seen, event: Event) -> Option<Event> {
        if let Event::ConfigurationRead(text) = &event {
            self.heard = Some(text.clone());
        }
        Some(event)
    }

    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::ReadConfiguration { tenure, request } = &effect
            && let Some(heard) = &self.heard
        {
            seen.told.push_back(Event::ConfigurationFound {
                tenure: *tenure,
                request: *request,
                found: Ok(heard.clone()),
            });
            return None;
        }
        Some(effect)
    }
}
