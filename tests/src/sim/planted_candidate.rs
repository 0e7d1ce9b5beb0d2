//! A candidate with a mistake.

use stepdown_core::lease::{LeaseEffect, LeaseEvent, LeaseOptions, LeaseReport, LeaseState};
use stepdown_core::{Epoch, Timestamp};

use super::lease::TIMING;
use super::machine::Candidate;
use super::planted::Planted;

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

    fn mistake(&self, authority: Timestamp) -> Timestamp {
        if self.bug == Planted::CountsFromTheAnswer {
            self.now.after(TIMING.authority)
        } else {
            authority
        }
    }
}

impl Candidate for MistakenCandidate {
    fn handle(&mut self, now: Timestamp, event: LeaseEvent) {
        self.now = now;
        let event = match (self.bug, event) {
            (Planted::RenewsAfterTheClose, LeaseEvent::OfficeClosed) => LeaseEvent::TimePassed,
            (Planted::GivesBackTooEarly, LeaseEvent::OfficeClosed) => LeaseEvent::ReleaseRequested,
            (_, event) => event,
        };
        self.inner.handle(now, event);
    }

    fn poll_effect(&mut self) -> Option<LeaseEffect> {
        let report = match self.inner.poll_effect()? {
            LeaseEffect::Report(report) => report,
            request @ (LeaseEffect::Read { .. } | LeaseEffect::Write { .. }) => {
                return Some(request);
            }
        };
        Some(LeaseEffect::Report(match report {
            LeaseReport::Won { authority } => LeaseReport::Won {
                authority: self.mistake(authority),
            },
            LeaseReport::Extended { authority } => LeaseReport::Extended {
                authority: self.mistake(authority),
            },
            report => report,
        }))
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
