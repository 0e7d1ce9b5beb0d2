//! What the simulator drives: the machine, or a wrapper around it with a planted mistake.

use stepdown_core::{CoordinatorState, Effect, Event, Options, Role, Tenure, Timestamp};

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

/// Makes a machine for a coordinator that starts.
pub type Factory = dyn Fn(Options, Timestamp) -> Box<dyn Machine>;

/// The real machine.
pub fn real(options: Options, now: Timestamp) -> Box<dyn Machine> {
    Box::new(CoordinatorState::new(options, now))
}

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
