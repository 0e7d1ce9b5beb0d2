//! Two candidates over one store, driven with a real clock; what a driver has to do, and no more.
//!
//! ```text
//! cargo run -p stepdown-core --example two_candidates
//! ```
//!
//! The first one leads, falls asleep, and is overtaken. When it wakes up it still believes that it
//! leads, until it looks at the store: it steps down, and is a candidate again. It is all over within
//! a second. No data server is configured, so the machines ask for none.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the clock and the thread are the driver's part, and this is a driver"
)]

use std::thread;
use std::time::{Duration, Instant};

use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
};
use stepdown_core::{
    CoordinatorState, Effect, Epoch, Event, Options, ProcessId, Report, Role, Tenure, Timestamp,
    Timing, Version,
};

/// No stage of the story lasts longer than this, whatever happens.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let start = Instant::now();
    let ended = run(|line| println!("{:>5} ms  {line}", start.elapsed().as_millis()));
    if !ended {
        println!("it took too long; is the machine very busy?");
    }
}

/// The whole story, told line by line. Returns whether it came to its end.
pub fn run(mut tell: impl FnMut(String)) -> bool {
    let start = Instant::now();
    let mut store = Store::default();
    let mut first = Candidate::new("first", 1);
    let mut second = Candidate::new("second", 2);

    // The first one has the lock, the second one waits for it.
    let mut ended = drive(start, &mut store, [&mut first], &mut tell, |[first]| {
        first.machine.role() == Role::Leader
    });

    tell("-- first falls asleep, and the lock is taken from it".to_owned());
    store.leader = None;
    ended &= drive(start, &mut store, [&mut second], &mut tell, |[second]| {
        second.machine.role() == Role::Leader
    });

    tell("-- first wakes up, and believes that it leads".to_owned());
    let both = [&mut first, &mut second];
    ended &= drive(start, &mut store, both, &mut tell, |[first, _]| {
        first.campaign.is_some()
    });

    tell("-- second is asked to stop".to_owned());
    second.ask_to_stop(now(start));
    let both = [&mut first, &mut second];
    ended &= drive(start, &mut store, both, &mut tell, |[first, second]| {
        second.has_exited && first.machine.role() == Role::Leader
    });

    tell("-- first is asked to stop".to_owned());
    first.ask_to_stop(now(start));
    ended
        && drive(start, &mut store, [&mut first], &mut tell, |[first]| {
            first.has_exited
        })
}

/// The loop of a driver: turns, with a rest until the next deadline, until `done`. Whoever is not
/// among the candidates sleeps. Returns `false` if it takes too long.
fn drive<const N: usize>(
    start: Instant,
    store: &mut Store,
    mut candidates: [&mut Candidate; N],
    tell: &mut impl FnMut(String),
    done: impl Fn(&[&mut Candidate; N]) -> bool,
) -> bool {
    let patience = now(start).after(PATIENCE);
    while now(start) < patience {
        for candidate in &mut candidates {
            candidate.turn(now(start), store, tell);
        }
        if done(&candidates) {
            return true;
        }
        let deadlines = candidates
            .iter()
            .filter_map(|one| one.machine.poll_deadline());
        let rest = match deadlines.map(|(at, _reason)| at).min() {
            Some(at) => at.since(now(start)),
            None => Duration::from_millis(1), // a lock may come free at any time
        };
        thread::sleep(rest.min(Duration::from_millis(10)));
    }
    false
}

/// The machine's clock is whatever its driver says. A real one goes on while the host is
/// suspended, which `Instant` does not do everywhere.
fn now(start: Instant) -> Timestamp {
    Timestamp(0).after(start.elapsed())
}

/// A machine, and what its driver keeps for it.
struct Candidate {
    name: &'static str,
    machine: CoordinatorState,
    /// The campaign that waits for the lock.
    campaign: Option<Tenure>,
    has_exited: bool,
}

impl Candidate {
    fn new(name: &'static str, process: u128) -> Self {
        let options = Options {
            process: ProcessId(process),
            seed: 7, // a real driver draws one
            timing: Timing {
                head_check_every: Duration::from_millis(200), // 5 s: too long for a story
                ..Timing::default()
            },
        };
        Self {
            name,
            machine: CoordinatorState::new(options, Timestamp(0)),
            campaign: None,
            has_exited: false,
        }
    }

