//! The election by lease, with any answers in any order.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::lease::{
    FlapLimit, Lease, LeaseEffect, LeaseEvent, LeaseOptions, LeaseReading, LeaseRecord,
    LeaseReport, LeaseState, LeaseTiming, LeaseWriting, WallTime,
};
use stepdown_core::{Epoch, ProcessId, RequestId, Timestamp, Version};
use stepdown_fuzz::feed;

use crate::choices::Choices;

const STEPS: usize = 300;

#[test]
fn whoever_leads_by_lease_has_told_it_so_lately_whatever_happens() {
    feed("lease", |bytes| {
        // Clocks for people may stand still, or tell the same time twice.
        for tick in [1_000, 60_000_000_000] {
            let mut world = World::new(tick);
            let mut choices = Choices::new(bytes);
            for _ in 0..STEPS {
                let Some(choice) = choices.next() else {
                    break;
                };
                world.step(choice, &mut choices);
            }
        }
    });
}

/// One candidate, and the object that it and others write to.
struct World {
    machine: LeaseState,
    now: Timestamp,
    object: Option<Lease>,
    version: u64,
    under_way: Option<LeaseEffect>,
    last: RequestId,
    /// When the last write was sent that was carried out.
    written: Option<Timestamp>,
    leads: bool,
    /// The wall clock goes on by so many nanoseconds at a time.
    tick: u64,
    /// The greatest epoch that this candidate was told of.
    epoch: Epoch,
}

impl World {
    fn new(tick: u64) -> Self {
        let now = Timestamp(1_000_000_000_000);
        let options = LeaseOptions {
            name: "me".into(),
            process: ProcessId(1),
            pod: Some("pod-1".into()),
            seed: 1,
            timing: LeaseTiming::DEFAULT,
            flaps: FlapLimit::default(),
        };
        Self {
            machine: LeaseState::new(options, now),
            now,
            object: None,
            version: 0,
            under_way: None,
            last: RequestId(0),
            written: None,
            leads: false,
            tick,
            epoch: Epoch(0),
        }
    }

    fn step(&mut self, choice: u8, choices: &mut Choices<'_>) {
        let event = match choice % 24 {
            0..=5 => self.answered(0, choices),
            6..=8 => self.answered(1 + choices.below(5), choices),
            9..=11 => return self.pass_to_deadline(),
            12 => return self.pass(Duration::from_millis(choices.below(256) as u64 * 10)),
            13 => return self.pass(Duration::from_secs(choices.below(64) as u64)),
            14 | 15 => Some(LeaseEvent::CampaignRequested),
            16 => Some(LeaseEvent::OfficeClosed),
            17 => Some(LeaseEvent::ReleaseRequested),
            18 => Some(LeaseEvent::LeaseHinted),
            19 => Some(LeaseEvent::LeaseObserved(self.object.clone())),
            20 => Some(LeaseEvent::EpochRaised(Epoch(choices.below(256) as u64))),
            21 => {
                self.other_writes(choices);
                None
            }
            22 => {
                self.object = None;
                None
            }
            // To a question that nobody has asked.
            _ => Some(LeaseEvent::LeaseRead {
                request: RequestId(choices.below(256) as u64 + self.last.0 + 1),
                outcome: self.read(),
            }),
        };
        if let Some(event) = event {
            self.tell(event);
        }
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.tell(LeaseEvent::TimePassed);
    }

    /// A deadline that has come leads somewhere: to another, or to a request.
    fn pass_to_deadline(&mut self) {
        let Some((at, _)) = self.machine.poll_deadline() else {
            return;
        };
        self.now = self.now.max(at);
        for _ in 0..8 {
            self.tell(LeaseEvent::TimePassed);
            let next = self.machine.poll_deadline();
            if self.under_way.is_some() || next.is_none_or(|(next, _)| next > self.now) {
                return;
            }
        }
        panic!(
            "it is woken for nothing: {:?}",
            self.machine.poll_deadline()
        );
    }

    fn tell(&mut self, event: LeaseEvent) {
        let gives_up = matches!(
            event,
            LeaseEvent::OfficeClosed | LeaseEvent::ReleaseRequested
        );
        self.hear(&event);
        self.machine.handle(self.now, event);
        assert!(self.machine.epoch() >= self.epoch, "an epoch is forgotten");
        self.leads &= !gives_up;
        while let Some(effect) = self.machine.poll_effect() {
            self.carry_out(effect);
        }
        let authority = self.machine.authority();
        assert_eq!(authority.is_some(), self.leads, "it says whether it leads");
        if let Some(authority) = authority {
            let sent = self.written.unwrap();
            assert!(authority <= sent.after(LeaseTiming::DEFAULT.authority));
            assert!(authority > self.now, "it is over");
        }
    }

