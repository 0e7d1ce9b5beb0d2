//! A coordinator's candidate, driven as a driver is to drive it: one event in, all effects carried
//! out, every request answered exactly once, at its deadline at the latest.

use std::collections::VecDeque;

use stepdown_core::lease::{FlapLimit, LeaseEffect, LeaseEvent, LeaseOptions, LeaseReading};
use stepdown_core::{ProcessId, RequestId, Tenure, Timestamp};

use super::TIMING;
use super::lock::Wish;
use super::object::Ask;
use crate::sim::check::Check;
use crate::sim::clock::At;
use crate::sim::machine::Candidate;
use crate::sim::world::{What, World};

const SPINS: u32 = 1_000;
/// So many sent times of applied writes are remembered.
const REMEMBERED: usize = 8;

/// A coordinator's part in the election.
#[derive(Default)]
pub struct Client {
    pub tenure: Tenure,
    pub machine: Option<Box<dyn Candidate>>,
    pub lock: Wish,
    /// Whether the office is closed, or none was ever opened.
    pub closed: bool,
    /// Whether the lease is being given back.
    pub releases: bool,
    /// Since when it campaigns without having cooled down.
    pub campaigns_since: Option<At>,
    /// When it was last woken from a pause.
    pub resumed: At,
    /// When the authority reported last ends, until leadership is given back.
    pub office: Option<Timestamp>,
    /// The office from which the lease was taken by somebody whose clock does not agree, and when.
    pub robbed: Option<(Timestamp, Timestamp)>,
    /// When the last writes that the server has applied were sent.
    pub applied: VecDeque<Timestamp>,
    awaited: Option<RequestId>,
    /// Events that came while the process was stopped.
    inbox: VecDeque<LeaseEvent>,
    wake: Option<At>,
    spins: (At, u32),
}

impl Client {
    pub fn note_applied(&mut self, sent: Timestamp) {
        if self.applied.len() == REMEMBERED {
            self.applied.pop_front();
        }
        self.applied.push_back(sent);
    }

    /// Whether this is news: each request is answered once.
    fn takes(&mut self, event: &LeaseEvent) -> bool {
        match event {
            LeaseEvent::LeaseRead { request, .. } | LeaseEvent::LeaseWritten { request, .. } => {
                self.awaited.take_if(|awaited| awaited == request).is_some()
            }
            LeaseEvent::CampaignRequested
            | LeaseEvent::EpochRaised(_)
            | LeaseEvent::LeaseHinted
            | LeaseEvent::LeaseObserved(_)
            | LeaseEvent::OfficeClosed
            | LeaseEvent::ReleaseRequested
            | LeaseEvent::TimePassed => true,
        }
    }
}