    /// The three steps of whoever drives a machine.
    fn turn(&mut self, now: Timestamp, store: &mut Store, tell: &mut impl FnMut(String)) {
        // Feed the time when it is due; too often does no harm.
        if self
            .machine
            .poll_deadline()
            .is_some_and(|(at, _)| at <= now)
        {
            self.machine.handle(now, Event::TimePassed);
        }
        // Feed what else has happened: here, only that a campaign was won.
        if let Some(tenure) = self.campaign
            && store.lock(self.name)
        {
            self.campaign = None;
            // A lock has no end; a lease would say here until when it lasts.
            let authority = None;
            self.machine
                .handle(now, Event::LeadershipWon { tenure, authority });
        }
        // Carry out the effects, in order, and feed their answers.
        while let Some(effect) = self.machine.poll_effect() {
            if let Some(answer) = self.carry_out(effect, store, tell) {
                self.machine.handle(now, answer);
            }
        }
    }

    /// Does what the machine asks for; `None` where the answer comes later, or never.
    fn carry_out(
        &mut self,
        effect: Effect,
        store: &mut Store,
        tell: &mut impl FnMut(String),
    ) -> Option<Event> {
        match effect {
            Effect::Campaign { tenure } => {
                self.campaign = Some(tenure);
                None
            }
            Effect::Load { tenure, request } => Some(Event::Loaded {
                tenure,
                request,
                outcome: store.load(),
            }),
            Effect::Store {
                tenure,
                request,
                expected,
                document,
            } => {
                let epoch = document.epoch;
                let outcome = store.store(expected, document);
                let said = outcome.reason().unwrap_or("it is durable");
                tell(format!("{}: stores epoch {epoch}: {said}", self.name));
                Some(Event::StoreEnded {
                    tenure,
                    request,
                    outcome,
                })
            }
            Effect::ReadHead { tenure, request } => Some(Event::HeadRead {
                tenure,
                request,
                outcome: store.head(),
            }),
            // Nothing of the tenure is under way: every answer here is given at once.
            Effect::CloseOffice { tenure } => Some(Event::Drained { tenure }),
            Effect::Release { .. } => {
                self.campaign = None;
                store.unlock(self.name);
                None
            }
            Effect::Exit => {
                tell(format!("{}: exits", self.name));
                self.has_exited = true;
                None
            }
            Effect::Report(report) => {
                if let Report::RoleChanged {
                    from, to, reason, ..
                } = report
                {
                    tell(format!("{}: {from:?} -> {to:?}: {reason}", self.name));
                }
                None
            }
            // What concerns data servers.
            Effect::Call { .. }
            | Effect::Cancel { .. }
            | Effect::ForgetServer { .. }
            | Effect::OpenOffice { .. }
            | Effect::PushAssignments { .. }
            | Effect::WatchHealth { .. } => None,
            Effect::ReadConfiguration { tenure, request } => Some(Event::ConfigurationFound {
                tenure,
                request,
                found: Err("there is none here".to_owned()),
            }),
        }
    }

    fn ask_to_stop(&mut self, now: Timestamp) {
        self.machine.handle(now, Event::ShutdownRequested);
    }
}

/// One document and its version, and a lock beside it. Only the versions keep two leaders apart.
#[derive(Default)]
struct Store {
    stored: Option<(u64, StatusDocument)>,
    leader: Option<&'static str>,
}

impl Store {
    /// Takes the lock if it is free; returns whether it was.
    fn lock(&mut self, name: &'static str) -> bool {
        let is_free = self.leader.is_none();
        if is_free {
            self.leader = Some(name);
        }
        is_free
    }

    fn unlock(&mut self, name: &str) {
        self.leader.take_if(|leader| *leader == name);
    }

    fn load(&self) -> LoadOutcome {
        match &self.stored {
            None => LoadOutcome::Absent { epoch: Epoch(0) },
            Some((version, document)) => LoadOutcome::Found(LoadedStatus {
                version: name(*version),
                epoch: document.epoch,
                write_id: Some(document.write_id),
                intact: true,
                status: document.status.clone(),
                bytes: 100,
            }),
        }
    }

    fn head(&self) -> HeadOutcome {
        match &self.stored {
            None => HeadOutcome::Absent,
            Some((version, document)) => HeadOutcome::Found(Head {
                version: name(*version),
                write_id: Some(document.write_id),
                intact: true,
            }),
        }
    }

    /// Compare and set: says no to any version but the present one.
    fn store(&mut self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        let present = self.stored.as_ref().map(|(version, _)| *version);
        if expected != present.map(name) {
            return StoreOutcome::Conflict(format!("the version is {present:?}"));
        }
        let next = present.unwrap_or(0) + 1;
        self.stored = Some((next, document));
        StoreOutcome::Stored(name(next))
    }
}

fn name(version: u64) -> Version {
    Version::new(version.to_string())
}
