//! A candidate with a mistake.

use stepdown_core::lease::{LeaseEffect, LeaseEvent, LeaseOptions, LeaseReport, LeaseState};
use stepdown_core::{Epoch, Timestamp};

use super::Planted;
use crate::sim::lease::TIMING;
use crate::sim::machine::Candidate;

pub struct MistakenCandidate {
    bug: Planted,
    now: Timestamp,
    inner: LeaseState,
}

impl MistakenCandidate {
    pub fn new(bug: Planted, options: LeaseOptions, now: Timestamp) -> Self {
        Self {
            bug,
            now,
            inner: LeaseState::new(options, now),
        }
    }
}

impl Candidate for MistakenCandidate {
    fn handle(&mut self, now: Timestamp, event: LeaseEvent) {
        self.now = now;
        let event = match (self.bug, event) {
            (
                Planted::RenewsAfterTheClose,
                LeaseEvent::OfficeClosed | LeaseEvent::ReleaseRequested,
            ) => LeaseEvent::TimePassed,
            (Planted::GivesBackTooEarly, LeaseEvent::OfficeClosed) => LeaseEvent::ReleaseRequested,
            (_, event) => event,
        };
        self.inner.handle(now, event);
    }

    fn poll_effect(&mut self) -> Option<LeaseEffect> {
        let mut effect = self.inner.poll_effect()?;
        if let LeaseEffect::Report(
            LeaseReport::Won { authority } | LeaseReport::Extended { authority },
        ) = &mut effect
            && self.bug == Planted::CountsFromTheAnswer
        {
            *authority = self.now.after(TIMING.authority);
        }
        Some(effect)
    }

    fn poll_deadline(&self) -> Option<Timestamp> {
        self.inner.poll_deadline().map(|(deadline, _)| deadline)
    }

    fn authority(&self) -> Option<Timestamp> {
        self.inner.authority()
    }

    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }
}
