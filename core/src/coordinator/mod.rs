//! The coordinator as one machine: events in, effects out.

mod authority;
mod candidate;
mod lasting;
mod leader;
mod machine;
mod reason;
mod stepping_down;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use statig::blocking::{InitializedStateMachine, IntoStateMachineExt};

use self::lasting::Lasting;
use self::machine::State;
pub use self::reason::Reason;
use crate::balance::{HeldBack, Survey};
use crate::call::Feature;
use crate::cluster::ClusterStatus;
use crate::context::Context;
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, ServerId, Tenure, Timestamp};
use crate::office::Office;
use crate::options::Options;
use crate::report::{Role, ServerState};

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
#[derive(Clone, Debug)]
pub struct CoordinatorState {
    machine: InitializedStateMachine<Lasting>,
    context: Context,
}

impl CoordinatorState {
    /// A candidate whose first campaign begins at once.
    #[must_use]
    pub fn new(options: Options, now: Timestamp) -> Self {
        let mut context = Context::new(options.timing, options.seed, now);
        let machine = Lasting::new(options.process)
            .uninitialized_state_machine()
            .init_with_context(&mut context);
        Self { machine, context }
    }

    /// Takes in what has happened. `now` never goes back.
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        self.context.now = self.context.now.max(now);
        self.machine.handle_with_context(&event, &mut self.context);
    }

    /// The next thing to do, in order; `None` when there is nothing left to do now.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.context.poll_effect()
    }

    /// When to feed [`Event::TimePassed`] next, if nothing happens before, and why.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<(Timestamp, Reason)> {
        let store = |at| (at, Reason::Store);
        let timing = &self.context.timing;
        let deadlines = match self.machine.state() {
            State::Campaigning { due } => {
                [due.map(|due| (due, Reason::Campaign)), None, None, None]
            }
            State::Loading {
                authority,
                approach,
                load,
            } => [
                authority.deadline(),
                approach.deadline(),
                load.deadline(),
                None,
            ],
            State::Fencing {
                authority,
                approach,
                ledger,
            } => [
                authority.deadline(),
                approach.deadline(),
                ledger.deadline(timing).map(store),
                None,
            ],
            State::Leading {
                authority, office, ..
            } => [
                authority.deadline(),
                office.deadline().map(|at| (at, Reason::Controllers)),
                office.ledger.deadline(timing).map(store),
                office
                    .ledger
                    .stalls_at(timing)
                    .map(|at| (at, Reason::Office)),
            ],
            State::SteppingDown { .. } | State::Stopped {} => [None; 4],
        };
        deadlines.into_iter().flatten().min()
    }

    /// The role; whoever has stopped is a candidate that does not campaign.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.machine.state() {
            State::Campaigning { .. }
            | State::Loading { .. }
            | State::Fencing { .. }
            | State::Stopped {} => Role::Candidate,
            State::Leading { .. } => Role::Leader,
            State::SteppingDown { .. } => Role::SteppingDown,
        }
    }

    /// The present tenure.
    #[must_use]
    pub fn tenure(&self) -> Tenure {
        self.context.tenure
    }

    /// The epoch, while in office.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.office().map(|office| office.ledger.epoch())
    }

    /// The status that the store accepted last, while in office.
    #[must_use]
    pub fn status(&self) -> Option<&Arc<ClusterStatus>> {
        self.office().map(|office| office.ledger.accepted())
    }

    /// Every data server, how it is, and what it can do once it has said so: while in office, in the
    /// order of their ids. Those that drain are among them.
    pub fn servers(
        &self,
    ) -> impl Iterator<Item = (&ServerId, ServerState, Option<&BTreeSet<Feature>>)> {
        let servers = self.office().into_iter().flat_map(Office::servers);
        servers.map(|(id, server)| (id, server.state(), server.features()))
    }

    /// How many shards are led and stored so, and how many there are, while in office.
    #[must_use]
    pub fn steady_shards(&self) -> Option<(usize, usize)> {
        self.office().map(Office::steady)
    }

    /// What a plan follows from, while in office and configured.
    #[must_use]
    pub fn survey(&self) -> Option<Survey> {
        let office = self.office()?;
        let waiting = office.waiting();
        let survey = office.survey(&self.context)?;
        Some(Survey { waiting, ..survey })
    }

    /// What is yet to be put into force, while in office; also where nothing is in force before.
    #[must_use]
    pub fn held_back(&self) -> Option<HeldBack> {
        self.office()?.held_back_now()
    }

    /// A hash over all that the machine keeps, what it has not yet been polled for included: what
    /// has the same fingerprint does the same from here on. It is the same in every run of one
    /// build, and no other.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hashed = Hashed(DefaultHasher::new());
        // Writing to a hasher can't fail.
        let _ = write!(hashed, "{:?} {:?}", self.machine, self.context);
        hashed.0.finish()
    }

    fn office(&self) -> Option<&Office> {
        match self.machine.state() {
            State::Leading { office, .. } => Some(office),
            State::Campaigning { .. }
            | State::Loading { .. }
            | State::Fencing { .. }
            | State::SteppingDown { .. }
            | State::Stopped {} => None,
        }
    }
}

/// A hasher that is written to as text.
struct Hashed(DefaultHasher);

impl Write for Hashed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
