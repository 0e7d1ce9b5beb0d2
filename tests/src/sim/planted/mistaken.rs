//! A coordinator's machine between which and the world somebody makes a mistake.

use std::collections::VecDeque;

use stepdown_core::{CoordinatorState, Effect, Event, Options, Role, Tenure, Timestamp};

use super::seen::Seen;
use crate::sim::machine::Machine;

/// What is made of what goes in and of what comes out.
pub trait Mistake {
    /// What the machine is told in place of an event.
    fn hears(&mut self, _: &mut Seen, event: Event) -> Option<Event> {
        Some(event)
    }

    /// What is done in place of an effect.
    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        Some(effect)
    }

    /// The deadline in place of the machine's.
    fn is_due(&self, seen: &Seen, due: Option<Timestamp>) -> Option<Timestamp> {
        let _ = seen;
        due
    }

    /// The role in place of the machine's.
    fn plays(&self, role: Role) -> Role {
        role
    }
}

pub struct Mistaken {
    mistake: Box<dyn Mistake>,
    inner: CoordinatorState,
    seen: Seen,
    ready: VecDeque<Effect>,
}

impl Mistaken {
    pub fn new(mistake: Box<dyn Mistake>, options: Options, now: Timestamp) -> Self {
        Self {
            mistake,
            inner: CoordinatorState::new(options, now),
            seen: Seen::new(now),
            ready: VecDeque::new(),
        }
    }
}

impl Machine for Mistaken {
    fn handle(&mut self, now: Timestamp, event: Event) {
        self.seen.now = now;
        self.seen.heard(&event);
        if let Some(event) = self.mistake.hears(&mut self.seen, event) {
            self.inner.handle(now, event);
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        loop {
            self.ready.append(&mut self.seen.more);
            if let Some(effect) = self.ready.pop_front() {
                return Some(effect);
            }
            if let Some(effect) = self.inner.poll_effect() {
                self.seen.wanted(&effect);
                let done = self.mistake.does(&mut self.seen, effect);
                self.ready.extend(done);
                continue;
            }
            let event = self.seen.told.pop_front()?;
            self.inner.handle(self.seen.now, event);
        }
    }

    fn poll_deadline(&self) -> Option<Timestamp> {
        let due = self.inner.poll_deadline().map(|(due, _)| due);
        self.mistake.is_due(&self.seen, due)
    }

    fn role(&self) -> Role {
        self.mistake.plays(self.inner.role())
    }

    fn tenure(&self) -> Tenure {
        self.inner.tenure()
    }
}
