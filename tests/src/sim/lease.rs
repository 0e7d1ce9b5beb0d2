//! Who may lead: a lease object with the clients that renew it, or a lock.

use std::time::Duration;

use stepdown_core::{Event, ProcessId, Tenure, Timestamp};

use super::clock::At;
use super::plan::Leadership;
use super::world::{What, World};

pub const LEASE: Duration = Duration::from_secs(15);
pub const AUTHORITY: Duration = Duration::from_secs(10);
pub const RETRY: Duration = Duration::from_secs(2);
pub const DRAIN: Duration = Duration::from_secs(3);

/// The lease object, or the lock, and its faults.
#[derive(Debug, Default)]
pub struct Lease {
    pub record: Option<Holder>,
    pub version: u64,
    pub locked: Option<(usize, u32)>,
    pub unavailable: At,
    pub slow: (At, Duration),
}

/// Whom the lease names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    Process(ProcessId),
    Stranger,
}

/// A coordinator's client of the lease.
#[derive(Debug, Default)]
pub struct Client {
    pub phase: Phase,
    pub tenure: Tenure,
    /// Changes with every campaign and close, so that old ticks and answers are told apart.
    pub generation: u64,
    pub seen: Option<(u64, Timestamp)>,
    pub version: u64,
    pub held: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Idle,
    Campaigning,
    Holding,
    Closed,
}

/// One request of a client.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub host: usize,
    pub boot: u32,
    pub generation: u64,
    pub sent: Timestamp,
    pub put: Option<(u64, Holder)>,
}

/// What the lease object said.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub applied: bool,
    pub record: Option<Holder>,
    pub version: u64,
}

