//! The driver's loop: one event in, all effects polled, then carried out in order, with room for a
//! crash or a pause between any two.

use std::time::Duration;

use stepdown_core::{Event, Options, ProcessId, Role, Tenure, Timing};

use super::check::{Check, tenure_of};
use super::clock::At;
use super::host::Strike;
use super::world::{What, World};

const SPINS: u32 = 1_000;

impl World<'_> {
    pub(super) fn start_host(&mut self, host: usize) -> Check {
        let now = self.queue.now();
        if self.hosts[host].is_up() || self.healed && self.left_down.1.contains(&host) {
            return Ok(());
        }
        let process = ProcessId(self.chance.workload.wide());
        let seed = self.chance.workload.below(u64::MAX);
        let place = &mut self.hosts[host];
        place.boot += 1;
        place.process = process;
        let options = Options {
            process,
            seed,
            timing: Timing {
                // So that nothing changes any more by the time that all is to be quiet.
                relied_after: Duration::from_secs(60),
                ..Timing::default()
            },
        };
        place.machine = Some(self.factory.coordinator(options, place.clock.read(now)));
        let boot = place.boot;
        self.start_candidate(host);
        self.trace
            .note(now, || format!("c{host} starts as {process}"));
        let delay = self.chance.workload.millis(0, 50);
        self.queue
            .after(delay, What::ConfigurationChanged(host, boot));
        self.poll(host)?;
        self.carry_on(host)
    }

    pub(super) fn resume(&mut self, host: usize, boot: u32) -> Check {
        let place = &mut self.hosts[host];
        if place.boot != boot || place.paused.is_none_or(|until| until > self.queue.now()) {
            return Ok(());
        }
        place.paused = None;
        place.resumed = Some(self.queue.now());
        self.trace
            .note(self.queue.now(), || format!("c{host} resumes"));
        // Two tasks wake up; either may be the first.
        if self.chance.lease.percent(50) {
            self.resume_candidate(host)?;
        }
        if self.chance.network.percent(50) {
            self.leave_late(host)?;
        }
        self.carry_on(host)?;
        self.leave_late(host)?;
        self.resume_candidate(host)
    }

    pub(super) fn pause(&mut self, host: usize, until: At) {
        let place = &mut self.hosts[host];
        if place.is_up() {
            place.paused = Some(place.paused.map_or(until, |other| other.max(until)));
            let (until, boot) = (place.paused.unwrap_or(until), place.boot);
            self.calm = self.calm.max(until);
            self.sometimes.hit("paused");
            self.trace
                .note(self.queue.now(), || format!("c{host} pauses until {until}"));
            self.queue.at(until, What::HostResumes(host, boot));
        }
    }

    pub(super) fn crash(&mut self, host: usize, back_at: At) {
        if !self.hosts[host].is_up() {
            return;
        }
        self.trace
            .note(self.queue.now(), || format!("c{host} crashes"));
        self.calm = self.calm.max(back_at);
        self.sometimes.hit("crashed");
        if self.hosts[host].is_storing() {
            self.sometimes.hit("crashed_with_store_in_flight");
        }
        self.drop_tasks(host);
        self.unlock(host);
        self.hosts[host].stop();
        self.queue.at(back_at, What::HostStarts(host));
    }

    /// A process that was asked to stop ends as soon as leadership is given back.
    pub(super) fn exit_if_released(&mut self, host: usize) {
        let place = &self.hosts[host];
        if place.exits && !place.client.releases {
            self.sometimes.hit("exited");
            let delay = self.chance.workload.millis(500, 15_000);
            self.crash(host, self.queue.now().plus(delay));
        }
    }

    pub(super) fn wake(&mut self, host: usize, boot: u32, at: At) -> Check {
        let place = &mut self.hosts[host];
        if place.boot != boot || place.wake != Some(at) {
            return Ok(());
        }
        place.wake = None;
        if place.paused.is_some() {
            return Ok(());
        }
        self.deliver(host, Event::TimePassed)
    }

    /// Gives an event to the machine, or keeps it while the process is stopped.
    pub(super) fn deliver(&mut self, host: usize, event: Event) -> Check {
        let place = &mut self.hosts[host];
        if place.is_up() {
            place.inbox.push_back(event);
            self.carry_on(host)?;
        }
        Ok(())
    }

    pub(super) fn carry_on(&mut self, host: usize) -> Check {
        let mut spins = 0;
        loop {
            let now = self.queue.now();
            let place = &mut self.hosts[host];
            if !place.is_up() || place.paused.is_some() {
                return Ok(());
            }
            if !place.todo.is_empty() || place.armed.is_some_and(|(left, _)| left == 0) {
                match &mut place.armed {
                    Some((0, strike)) => {
                        let strike = *strike;
                        place.armed = None;
                        match strike {
                            Strike::Crash { back_at } => self.crash(host, back_at.max(now)),
                            Strike::Pause { until } if until > now => self.pause(host, until),
                            Strike::Pause { .. } => {}
                        }
                        continue;
                    }
                    Some((left, _)) => *left -= 1,
                    None => {}
                }
                if let Some(effect) = place.todo.pop_front() {
                    self.carry_out(host, effect)?;
                }
                continue;
            }
            if let Some(event) = place.inbox.pop_front() {
                self.step(host, event)?;
                continue;
            }
            let deadline = place
                .machine
                .as_ref()
                .and_then(|machine| machine.poll_deadline());
            let due = deadline.map(|deadline| place.clock.when(deadline).max(now));
            if due == Some(now) {
                spins += 1;
                if spins > SPINS {
                    return Err(self.violation("D10", "the deadline does not move: a busy loop"));
                }
                self.step(host, Event::TimePassed)?;
                continue;
            }
            if place.wake != due {
                place.wake = due;
                let boot = place.boot;
                if let Some(at) = due {
                    self.queue.at(at, What::Wake(host, boot, at));
                }
            }
            return Ok(());
        }
    }

    fn step(&mut self, host: usize, event: Event) -> Check {
        let now = self.queue.now();
        let place = &mut self.hosts[host];
        let local = place.clock.read(now);
        let Some(machine) = &mut place.machine else {
            return Ok(());
        };
        let stale = tenure_of(&event).is_some_and(|tenure| tenure != machine.tenure());
        if stale
            && machine
                .poll_deadline()
                .is_some_and(|deadline| deadline <= local)
        {
            place.inbox.push_front(event);
            return self.step(host, Event::TimePassed);
        }
        self.trace.note(now, || format!("c{host} <- {event:?}"));
        let before = (machine.role(), machine.tenure());
        self.heard(host, &event)?;
        if let Event::LeadershipWon { .. } | Event::AuthorityExtended { .. } = &event {
            // What answers a task was looked at when it came.
            let _ = self.hosts[host].tenancy.heard(event.clone());
        }
        if let Some(machine) = &mut self.hosts[host].machine {
            machine.handle(local, event);
        }
        let issued = self.poll(host)?;
        let after = self.hosts[host]
            .machine
            .as_ref()
            .map_or(before, |machine| (machine.role(), machine.tenure()));
        if stale && (issued > 0 || before != after) {
            return Err(self.violation("D7", "an answer of an older tenure changed something"));
        }
        self.stepped(host, before, after)
    }

    /// Polls every effect; gives how many were more than reports.
    fn poll(&mut self, host: usize) -> Result<usize, super::Violation> {
        let now = self.queue.now();
        let mut issued = 0;
        while let Some(effect) = self.hosts[host]
            .machine
            .as_mut()
            .and_then(|machine| machine.poll_effect())
        {
            self.trace.note(now, || format!("c{host} -> {effect:?}"));
            self.issued(host, &effect)?;
            issued += usize::from(!matches!(effect, stepdown_core::Effect::Report(_)));
            self.hosts[host].todo.push_back(effect);
        }
        Ok(issued)
    }

    fn stepped(&mut self, host: usize, before: (Role, Tenure), after: (Role, Tenure)) -> Check {
        let now = self.queue.now();
        self.check_step(host, before.0, after.0)?;
        let place = &mut self.hosts[host];
        if after.0 == Role::SteppingDown {
            place.closing_since.get_or_insert(now);
        } else {
            place.closing_since = None;
        }
        if before.0 == Role::Leader && after.0 == Role::SteppingDown {
            self.sometimes.hit("stepped_down");
            if self.hosts[host].is_storing() {
                self.sometimes.hit("stepped_down_with_store_in_flight");
            }
        }
        if before.0 == Role::Candidate && after.0 == Role::Leader {
            self.sometimes.hit("took_office");
        }
        Ok(())
    }
}
