//! The coordinator as one machine: events in, effects out.

mod body;
mod role;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use statig::blocking::{InitializedStateMachine, IntoStateMachineExt};

use self::body::Body;
use self::role::{Core, State};
use crate::cluster::ClusterStatus;
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, Tenure, Timestamp};
use crate::options::Options;
use crate::report::Role;

/// A coordinator: Candidate, Leader, SteppingDown, and around again, until it is asked to stop.
///
/// It does nothing by itself. Whoever drives it
///
/// 1. drains [`poll_effect`](Self::poll_effect) until it is empty, after [`new`](Self::new) and
///    after every [`handle`](Self::handle), and carries the effects out in order;
/// 2. feeds every answer, and everything else that happens, to [`handle`](Self::handle);
/// 3. feeds [`Event::TimePassed`] at [`poll_deadline`](Self::poll_deadline). Earlier, later or
///    repeated ones are harmless.
///
/// Every call, load, head read and store is answered by exactly one event, unless its tenure is
/// closed first. The same options and the same events at the same times give the same effects.
#[derive(Debug)]
pub struct CoordinatorState {
    machine: InitializedStateMachine<Core>,
    body: Body,
}

/// Why the machine wants to be woken; for people who debug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Authority ends.
    Authority,
    /// The next campaign begins.
    Campaign,
    /// A server, a shard, a push or a sweep is due.
    Controllers,
    /// The document is loaded again.
    Load,
    /// The office should have been opened by now.
    Office,
    /// A store, a read-back or a look at the version is due.
    Store,
}

impl CoordinatorState {
    /// A candidate whose first campaign begins at once.
    pub fn new(options: Options, now: Timestamp) -> Self {
        let mut body = Body::new(options, now);
        let machine = Core
            .uninitialized_state_machine()
            .init_with_context(&mut body);
        Self { machine, body }
    }

    /// Takes in what has happened. `now` never goes back.
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        self.body.arrive(now, &event);
        self.machine.handle_with_context(&event, &mut self.body);
        self.body.work();
    }

    /// The next thing to do, in order; `None` when there is nothing left to do now.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.body.poll_effect()
    }

    /// When to feed [`Event::TimePassed`] next, if nothing happens before, and why.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<(Timestamp, Reason)> {
        match self.machine.state() {
            State::Campaigning {} => self.body.campaign_deadline(),
            State::Loading {} => self.body.load_deadline(),
            State::Fencing {} | State::Leading {} => self.body.office_deadline(),
            State::SteppingDown {} | State::Stopped {} => None,
        }
    }

    /// The role.
    pub fn role(&self) -> Role {
        match self.machine.state() {
            State::Campaigning {} | State::Loading {} | State::Fencing {} | State::Stopped {} => {
                Role::Candidate
            }
            State::Leading {} => Role::Leader,
            State::SteppingDown {} => Role::SteppingDown,
        }
    }

    /// The present tenure.
    pub fn tenure(&self) -> Tenure {
        self.body.tenure()
    }

    /// The epoch, while in office.
    pub fn epoch(&self) -> Option<Epoch> {
        self.body.office().map(|office| office.ledger.epoch())
    }

    /// The status that the store accepted last, while in office.
    pub fn status(&self) -> Option<&Arc<ClusterStatus>> {
        self.body.office().map(|office| office.ledger.accepted())
    }

    /// How many shards are led and stored so, and how many there are, while in office.
    pub fn steady_shards(&self) -> Option<(usize, usize)> {
        self.body.office().map(crate::office::Office::steady)
    }
}
