//! What the simulator drives: the machines, or wrappers around them with a planted mistake.

use stepdown_core::lease::{LeaseEffect, LeaseEvent, LeaseOptions, LeaseState};
use stepdown_core::{CoordinatorState, Effect, Epoch, Event, Options, Role, Tenure, Timestamp};

/// A coordinator's machine as its driver sees it.
pub trait Machine {
    /// Takes in what has happened.
    fn handle(&mut self, now: Timestamp, event: Event);
    /// The next thing to do.
    fn poll_effect(&mut self) -> Option<Effect>;
    /// When to say that time has passed.
    fn poll_deadline(&self) -> Option<Timestamp>;
    /// The role.
    fn role(&self) -> Role;
    /// The tenure.
    fn tenure(&self) -> Tenure;
}

/// A coordinator's candidate in the election as its driver sees it.
pub trait Candidate {
    /// Takes in what has happened.
    fn handle(&mut self, now: Timestamp, event: LeaseEvent);
    /// The next thing to do.
    fn poll_effect(&mut self) -> Option<LeaseEffect>;
    /// When to say that time has passed.
    fn poll_deadline(&self) -> Option<Timestamp>;
    /// Until when it leads, if it does.
    fn authority(&self) -> Option<Timestamp>;
    /// The greatest epoch that the lease has told of.
    fn epoch(&self) -> Epoch;
}

/// Makes the machines of a coordinator that starts: the real ones, unless it makes others.
pub trait Factory {
    /// Its coordinator.
    fn coordinator(&self, options: Options, now: Timestamp) -> Box<dyn Machine> {
        Box::new(CoordinatorState::new(options, now))
    }

    /// Whether its driver looks at the gate once more, right before a call that has waited leaves.
    fn looks_again(&self) -> bool {
        true
    }

    /// Whether what breaks this property is let through, to see what comes of it.
    fn overlooks(&self, property: &str) -> bool {
        let _ = property;
        false
    }

    /// Its candidate in an election by lease.
    fn candidate(&self, options: LeaseOptions, now: Timestamp) -> Box<dyn Candidate> {
        Box::new(LeaseState::new(options, now))
    }
}

/// The real machines.
#[derive(Clone, Copy, Debug)]
pub struct Real;

impl Factory for Real {}

impl Machine for CoordinatorState {
    fn handle(&mut self, now: Timestamp, event: Event) {
        self.handle(now, event);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.poll_effect()
    }

    fn poll_deadline(&self) -> Option<Timestamp> {
        self.poll_deadline().map(|(deadline, _)| deadline)
    }

    fn role(&self) -> Role {
        self.role()
    }

    fn tenure(&self) -> Tenure {
        self.tenure()
    }
}

impl Candidate for LeaseState {
    fn handle(&mut self, now: Timestamp, event: LeaseEvent) {
        self.handle(now, event);
    }

    fn poll_effect(&mut self) -> Option<LeaseEffect> {
        self.poll_effect()
    }

    fn poll_deadline(&self) -> Option<Timestamp> {
        self.poll_deadline().map(|(deadline, _)| deadline)
    }

    fn authority(&self) -> Option<Timestamp> {
        self.authority()
    }

    fn epoch(&self) -> Epoch {
        self.epoch()
    }
}
