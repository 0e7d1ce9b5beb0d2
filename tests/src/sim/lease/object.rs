//! The lease object and the server that keeps it: it compares versions, and is now and then late,
//! silent or unwilling.

use std::time::Duration;

use stepdown_core::lease::{Lease, LeaseEvent, LeaseReading, LeaseRecord, LeaseWriting, WallTime};
use stepdown_core::{RequestId, Timestamp, Version};

use crate::sim::check::Check;
use crate::sim::clock::At;
use crate::sim::world::{What, World};

/// The object and its faults.
#[derive(Debug, Default)]
pub struct Object {
    pub lease: Option<Lease>,
    pub version: u64,
    /// How often somebody has deleted it.
    pub deletions: u32,
    /// Writes to be held until their senders have given up.
    pub held: u32,
    pub unavailable: At,
    pub refuses: At,
    pub lossy: (At, u32),
    pub slow: (At, Duration),
    /// Until when no watch shows anything.
    pub unwatched: At,
    /// Until when anything may have gone wrong.
    pub troubled: At,
}

/// One request of a client.
#[derive(Clone, Debug)]
pub struct Ask {
    pub host: usize,
    pub boot: u32,
    pub request: RequestId,
    pub sent: Timestamp,
    pub wall: WallTime,
    pub gives_up: At,
    /// What to write, and over which version; `None` for a read.
    pub write: Option<(Option<Version>, LeaseRecord)>,
}

impl World<'_> {
    pub(super) fn ask_lease(&mut self, ask: Ask) {
        let now = self.queue.now();
        if self.lease_loses() {
            return;
        }
        let mut arrives = now.plus(self.lease_delay());
        if ask.write.is_some() && self.lease.held > 0 {
            self.lease.held -= 1;
            arrives = ask.gives_up.plus(self.chance.lease.millis(0, 20_000));
            self.lease.troubled = self.lease.troubled.max(ask.gives_up);
        }
        self.queue.at(arrives, What::LeaseArrives(Box::new(ask)));
    }

    pub(in crate::sim) fn lease_asked(&mut self, ask: Ask) -> Check {
        let now = self.queue.now();
        if now < self.lease.unavailable {
            self.sometimes.hit("lease_unavailable");
            if self.chance.lease.percent(50) {
                let after = self.chance.lease.millis(0, 2_000);
                let reason = "the server is away".to_owned();
                self.answer_lease(ask.unavailable(after, reason), &ask);
            }
            return Ok(());
        }
        let refused = now < self.lease.refuses;
        let event = match &ask.write {
            Some(_) if refused => ask.written(LeaseWriting::Refused("not allowed".to_owned())),
            Some((expected, record)) => {
                let outcome = self.write_lease(&ask, expected.as_ref(), record)?;
                ask.written(outcome)
            }
            None if refused => ask.read(LeaseReading::Forbidden("not allowed".to_owned())),
            None => ask.read(match &self.lease.lease {
                Some(lease) => LeaseReading::Found(lease.clone()),
                None => LeaseReading::Absent {
                    beside_a_document: self.store.latest().is_some()
                        || now < self.store.unavailable,
                },
            }),
        };
        if refused {
            self.sometimes.hit("lease_refused");
        }
        if !self.lease_loses() {
            self.answer_lease(event, &ask);
        }
        Ok(())
    }

    fn write_lease(
        &mut self,
        ask: &Ask,
        expected: Option<&Version>,
        record: &LeaseRecord,
    ) -> Result<LeaseWriting, crate::sim::Violation> {
        let is_late = self.queue.now() > ask.gives_up;
        let present = self.lease.lease.as_ref();
        if present.map(|lease| &lease.version) != expected {
            self.sometimes.hit(if is_late {
                "late_lease_write_refused"
            } else {
                "lease_conflict"
            });
            return Ok(LeaseWriting::Ambiguous("409".to_owned()));
        }
        if is_late {
            self.sometimes.hit("late_lease_write_applied");
        }
        self.check_lease_write(ask, record)?;
        if let Some(to) = present.and_then(|lease| lease.record.transfer_to.clone())
            && to == record.holder
        {
            self.sometimes.hit("lease_transferred");
        }
        let place = &mut self.hosts[ask.host];
        if place.boot == ask.boot {
            place.client.note_applied(ask.sent);
        }
        let version = self.put_lease(record.clone(), ask.wall);
        if !record.is_held() {
            self.expect_successor(record.transfer_to.is_some());
        }
        Ok(LeaseWriting::Written(version))
    }

    /// A new version of the object.
    pub(super) fn put_lease(&mut self, record: LeaseRecord, wall: WallTime) -> Version {
        self.lease.version += 1;
        let version = Version::new(self.lease.version.to_string());
        let now = self.queue.now();
        self.trace
            .note(now, || format!("the lease is {version}: {record:?}"));
        self.lease.lease = Some(Lease {
            version: version.clone(),
            record: LeaseRecord {
                acquired: record.acquired.or(Some(wall)),
                renewed: record.renewed.or(Some(wall)),
                ..record
            },
        });
        self.show_lease();
        version
    }

    fn answer_lease(&mut self, event: LeaseEvent, ask: &Ask) {
        let delay = self.lease_delay();
        let told = What::LeaseTold(ask.host, ask.boot, Box::new(event));
        self.queue.after(delay, told);
    }

    fn lease_loses(&mut self) -> bool {
        let (until, percent) = self.lease.lossy;
        let loses = self.queue.now() < until && self.chance.lease.percent(percent);
        if loses {
            self.sometimes.hit("lease_message_lost");
        }
        loses
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
}

impl Ask {
    /// What the client concludes if it hears nothing in time.
    pub(super) fn unheard(&self) -> LeaseEvent {
        let reason = "no answer in time".to_owned();
        if self.write.is_some() {
            self.written(LeaseWriting::Ambiguous(reason))
        } else {
            self.unavailable(Duration::ZERO, reason)
        }
    }

    fn unavailable(&self, after: Duration, reason: String) -> LeaseEvent {
        if self.write.is_some() {
            self.written(LeaseWriting::Unavailable { after, reason })
        } else {
            self.read(LeaseReading::Unavailable { after, reason })
        }
    }

    fn written(&self, outcome: LeaseWriting) -> LeaseEvent {
        LeaseEvent::LeaseWritten {
            request: self.request,
            sent: self.sent,
            wall: self.wall,
            outcome,
        }
    }

    fn read(&self, outcome: LeaseReading) -> LeaseEvent {
        let request = self.request;
        LeaseEvent::LeaseRead { request, outcome }
    }
}
