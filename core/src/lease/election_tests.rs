//! Several candidates, one lease, and everything that may go wrong between them: at most one of
//! them leads at any time, and in the end one does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{
    FlapLimit, Lease, LeaseEffect, LeaseEvent, LeaseOptions, LeaseReading, LeaseRecord,
    LeaseReport, LeaseState, LeaseTiming, LeaseWriting, WallTime,
};
use crate::id::{Epoch, ProcessId, Timestamp, Version};

const TIMING: LeaseTiming = LeaseTiming::SHORT;
/// Real time, in nanoseconds.
type At = u64;
const SECOND: At = 1_000_000_000;
const CHAOS: At = 120 * SECOND;
/// Whoever looked at a cluster that is older knows that it has a status document.
const YOUNG: At = 10 * SECOND;
/// No run needs so many events.
const MOST: u64 = 100_000;
const CALM: At = 30 * SECOND;

/// What can be drawn for one run.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    candidates: usize,
    /// Each clock's rate, in thousandths.
    rates: Vec<u64>,
    watched: bool,
    /// Requests that are lost, out of 100, and answers.
    lost: (u32, u32),
    /// Requests that come very late, out of 100.
    late: u32,
    faults: Vec<(At, Fault)>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The store answers nothing for so many milliseconds.
    Down(u64),
    /// A candidate sleeps for so many milliseconds.
    Pause(usize, u64),
    /// The leader's office is closed, as a conflict does it, and reopened.
    StepDown(usize),
    Delete,
    Steal,
    Transfer(usize),
}

fn plan() -> impl Strategy<Value = Plan> {
    let fault = prop_oneof![
        (1_u64..6_000).prop_map(Fault::Down),
        (0_usize..4, 1_u64..8_000).prop_map(|(who, ms)| Fault::Pause(who, ms)),
        (0_usize..4).prop_map(Fault::StepDown),
        Just(Fault::Delete),
        Just(Fault::Steal),
        (0_usize..4).prop_map(Fault::Transfer),
    ];
    (
        any::<u64>(),
        1_usize..5,
        // The fastest clock runs by at most a tenth faster than the slowest.
        proptest::collection::vec(955_u64..=1_050, 4),
        any::<bool>(),
        (0_u32..20, 0_u32..20),
        0_u32..10,
        proptest::collection::vec((0..CHAOS, fault), 0..12),
    )
        .prop_map(
            |(seed, candidates, rates, watched, lost, late, faults)| Plan {
                seed,
                candidates,
                rates,
                watched,
                lost,
                late,
                faults,
            },
        )
}

#[derive(Debug)]
enum What {
    Arrives(usize, LeaseEffect, Timestamp),
    Told(usize, LeaseEvent),
    /// A deadline, unless another has taken its place.
    Wakes(usize, u64),
    Drained(usize, u32),
    Strikes(Fault),
}

struct Candidate {
    machine: LeaseState,
    rate: u64,
    paused: At,
    alarm: u64,
    /// When the authority reported last ends, on its own clock, until its office is empty.
    office: Option<Timestamp>,
    term: u32,
}

struct Election {
    plan: Plan,
    rng: fastrand::Rng,
    now: At,
    sequence: u64,
    queue: BinaryHeap<Reverse<(At, u64)>>,
    events: std::collections::BTreeMap<u64, What>,
    candidates: Vec<Candidate>,
    object: Option<Lease>,
    version: u64,
    down: At,
    wins: u32,
}

impl Election {
    fn new(plan: Plan) -> Self {
        let mut election = Self {
            rng: fastrand::Rng::with_seed(plan.seed),
            now: 0,
            sequence: 0,
            queue: BinaryHeap::new(),
            events: std::collections::BTreeMap::new(),
            candidates: Vec::new(),
            object: None,
            version: 0,
            down: 0,
            wins: 0,
            plan,
        };
        for index in 0..election.plan.candidates {
            let options = LeaseOptions {
                name: Arc::from(format!("c{index}")),
                process: ProcessId(index as u128 + 1),
                pod: None,
                seed: election.rng.u64(..),
                timing: TIMING,
                flaps: FlapLimit {
                    losses: 0,
                    ..FlapLimit::default()
                },
            };
            election.candidates.push(Candidate {
                machine: LeaseState::new(options, Timestamp(0)),
                rate: election.plan.rates[index],
                paused: 0,
                alarm: 0,
                office: None,
                term: 0,
            });
            election.tell(index, LeaseEvent::CampaignRequested);
        }
        for (at, fault) in election.plan.faults.clone() {
            election.at(at, What::Strikes(fault));
        }
        election
    }

    fn at(&mut self, at: At, what: What) {
        self.sequence += 1;
        self.queue.push(Reverse((at.max(self.now), self.sequence)));
        self.events.insert(self.sequence, what);
    }

    fn clock(&self, index: usize) -> Timestamp {
        Timestamp(self.now * self.candidates[index].rate / 1_000)
    }