    fn carry_out(&mut self, effect: LeaseEffect) {
        let (request, deadline) = match &effect {
            LeaseEffect::Report(report) => return self.report(report),
            LeaseEffect::Read { request, deadline } => (*request, *deadline),
            LeaseEffect::Write {
                request,
                deadline,
                record,
                ..
            } => {
                assert!(record.duration == LeaseTiming::DEFAULT.lease || !record.is_held());
                assert!(record.epoch >= self.epoch, "an epoch is forgotten");
                self.check_writer(record);
                (*request, *deadline)
            }
        };
        assert!(request > self.last && self.under_way.is_none());
        assert!(deadline >= self.now);
        self.last = request;
        self.under_way = Some(effect);
    }

    /// It writes in nobody's name but its own, and to lead or to leave.
    fn check_writer(&self, record: &LeaseRecord) {
        let (holder, process) = (&*record.holder, record.process);
        let is_own = holder == "me" && process == Some(ProcessId(1));
        assert!(is_own || (holder.is_empty() && process.is_none()));
        assert!(!self.leads || is_own, "whoever leads does not give it away");
    }

    /// What it knows of epochs.
    fn hear(&mut self, event: &LeaseEvent) {
        if let LeaseEvent::EpochRaised(epoch) = event {
            self.epoch = self.epoch.max(*epoch);
        }
    }

    fn report(&mut self, report: &LeaseReport) {
        match report {
            LeaseReport::Won { .. } => self.leads = true,
            LeaseReport::Extended { .. } => assert!(self.leads),
            LeaseReport::Lost { .. } | LeaseReport::Released { .. } => self.leads = false,
            LeaseReport::CoolingDown { .. }
            | LeaseReport::HolderChanged { .. }
            | LeaseReport::Refused { .. } => {}
        }
    }

    /// The answer to what is under way: the true one, or another.
    fn answered(&mut self, way: usize, choices: &mut Choices<'_>) -> Option<LeaseEvent> {
        let effect = self.under_way.take()?;
        let reason = "down".to_owned();
        let after = Duration::from_secs(choices.below(8) as u64);
        Some(match effect {
            LeaseEffect::Report(_) => return None,
            LeaseEffect::Read { request, .. } => LeaseEvent::LeaseRead {
                request,
                outcome: match way {
                    0 | 1 => self.read(),
                    2 => LeaseReading::Forbidden(reason),
                    3 => LeaseReading::Absent {
                        beside_a_document: true,
                    },
                    _ => LeaseReading::Unavailable { after, reason },
                },
            },
            LeaseEffect::Write {
                request,
                expected,
                record,
                ..
            } => {
                let present = self.object.as_ref().map(|lease| lease.version.clone());
                let fits = present == expected;
                let (sent, wall) = (self.now, self.wall());
                if fits && way <= 1 {
                    self.written = Some(sent);
                }
                let outcome = match way {
                    0 if fits => LeaseWriting::Written(self.put(record)),
                    1 if fits => {
                        self.put(record);
                        LeaseWriting::Ambiguous(reason)
                    }
                    2 => LeaseWriting::Refused(reason),
                    3 => LeaseWriting::Unavailable { after, reason },
                    _ => LeaseWriting::Ambiguous(reason),
                };
                self.now = self.now.after(after / 4);
                LeaseEvent::LeaseWritten {
                    request,
                    sent,
                    wall,
                    outcome,
                }
            }
        })
    }

    fn read(&self) -> LeaseReading {
        match &self.object {
            Some(lease) => LeaseReading::Found(lease.clone()),
            None => LeaseReading::Absent {
                beside_a_document: false,
            },
        }
    }

    fn other_writes(&mut self, choices: &mut Choices<'_>) {
        let holder: Arc<str> = choices.one_of(&["other", "", "me", "third"]).into();
        // Nobody else writes in the name of this process.
        let process = choices.one_of(&[None, Some(ProcessId(2))]);
        let record = LeaseRecord {
            holder,
            process,
            pod: process.map(|it| format!("pod-{}", it.0).into()),
            duration: Duration::from_secs(choices.one_of(&[15, 0, 1, u64::MAX])),
            acquired: None,
            renewed: choices.one_of(&[None, Some(WallTime(i64::MIN)), Some(WallTime(0))]),
            transitions: choices.one_of(&[3, 0, u32::MAX]),
            epoch: Epoch(choices.one_of(&[0, 7, u64::MAX])),
            transfer_to: choices
                .one_of(&[None, Some("me"), Some("other")])
                .map(Arc::from),
            transfer_requested: choices
                .one_of(&[None, Some("other"), Some("me")])
                .map(Arc::from),
        };
        self.put(record);
    }

    fn put(&mut self, record: LeaseRecord) -> Version {
        self.version += 1;
        let version = Version::new(self.version.to_string());
        let wall = Some(self.wall());
        self.object = Some(Lease {
            version: version.clone(),
            record: LeaseRecord {
                acquired: record.acquired.or(wall),
                renewed: record.renewed.or(wall),
                ..record
            },
        });
        version
    }

    fn wall(&self) -> WallTime {
        let ticked = self.now.0 / self.tick * self.tick;
        WallTime(i64::try_from(ticked / 1_000).unwrap_or(i64::MAX))
    }
}