impl World<'_> {
    pub(in crate::sim) fn start_candidate(&mut self, host: usize) {
        if !self.is_lease() {
            return;
        }
        // Two share a name where somebody has copied a manifest.
        let name = if self.plan.namesakes && host == 1 {
            0
        } else {
            host
        };
        let seed = self.chance.lease.below(u64::MAX);
        let now = self.queue.now();
        let place = &mut self.hosts[host];
        let options = LeaseOptions {
            name: format!("c{name}").into(),
            process: place.process,
            pod: self.plan.pods.then(|| format!("pod-{host}").into()),
            seed,
            timing: TIMING,
            flaps: FlapLimit::default(),
        };
        let machine = self.factory.candidate(options, place.clock.read(now));
        place.client.machine = Some(machine);
        place.client.closed = true;
    }

    /// Something has come to a coordinator's candidate.
    pub(in crate::sim) fn lease_told(
        &mut self,
        host: usize,
        boot: u32,
        event: LeaseEvent,
    ) -> Check {
        let place = &mut self.hosts[host];
        if place.boot != boot || !place.is_up() {
            return Ok(());
        }
        if place.paused.is_some() {
            place.client.inbox.push_back(event);
            return Ok(());
        }
        if place.client.takes(&event) {
            self.tell_lease(host, event)?;
        }
        self.exit_if_released(host);
        self.carry_on(host)
    }

    pub(in crate::sim) fn lease_wakes(&mut self, host: usize, boot: u32, at: At) -> Check {
        let place = &mut self.hosts[host];
        if place.boot != boot || place.client.wake != Some(at) {
            return Ok(());
        }
        place.client.wake = None;
        let (last, count) = place.client.spins;
        let count = if last == at { count + 1 } else { 0 };
        place.client.spins = (at, count);
        if count > SPINS {
            return Err(self.violation("D10", "the lease's deadline does not move: a busy loop"));
        }
        self.lease_told(host, boot, LeaseEvent::TimePassed)
    }

    /// Everything that came while the process was stopped comes at once.
    pub(in crate::sim) fn resume_candidate(&mut self, host: usize) -> Check {
        if !self.is_lease() {
            return Ok(());
        }
        let boot = self.hosts[host].boot;
        self.hosts[host].client.resumed = self.queue.now();
        while self.hosts[host].paused.is_none()
            && let Some(event) = self.hosts[host].client.inbox.pop_front()
        {
            self.lease_told(host, boot, event)?;
        }
        self.lease_told(host, boot, LeaseEvent::TimePassed)
    }

    /// What it reports is put into the coordinator's inbox; nothing else happens here at once.
    pub(super) fn tell_lease(&mut self, host: usize, event: LeaseEvent) -> Check {
        let now = self.queue.now();
        let place = &mut self.hosts[host];
        let local = place.clock.read(now);
        let Some(machine) = &mut place.client.machine else {
            return Ok(());
        };
        self.trace
            .note(now, || format!("c{host} lease <- {event:?}"));
        let stops = shows_another(&event, place.process);
        machine.handle(local, event);
        if stops && machine.authority().is_some() {
            return Err(self.violation("B12", format!("c{host} leads though another holds it")));
        }
        while let Some(effect) = self.hosts[host]
            .client
            .machine
            .as_mut()
            .and_then(|machine| machine.poll_effect())
        {
            self.trace
                .note(now, || format!("c{host} lease -> {effect:?}"));
            self.carry_out_lease(host, effect)?;
        }
        self.set_lease_alarm(host);
        Ok(())
    }

    fn carry_out_lease(&mut self, host: usize, effect: LeaseEffect) -> Check {
        let (request, deadline, write) = match effect {
            LeaseEffect::Report(report) => return self.lease_reported(host, report),
            LeaseEffect::Read { request, deadline } => (request, deadline, None),
            LeaseEffect::Write {
                request,
                expected,
                record,
                deadline,
            } => {
                self.check_lease_sent(host, &record)?;
                (request, deadline, Some((expected, record)))
            }
        };
        let now = self.queue.now();
        let place = &mut self.hosts[host];
        place.client.awaited = Some(request);
        let ask = Ask {
            host,
            boot: place.boot,
            request,
            sent: place.clock.read(now),
            wall: place.clock.wall(now),
            gives_up: place.clock.when(deadline).max(now),
            write,
        };
        let unheard = What::LeaseTold(host, place.boot, Box::new(ask.unheard()));
        self.queue.at(ask.gives_up, unheard);
        self.ask_lease(ask);
        Ok(())
    }

    pub(in crate::sim) fn set_lease_alarm(&mut self, host: usize) {
        let now = self.queue.now();
        let place = &mut self.hosts[host];
        let machine = place.client.machine.as_ref();
        let deadline = machine.and_then(|machine| machine.poll_deadline());
        let due = deadline.map(|deadline| place.clock.when(deadline).max(now));
        if place.client.wake != due {
            place.client.wake = due;
            let boot = place.boot;
            if let Some(at) = due {
                self.queue.at(at, What::LeaseWakes(host, boot, at));
            }
        }
    }
}

/// Whether a read shows that somebody else, or nobody, holds the lease.
fn shows_another(event: &LeaseEvent, process: ProcessId) -> bool {
    match event {
        LeaseEvent::LeaseRead { outcome, .. } => match outcome {
            LeaseReading::Absent { .. } => true,
            LeaseReading::Found(lease) => lease.record.process != Some(process),
            LeaseReading::Forbidden(_) | LeaseReading::Unavailable { .. } => false,
        },
        LeaseEvent::CampaignRequested
        | LeaseEvent::EpochRaised(_)
        | LeaseEvent::LeaseHinted
        | LeaseEvent::LeaseObserved(_)
        | LeaseEvent::LeaseWritten { .. }
        | LeaseEvent::OfficeClosed
        | LeaseEvent::ReleaseRequested
        | LeaseEvent::TimePassed => false,
    }
}