    /// When a candidate's clock will show this, or a moment later.
    fn when(&self, index: usize, clock: Timestamp) -> At {
        clock.0 * 1_000 / self.candidates[index].rate + 2
    }

    fn run(&mut self) {
        while let Some(Reverse((at, sequence))) = self.queue.pop() {
            if at > CHAOS + CALM {
                break;
            }
            self.now = at;
            assert!(
                self.sequence < MOST,
                "it spins at {at}: {:?}",
                self.candidates
                    .iter()
                    .map(|it| &it.machine)
                    .collect::<Vec<_>>()
            );
            let what = self.events.remove(&sequence).unwrap();
            self.happen(what);
        }
        let leaders = self
            .candidates
            .iter()
            .filter(|it| it.machine.authority().is_some());
        assert_eq!(
            leaders.count(),
            1,
            "after the calm one leads: {:?}",
            self.object
        );
        assert!(self.wins > 0);
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Arrives(index, effect, sent) => self.serve(index, &effect, sent),
            What::Told(index, event) => self.tell(index, event),
            What::Wakes(index, alarm) if self.candidates[index].alarm == alarm => {
                self.tell(index, LeaseEvent::TimePassed);
            }
            What::Wakes(..) => {}
            What::Drained(index, term) => {
                let candidate = &mut self.candidates[index];
                if candidate.term == term {
                    candidate.office = None;
                    self.tell(index, LeaseEvent::ReleaseRequested);
                }
            }
            What::Strikes(fault) => self.strike(fault),
        }
    }

    fn tell(&mut self, index: usize, event: LeaseEvent) {
        if self.candidates[index].paused > self.now {
            let paused = self.candidates[index].paused;
            return self.at(paused, What::Told(index, event));
        }
        let clock = self.clock(index);
        self.candidates[index].machine.handle(clock, event);
        while let Some(effect) = self.candidates[index].machine.poll_effect() {
            self.carry_out(index, effect);
        }
        if let Some((at, _)) = self.candidates[index].machine.poll_deadline() {
            let at = self.when(index, at);
            self.candidates[index].alarm += 1;
            let alarm = self.candidates[index].alarm;
            self.at(at, What::Wakes(index, alarm));
        }
    }

    fn carry_out(&mut self, index: usize, effect: LeaseEffect) {
        let clock = self.clock(index);
        match effect {
            LeaseEffect::Report(LeaseReport::Won { authority }) => {
                self.wins += 1;
                self.nobody_else_leads(index);
                self.candidates[index].office = Some(authority);
                self.candidates[index].term += 1;
            }
            LeaseEffect::Report(LeaseReport::Extended { authority }) => {
                self.candidates[index].office = Some(authority);
            }
            LeaseEffect::Report(LeaseReport::Lost { .. }) => self.step_down(index),
            LeaseEffect::Report(LeaseReport::Released { .. }) => {
                let what = What::Told(index, LeaseEvent::CampaignRequested);
                let wait = self.rng.u64(..SECOND / 10);
                self.at(self.now + wait, what);
            }
            LeaseEffect::Report(_) => {}
            effect @ (LeaseEffect::Read { .. } | LeaseEffect::Write { .. }) => {
                let deadline = match &effect {
                    LeaseEffect::Read { deadline, .. } | LeaseEffect::Write { deadline, .. } => {
                        *deadline
                    }
                    LeaseEffect::Report(_) => clock,
                };
                // The client's own answer, should no other come.
                let gives_up = self.when(index, deadline);
                let answer = self.unheard(&effect, clock);
                self.at(gives_up, What::Told(index, answer));
                let chaos = self.now < CHAOS;
                if chaos && self.rng.u32(..100) < self.plan.lost.0 {
                    return;
                }
                let late = chaos && self.rng.u32(..100) < self.plan.late;
                let delay = if late {
                    self.rng.u64(..20 * SECOND)
                } else {
                    self.rng.u64(SECOND / 1_000..SECOND / 50)
                };
                self.at(self.now + delay, What::Arrives(index, effect, clock));
            }
        }
    }

    fn unheard(&self, effect: &LeaseEffect, sent: Timestamp) -> LeaseEvent {
        let reason = "no answer".to_owned();
        match effect {
            LeaseEffect::Write { request, .. } => LeaseEvent::LeaseWritten {
                request: *request,
                sent,
                wall: WallTime(sent.0 as i64),
                outcome: LeaseWriting::Ambiguous(reason),
            },
            LeaseEffect::Read { request, .. } => LeaseEvent::LeaseRead {
                request: *request,
                outcome: LeaseReading::Unavailable {
                    after: Duration::ZERO,
                    reason,
                },
            },
            LeaseEffect::Report(_) => LeaseEvent::TimePassed,
        }
    }

    fn serve(&mut self, index: usize, effect: &LeaseEffect, sent: Timestamp) {
        if self.now < self.down {
            return;
        }
        let event = match effect {
            LeaseEffect::Report(_) => return,
            LeaseEffect::Read { request, .. } => LeaseEvent::LeaseRead {
                request: *request,
                outcome: match &self.object {
                    Some(lease) => LeaseReading::Found(lease.clone()),
                    None => LeaseReading::Absent {
                        beside_a_document: self.wins > 0,
                    },
                },
            },
            LeaseEffect::Write {
                request,
                expected,
                record,
                ..
            } => {
                let wall = WallTime(sent.0 as i64);
                let present = self.object.as_ref().map(|lease| lease.version.clone());
                let outcome = if present == *expected {
                    LeaseWriting::Written(self.put(record.clone(), wall))
                } else {
                    LeaseWriting::Ambiguous("409".to_owned())
                };
                LeaseEvent::LeaseWritten {
                    request: *request,
                    sent,
                    wall,
                    outcome,
                }
            }
        };
        if self.now < CHAOS && self.rng.u32(..100) < self.plan.lost.1 {
            return;
        }
        let delay = self.rng.u64(SECOND / 1_000..SECOND / 50);
        self.at(self.now + delay, What::Told(index, event));
    }

    fn put(&mut self, record: LeaseRecord, wall: WallTime) -> Version {
        self.version += 1;
        let version = Version::new(self.version.to_string());
        let record = LeaseRecord {
            acquired: record.acquired.or(Some(wall)),
            renewed: record.renewed.or(Some(wall)),
            ..record
        };
        self.object = Some(Lease {
            version: version.clone(),
            record,
        });
        self.show();
        version
    }

    /// A watch shows the lease, some time, perhaps never, in any order.
    fn show(&mut self) {
        if !self.plan.watched {
            return;
        }
        for index in 0..self.candidates.len() {
            if self.now < CHAOS && self.rng.u32(..100) < 10 {
                continue;
            }
            let delay = self.rng.u64(SECOND / 1_000..SECOND / 5);
            let event = LeaseEvent::LeaseObserved(self.object.clone());
            self.at(self.now + delay, What::Told(index, event));
        }
    }

    fn step_down(&mut self, index: usize) {
        let term = self.candidates[index].term;
        let clock = self.clock(index);
        // As long as the drain may take, by its own clock, though never beyond its bound.
        let drain = TIMING.drain.mul_f64(self.rng.f64());
        let end = self.when(index, clock.after(drain));
        self.at(end, What::Drained(index, term));
        let closed = What::Told(index, LeaseEvent::OfficeClosed);
        self.at(self.now, closed);
    }

    fn strike(&mut self, fault: Fault) {
        let count = self.candidates.len();
        match fault {
            Fault::Down(ms) => self.down = self.now + ms * SECOND / 1_000,
            Fault::Pause(who, ms) => {
                let candidate = &mut self.candidates[who % count];
                candidate.paused = candidate.paused.max(self.now + ms * SECOND / 1_000);
            }
            Fault::StepDown(who) => {
                let index = who % count;
                if self.candidates[index].machine.authority().is_some() {
                    self.step_down(index);
                }
            }
            // Before there is a status document there is nothing to be led yet.
            Fault::Delete if self.now < YOUNG => {}
            Fault::Delete => {
                self.object = None;
                self.version += 1;
                self.show();
            }
            Fault::Steal => {
                let record = LeaseRecord {
                    holder: "thief".into(),
                    process: None,
                    pod: None,
                    duration: TIMING.lease,
                    acquired: None,
                    renewed: None,
                    transitions: 0,
                    epoch: Epoch(0),
                    transfer_to: None,
                    transfer_requested: None,
                };
                let wall = WallTime(self.now as i64);
                self.put(record, wall);
            }
            Fault::Transfer(who) => {
                if let Some(lease) = self.object.clone() {
                    let to = Arc::from(format!("c{who}"));
                    let wall = WallTime(self.now as i64);
                    let record = LeaseRecord {
                        transfer_requested: Some(to),
                        ..lease.record
                    };
                    self.put(record, wall);
                }
            }
        }
    }

    /// Whoever has not emptied its office must have seen its authority and its drain time pass,
    /// by its own clock; even where the lease was stolen or deleted.
    fn nobody_else_leads(&self, winner: usize) {
        let count = |is_one: fn(&Fault) -> bool| {
            let faults = self.plan.faults.iter().map(|(_, fault)| fault);
            faults.filter(|it| is_one(it)).count()
        };
        let deletions = count(|it| matches!(it, Fault::Delete));
        let handed = count(|it| matches!(it, Fault::Transfer(_)));
        if deletions > 0 && deletions + handed > 1 {
            // A lease that was there between two looks, made anew or handed over, and is gone again,
            // was never seen. Then only the fencing of the document is left.
            return;
        }
        for (index, other) in self.candidates.iter().enumerate() {
            if index == winner {
                continue;
            }
            if let Some(authority) = other.office {
                let empty = authority.after(TIMING.drain);
                assert!(
                    self.clock(index) >= empty,
                    "{index} may be in office until {empty:?}, it is {:?}, and {winner} has won",
                    self.clock(index)
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn at_most_one_candidate_leads_and_in_the_end_one_does(plan in plan()) {
        Election::new(plan).run();
    }
}
