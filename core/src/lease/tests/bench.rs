//! One machine, and the object that it works on, step by step.

use std::sync::Arc;
use std::time::Duration;

use crate::id::{Epoch, ProcessId, Timestamp, Version};
use crate::lease::{
    FlapLimit, Lease, LeaseEffect, LeaseEvent, LeaseOptions, LeaseReading, LeaseRecord,
    LeaseReport, LeaseState, LeaseTiming, LeaseWriting, WallTime,
};

pub(super) const R: Duration = LeaseTiming::DEFAULT.authority;
pub(super) const L: Duration = LeaseTiming::DEFAULT.lease;
pub(super) const ME: ProcessId = ProcessId(1);
pub(super) const OTHER: ProcessId = ProcessId(2);

/// One machine, and the object that it works on.
pub(super) struct Bench {
    pub(super) machine: LeaseState,
    pub(super) now: Timestamp,
    pub(super) object: Option<Lease>,
    pub(super) version: u64,
    pub(super) reports: Vec<LeaseReport>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut LeaseOptions)) -> Self {
        let mut options = LeaseOptions {
            name: "me".into(),
            process: ME,
            pod: Some("pod-1".into()),
            seed: 1,
            timing: LeaseTiming::DEFAULT,
            flaps: FlapLimit::default(),
        };
        change(&mut options);
        let now = Timestamp(1_000_000_000_000);
        Self {
            machine: LeaseState::new(options, now),
            now,
            object: None,
            version: 0,
            reports: Vec::new(),
        }
    }

    /// A candidate that has won the lease.
    pub(super) fn leader() -> Self {
        let mut bench = Self::new();
        bench.tell(LeaseEvent::CampaignRequested);
        bench.settle();
        assert!(bench.machine.authority().is_some());
        bench.reports.clear();
        bench
    }

    /// A candidate that has seen the lease held by another, as it is now.
    pub(super) fn beside_another() -> (Self, LeaseRecord) {
        let mut bench = Self::new();
        let record = bench.foreign("other", Some(OTHER));
        bench.put(record.clone());
        bench.tell(LeaseEvent::CampaignRequested);
        bench.settle();
        (bench, record)
    }

    pub(super) fn tell(&mut self, event: LeaseEvent) {
        self.machine.handle(self.now, event);
    }

    /// The next request, its reports put aside.
    pub(super) fn request(&mut self) -> Option<LeaseEffect> {
        loop {
            match self.machine.poll_effect()? {
                LeaseEffect::Report(report) => self.reports.push(report),
                effect @ (LeaseEffect::Read { .. } | LeaseEffect::Write { .. }) => {
                    return Some(effect);
                }
            }
        }
    }

    /// Answers as a healthy store does.
    pub(super) fn answer(&mut self, effect: LeaseEffect) {
        let event = self.serve(effect);
        self.tell(event);
    }

    pub(super) fn serve(&mut self, effect: LeaseEffect) -> LeaseEvent {
        match effect {
            LeaseEffect::Report(_) => panic!("a report has no answer"),
            LeaseEffect::Read { request, .. } => LeaseEvent::LeaseRead {
                request,
                outcome: match &self.object {
                    Some(lease) => LeaseReading::Found(lease.clone()),
                    None => LeaseReading::Absent {
                        beside_a_document: false,
                    },
                },
            },
            LeaseEffect::Write {
                request,
                expected,
                record,
                ..
            } => {
                let present = self.object.as_ref().map(|lease| lease.version.clone());
                let outcome = if present == expected {
                    LeaseWriting::Written(self.put(record))
                } else {
                    LeaseWriting::Ambiguous("409".to_owned())
                };
                LeaseEvent::LeaseWritten {
                    request,
                    sent: self.now,
                    wall: self.wall(),
                    outcome,
                }
            }
        }
    }

    pub(super) fn put(&mut self, record: LeaseRecord) -> Version {
        self.version += 1;
        let version = Version::new(self.version.to_string());
        let wall = Some(self.wall());
        let record = LeaseRecord {
            acquired: record.acquired.or(wall),
            renewed: record.renewed.or(wall),
            ..record
        };
        self.object = Some(Lease {
            version: version.clone(),
            record,
        });
        version
    }

    pub(super) fn wall(&self) -> WallTime {
        WallTime(i64::try_from(self.now.0 / 1_000).unwrap())
    }

    /// Answers until nothing is asked any more.
    pub(super) fn settle(&mut self) {
        while let Some(effect) = self.request_when_due() {
            self.answer(effect);
        }
    }

    /// Lets time pass, if there is something to be done within a second.
    pub(super) fn request_when_due(&mut self) -> Option<LeaseEffect> {
        if let Some(effect) = self.request() {
            return Some(effect);
        }
        let (at, _) = self.machine.poll_deadline()?;
        if at.since(self.now) > Duration::from_secs(1) {
            return None;
        }
        self.now = self.now.max(at);
        self.tell(LeaseEvent::TimePassed);
        self.request()
    }

    pub(super) fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.tell(LeaseEvent::TimePassed);
    }

    pub(super) fn foreign(&self, holder: &str, process: Option<ProcessId>) -> LeaseRecord {
        LeaseRecord {
            holder: holder.into(),
            process,
            pod: process.map(|process| Arc::from(format!("pod-{process}"))),
            duration: L,
            acquired: None,
            renewed: None,
            transitions: 3,
            epoch: Epoch(0),
            transfer_to: None,
            transfer_requested: None,
        }
    }

    pub(super) fn record(&self) -> &LeaseRecord {
        &self.object.as_ref().unwrap().record
    }

    pub(super) fn lost(&self) -> Option<&str> {
        self.reports.iter().find_map(|report| match report {
            LeaseReport::Lost { reason } => Some(reason.as_str()),
            _ => None,
        })
    }

    pub(super) fn unavailable(effect: &LeaseEffect) -> LeaseEvent {
        let (after, reason) = (Duration::ZERO, "down".to_owned());
        match effect {
            LeaseEffect::Report(_) => panic!("a report has no answer"),
            LeaseEffect::Read { request, .. } => LeaseEvent::LeaseRead {
                request: *request,
                outcome: LeaseReading::Unavailable { after, reason },
            },
            LeaseEffect::Write { request, .. } => LeaseEvent::LeaseWritten {
                request: *request,
                sent: Timestamp(0),
                wall: WallTime(0),
                outcome: LeaseWriting::Unavailable { after, reason },
            },
        }
    }
}
