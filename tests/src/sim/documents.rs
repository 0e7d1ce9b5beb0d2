//! Loads, head reads and stores: their way to the store and back.

use std::time::Duration;

use stepdown_core::store::{StatusDocument, StoreOutcome};
use stepdown_core::{Event, Timestamp, Version};

use super::check::Check;
use super::clock::At;
use super::server::Caller;
use super::store::Unheard;
use super::world::{What, World};

/// After so long a store under a lock says itself that it does not know what became of a write.
const SILENCE: Duration = Duration::from_secs(5);

/// By so much what was sent may come too late.
const UNHEARD: Duration = Duration::from_secs(20);

/// What a read asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    Configuration,
    Document,
    Head,
}

impl World<'_> {
    pub(super) fn send_store(
        &mut self,
        caller: Caller,
        until: Option<Timestamp>,
        expected: Option<Version>,
        document: StatusDocument,
    ) {
        let now = self.queue.now();
        let place = &self.hosts[caller.host];
        let local = place.clock.read(now);
        let given = until.map_or(SILENCE, |until| until.since(local));
        let timeout = place.clock.stretch(given);
        let lease = self.is_lease();
        let latency = self.store_latency();
        let (refuses_until, how) = self.store.keeps_refusing;
        let keeps = (now < refuses_until).then_some(how);
        if keeps.is_some() {
            self.sometimes.hit("store_kept_refusing");
        }
        if let Some(how) = keeps.or_else(|| self.store.refusals.pop_front()) {
            let outcome = match how {
                0 => StoreOutcome::Forbidden("not allowed".to_owned()),
                1 => StoreOutcome::Invalid("malformed".to_owned()),
                _ => {
                    self.hosts[caller.host].facts.is_tight = true;
                    self.lose_track();
                    StoreOutcome::TooLarge("too large".to_owned())
                }
            };
            self.calm = self.calm.max(now);
            self.sometimes.hit("store_refused");
            self.queue.after(latency, What::StoreEnds(caller, outcome));
            return;
        }
        let mut arrives = now.plus(latency);
        if arrives < self.store.stalled {
            self.sometimes.hit("store_stalled");
            arrives = self.store.stalled;
        }
        let unheard = self.store.next.pop_front();
        if unheard.is_some() {
            self.calm = self.calm.max(now.plus(timeout + UNHEARD));
        }
        if until.is_some() {
            self.queue.after(timeout, What::TimedOut(caller));
        } else if unheard.is_some() {
            let outcome = StoreOutcome::Ambiguous("timed out".to_owned());
            self.queue.after(timeout, What::StoreEnds(caller, outcome));
        }
        match unheard {
            Some(Unheard::Lost) => {
                self.sometimes.hit("store_lost_unheard");
                return;
            }
            Some(Unheard::Applied) => self.sometimes.hit("store_applied_unheard"),
            Some(Unheard::AppliedLate) if lease => {
                self.sometimes.hit("store_applied_late");
                arrives = now.plus(timeout + self.chance.store.millis(0, 20_000));
            }
            Some(Unheard::AppliedLate) | None => {}
        }
        let heard = unheard.is_none();
        self.queue.at(
            arrives,
            What::StoreArrives(caller, expected, document, heard),
        );
    }

    pub(super) fn store_arrived(
        &mut self,
        caller: Caller,
        expected: Option<Version>,
        document: &StatusDocument,
        heard: bool,
    ) -> Check {
        let now = self.queue.now();
        if !self.is_lease() && self.hosts[caller.host].boot != caller.boot {
            return Ok(());
        }
        let outcome = if now < self.store.unavailable {
            self.sometimes.hit("store_unavailable");
            StoreOutcome::Unavailable {
                after: Duration::from_millis(100),
                reason: "the store is away".to_owned(),
            }
        } else if now < self.store.corrupt {
            StoreOutcome::Corrupt("the document is torn".to_owned())
        } else if self.store.is_current(expected.as_ref()) {
            let process = document.write_id.process;
            let version = self.store.accept(document, (process, caller.tenure));
            self.trace.note(now, || {
                format!("store accepts {version} of {}", document.write_id)
            });
            if self.hosts[caller.host].facts.is_tight {
                self.lose_track();
            }
            self.check_accepted()?;
            StoreOutcome::Stored(version)
        } else if self.is_lease() {
            self.sometimes.hit("store_conflict_over_a_network");
            StoreOutcome::Ambiguous("409".to_owned())
        } else {
            self.sometimes.hit("store_conflict");
            StoreOutcome::Conflict("another version".to_owned())
        };
        if heard {
            let latency = self.store_latency();
            self.queue.after(latency, What::StoreEnds(caller, outcome));
        }
        Ok(())
    }

    pub(super) fn store_ended(&mut self, caller: Caller, outcome: StoreOutcome) -> Check {
        let event = Event::StoreEnded {
            tenure: caller.tenure,
            request: caller.request,
            outcome,
        };
        self.answered(caller, event)
    }

    pub(super) fn read(&mut self, caller: Caller, read: Read, until: Option<Timestamp>) {
        let clock = self.hosts[caller.host].clock;
        let gives_up = until.map_or(At(u64::MAX), |until| clock.when(until));
        let arrives = self.queue.now().plus(self.store_latency());
        let arrives = arrives.max(self.store.stalled);
        let what = What::ReadArrives(caller, read, gives_up);
        self.happens_in_time(caller, arrives, gives_up, what);
    }

    pub(super) fn read_arrived(&mut self, caller: Caller, read: Read, gives_up: At) {
        let now = self.queue.now();
        let (tenure, request) = (caller.tenure, caller.request);
        // A file is read as it is.
        let is_old = self.is_lease() && now < self.store.reads_old && self.chance.store.percent(50);
        if is_old {
            self.sometimes.hit("old_document_read");
        }
        let event = match read {
            Read::Document => Event::Loaded {
                tenure,
                request,
                outcome: self.store.load(now, self.epoch_beside(caller.host), is_old),
            },
            Read::Configuration => Event::ConfigurationFound {
                tenure,
                request,
                found: self.configured.found(now),
            },
            Read::Head => Event::HeadRead {
                tenure,
                request,
                outcome: self.store.head(now, is_old),
            },
        };
        let answered = now.plus(self.store_latency());
        let what = What::ReadAnswers(caller, event);
        self.happens_in_time(caller, answered, gives_up, what);
    }

    /// A read changes nothing: where it takes too long, it is enough that it times out.
    fn happens_in_time(&mut self, caller: Caller, at: At, gives_up: At, what: What) {
        if at < gives_up {
            self.queue.at(at, what);
        } else {
            self.sometimes.hit("read_timed_out");
            self.queue.at(gives_up, What::TimedOut(caller));
        }
    }

    fn store_latency(&mut self) -> Duration {
        let chance = &mut self.chance.store;
        let slow = if self.queue.now() < self.store.slow.0 {
            chance.between(Duration::ZERO, self.store.slow.1)
        } else {
            Duration::ZERO
        };
        slow + chance.micros(200, 8_000)
    }
}