impl World<'_> {
    pub(super) fn campaign(&mut self, host: usize, tenure: Tenure) {
        let client = &mut self.hosts[host].client;
        client.phase = Phase::Campaigning;
        client.tenure = tenure;
        client.generation += 1;
        client.held = false;
        self.tick_lease(host, Duration::ZERO);
    }

    /// The office is closed: the lease is held, but not renewed any more.
    pub(super) fn stop_renewing(&mut self, host: usize) {
        let client = &mut self.hosts[host].client;
        client.generation += 1;
        if client.phase == Phase::Holding {
            client.phase = Phase::Closed;
        }
    }

    pub(super) fn release(&mut self, host: usize) {
        self.stop_renewing(host);
        let client = &mut self.hosts[host].client;
        client.phase = Phase::Idle;
        let (held, version) = (std::mem::take(&mut client.held), client.version);
        match self.plan.leadership {
            Leadership::Lock => {
                if self.lease.locked == Some((host, self.hosts[host].boot)) {
                    self.lease.locked = None;
                }
            }
            Leadership::Lease if held => self.ask_lease(host, Some((version, Holder::Nobody))),
            Leadership::Lease => {}
        }
    }

    fn tick_lease(&mut self, host: usize, delay: Duration) {
        let (boot, generation) = (self.hosts[host].boot, self.hosts[host].client.generation);
        let delay = self.hosts[host].clock.stretch(delay);
        self.queue.after(
            delay,
            What::LeaseTick {
                host,
                boot,
                generation,
            },
        );
    }

    pub(super) fn lease_ticked(
        &mut self,
        host: usize,
        boot: u32,
        generation: u64,
    ) -> super::check::Check {
        let place = &self.hosts[host];
        if place.boot != boot || !place.is_up() || place.client.generation != generation {
            return Ok(());
        }
        if let Some(until) = place.paused {
            self.queue.at(
                until,
                What::LeaseTick {
                    host,
                    boot,
                    generation,
                },
            );
            return Ok(());
        }
        match (self.plan.leadership, place.client.phase) {
            (_, Phase::Idle | Phase::Closed) | (Leadership::Lock, Phase::Holding) => Ok(()),
            (Leadership::Lock, Phase::Campaigning) => {
                if self.lease.locked.is_none() {
                    self.lease.locked = Some((host, boot));
                    self.hosts[host].client.phase = Phase::Holding;
                    return self.won(host, None);
                }
                let delay = self.chance.lease.millis(50, 500);
                self.tick_lease(host, delay);
                Ok(())
            }
            (Leadership::Lease, Phase::Campaigning) => {
                self.ask_lease(host, None);
                let delay = self.chance.lease.between(RETRY, RETRY * 11 / 5);
                self.tick_lease(host, delay);
                Ok(())
            }
            (Leadership::Lease, Phase::Holding) => {
                let put = (place.client.version, Holder::Process(place.process));
                self.ask_lease(host, Some(put));
                self.tick_lease(host, AUTHORITY / 3);
                Ok(())
            }
        }
    }

    fn ask_lease(&mut self, host: usize, put: Option<(u64, Holder)>) {
        let now = self.queue.now();
        let place = &self.hosts[host];
        let ask = Ask {
            host,
            boot: place.boot,
            generation: place.client.generation,
            sent: place.clock.read(now),
            put,
        };
        let delay = self.lease_delay();
        self.queue.after(delay, What::LeaseArrives(ask));
    }

    fn lease_delay(&mut self) -> Duration {
        let chance = &mut self.chance.lease;
        let slow = if self.queue.now() < self.lease.slow.0 {
            chance.between(Duration::ZERO, self.lease.slow.1)
        } else {
            Duration::ZERO
        };
        slow + chance.micros(500, 5_000)
    }

    pub(super) fn lease_asked(&mut self, ask: Ask) {
        if self.queue.now() < self.lease.unavailable {
            self.sometimes.hit("lease_unavailable");
            return;
        }
        let mut applied = true;
        if let Some((version, holder)) = ask.put {
            applied = version == self.lease.version;
            if applied {
                self.lease.version += 1;
                self.lease.record = Some(holder);
            }
        }
        let said = Said {
            applied,
            record: self.lease.record,
            version: self.lease.version,
        };
        let delay = self.lease_delay();
        self.queue.after(delay, What::LeaseAnswers(ask, said));
    }

    pub(super) fn lease_answered(&mut self, ask: Ask, said: Said) -> super::check::Check {
        let host = ask.host;
        let now = self.queue.now();
        let has_document = self.store.latest().is_some();
        let place = &mut self.hosts[host];
        if place.boot != ask.boot || place.client.generation != ask.generation {
            return Ok(());
        }
        if let Some(until) = place.paused {
            self.queue.at(until, What::LeaseAnswers(ask, said));
            return Ok(());
        }
        let local = place.clock.read(now);
        let me = Holder::Process(place.process);
        let client = &mut place.client;
        match (client.phase, ask.put.is_some() && said.applied) {
            (Phase::Idle | Phase::Closed, _) => {}
            (Phase::Campaigning, true) => {
                client.version = said.version;
                client.held = true;
                let authority = ask.sent.after(AUTHORITY);
                if authority > local {
                    client.phase = Phase::Holding;
                    self.tick_lease(host, AUTHORITY / 3);
                    return self.won(host, Some(authority));
                }
            }
            (Phase::Campaigning, false) => {
                if client
                    .seen
                    .is_none_or(|(version, _)| version != said.version)
                {
                    client.seen = Some((said.version, local));
                }
                let expired = client
                    .seen
                    .is_some_and(|(_, since)| local >= since.after(LEASE));
                let free = match said.record {
                    Some(Holder::Nobody) => true,
                    None => !has_document || expired,
                    Some(holder) => holder == me || expired,
                };
                if free {
                    self.ask_lease(host, Some((said.version, me)));
                }
            }
            (Phase::Holding, true) => {
                client.version = said.version;
                let tenure = client.tenure;
                let authority = ask.sent.after(AUTHORITY);
                return self.deliver(host, Event::AuthorityExtended { tenure, authority });
            }
            (Phase::Holding, false) if said.record == Some(me) => client.version = said.version,
            (Phase::Holding, false) => {
                client.phase = Phase::Closed;
                client.held = false;
                client.generation += 1;
                let tenure = client.tenure;
                self.sometimes.hit("lease_lost");
                let reason = format!("the lease names {:?}", said.record);
                return self.deliver(host, Event::LeadershipLost { tenure, reason });
            }
        }
        Ok(())
    }

    fn won(&mut self, host: usize, authority: Option<Timestamp>) -> super::check::Check {
        let tenure = self.hosts[host].client.tenure;
        self.deliver(host, Event::LeadershipWon { tenure, authority })
    }
}
