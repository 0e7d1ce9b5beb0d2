//! The election by lease, step by step: what one candidate asks for, and when.

use std::sync::Arc;
use std::time::Duration;

use super::{
    FlapLimit, Lease, LeaseEffect, LeaseEvent, LeaseOptions, LeaseReading, LeaseReason,
    LeaseRecord, LeaseReport, LeaseState, LeaseTiming, LeaseWriting, WallTime,
};
use crate::id::{Epoch, ProcessId, RequestId, Timestamp, Version};

const R: Duration = LeaseTiming::DEFAULT.authority;
const L: Duration = LeaseTiming::DEFAULT.lease;
const ME: ProcessId = ProcessId(1);
const OTHER: ProcessId = ProcessId(2);

/// One machine, and the object that it works on.
struct Bench {
    machine: LeaseState,
    now: Timestamp,
    object: Option<Lease>,
    version: u64,
    reports: Vec<LeaseReport>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut LeaseOptions)) -> Self {
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
    fn leader() -> Self {
        let mut bench = Self::new();
        bench.tell(LeaseEvent::CampaignRequested);
        bench.settle();
        assert!(bench.machine.authority().is_some());
        bench.reports.clear();
        bench
    }

    fn tell(&mut self, event: LeaseEvent) {
        self.machine.handle(self.now, event);
    }

    /// The next request, its reports put aside.
    fn request(&mut self) -> Option<LeaseEffect> {
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
    fn answer(&mut self, effect: LeaseEffect) {
        let event = self.serve(effect);
        self.tell(event);
    }

    fn serve(&mut self, effect: LeaseEffect) -> LeaseEvent {
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

    fn put(&mut self, record: LeaseRecord) -> Version {
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

    fn wall(&self) -> WallTime {
        WallTime(i64::try_from(self.now.0 / 1_000).unwrap())
    }

    /// Answers until nothing is asked any more.
    fn settle(&mut self) {
        while let Some(effect) = self.request_when_due() {
            self.answer(effect);
        }
    }

    /// Lets time pass, if there is something to be done within a second.
    fn request_when_due(&mut self) -> Option<LeaseEffect> {
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

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.tell(LeaseEvent::TimePassed);
    }

    fn foreign(&self, holder: &str, process: Option<ProcessId>) -> LeaseRecord {
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

    fn record(&self) -> &LeaseRecord {
        &self.object.as_ref().unwrap().record
    }

    fn lost(&self) -> Option<&str> {
        self.reports.iter().find_map(|report| match report {
            LeaseReport::Lost { reason } => Some(reason.as_str()),
            _ => None,
        })
    }

    fn unavailable(effect: &LeaseEffect) -> LeaseEvent {
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

#[test]
fn a_lone_candidate_of_a_new_cluster_reads_and_then_creates_the_lease() {
    let mut bench = Bench::new();
    bench.tell(LeaseEvent::CampaignRequested);
    let read = bench.request().unwrap();
    assert!(matches!(read, LeaseEffect::Read { .. }));
    bench.answer(read);
    let bid = bench.request_when_due().unwrap();
    assert!(matches!(&bid, LeaseEffect::Write { expected: None, .. }));
    let sent = bench.now;
    bench.answer(bid);
    assert_eq!(bench.request(), None);
    let authority = sent.after(R);
    assert_eq!(bench.reports.last(), Some(&LeaseReport::Won { authority }));
    assert_eq!(bench.machine.authority(), Some(authority));
    let record = bench.record();
    assert_eq!((&*record.holder, record.process), ("me", Some(ME)));
    assert_eq!((record.transitions, record.duration), (0, L));
}

#[test]
fn authority_counts_from_the_sending_of_the_renewal_and_not_from_its_answer() {
    let mut bench = Bench::leader();
    bench.pass(R / 3 + R / 30);
    let renewal = bench.request().unwrap();
    let sent = bench.now;
    let event = bench.serve(renewal);
    bench.now = bench.now.after(Duration::from_secs(2));
    bench.tell(event);
    assert_eq!(bench.request(), None);
    let authority = sent.after(R);
    assert_eq!(bench.reports, [LeaseReport::Extended { authority }]);
}

#[test]
fn an_answer_that_comes_after_the_end_of_authority_extends_nothing() {
    let mut bench = Bench::leader();
    let end = bench.machine.authority().unwrap();
    bench.pass(R / 3 + R / 30);
    let renewal = bench.request().unwrap();
    let event = bench.serve(renewal);
    bench.now = end;
    bench.tell(event);
    bench.request();
    assert_eq!(bench.lost(), Some("the lease was not renewed in time"));
    assert_eq!(bench.machine.authority(), None);
}

#[test]
fn a_renewal_in_doubt_extends_authority_only_if_the_lease_shows_that_very_one() {
    for landed in [true, false] {
        let mut bench = Bench::leader();
        let before = bench.machine.authority().unwrap();
        bench.pass(R / 3 + R / 30);
        let renewal = bench.request().unwrap();
        let sent = bench.now;
        let LeaseEffect::Write {
            request, record, ..
        } = renewal
        else {
            panic!("a renewal");
        };
        let wall = bench.wall();
        if landed {
            bench.put(record);
        }
        bench.now = bench.now.after(Duration::from_secs(1));
        let outcome = LeaseWriting::Ambiguous("timeout".to_owned());
        bench.tell(LeaseEvent::LeaseWritten {
            request,
            sent,
            wall,
            outcome,
        });
        let read = bench.request().unwrap();
        assert!(matches!(read, LeaseEffect::Read { .. }));
        bench.answer(read);
        let next = bench.request();
        if landed {
            assert_eq!(next, None);
            assert_eq!(bench.machine.authority(), Some(sent.after(R)));
        } else {
            assert!(matches!(next, Some(LeaseEffect::Write { .. })));
            assert_eq!(bench.machine.authority(), Some(before));
        }
    }
}

#[test]
fn a_holder_that_reads_another_name_or_process_or_nothing_stops_in_the_same_step() {
    for (foreign, words) in [
        (Some(("other", Some(OTHER))), "held by other"),
        (
            Some(("me", Some(OTHER))),
            "another process of the same name",
        ),
        (Some(("me", None)), "another coordinator of the same name"),
        (Some(("", None)), "released by somebody else"),
        (None, "deleted"),
    ] {
        let mut bench = Bench::leader();
        match foreign {
            Some((holder, process)) => {
                let record = bench.foreign(holder, process);
                bench.put(record);
            }
            None => bench.object = None,
        }
        bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
        let read = bench.request().unwrap();
        bench.answer(read);
        assert_eq!(bench.request(), None);
        let lost = bench.lost().unwrap();
        assert!(lost.contains(words), "{lost}");
        assert_eq!(bench.machine.authority(), None);
    }
}

#[test]
fn what_a_watch_shows_of_the_past_costs_a_holder_a_read_and_not_the_office() {
    let mut bench = Bench::leader();
    let old = Lease {
        version: Version::new("0"),
        record: bench.foreign("other", Some(OTHER)),
    };
    bench.tell(LeaseEvent::LeaseObserved(Some(old)));
    let read = bench.request().unwrap();
    bench.answer(read);
    assert_eq!((bench.request(), bench.lost()), (None, None));
    assert!(bench.machine.authority().is_some());
}

#[test]
fn a_refused_renewal_is_followed_by_a_read_and_another_renewal() {
    let mut bench = Bench::leader();
    // Somebody has touched an annotation.
    bench.put(bench.record().clone());
    bench.pass(R / 3 + R / 30);
    let renewal = bench.request().unwrap();
    bench.answer(renewal);
    let read = bench.request().unwrap();
    assert!(matches!(read, LeaseEffect::Read { .. }));
    bench.answer(read);
    let renewal = bench.request().unwrap();
    bench.answer(renewal);
    bench.request();
    assert!(matches!(bench.reports[..], [LeaseReport::Extended { .. }]));
}

#[test]
fn an_outage_shorter_than_authority_costs_no_office_and_a_longer_one_does() {
    let mut bench = Bench::leader();
    let end = bench.machine.authority().unwrap();
    while bench.machine.authority().is_some() {
        let (at, _) = bench.machine.poll_deadline().unwrap();
        assert!(at <= end, "it does not sleep past its authority");
        bench.now = bench.now.max(at);
        bench.tell(LeaseEvent::TimePassed);
        while let Some(effect) = bench.request() {
            let event = Bench::unavailable(&effect);
            bench.tell(event);
        }
    }
    assert_eq!(bench.now, end);
    assert_eq!(bench.lost(), Some("the lease was not renewed in time"));
}

#[test]
fn a_candidate_waits_a_full_lease_from_the_first_sight_of_a_record() {
    let mut bench = Bench::new();
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record);
    bench.tell(LeaseEvent::CampaignRequested);
    let first_sight = bench.now;
    loop {
        match bench.request() {
            Some(bid @ LeaseEffect::Write { .. }) => {
                let waited = bench.now.since(first_sight);
                assert!(waited >= L && waited <= L + Duration::from_millis(50));
                bench.answer(bid);
                break;
            }
            Some(read) => bench.answer(read),
            None => {
                let (at, _) = bench.machine.poll_deadline().unwrap();
                bench.now = at;
                bench.tell(LeaseEvent::TimePassed);
            }
        }
    }
    bench.request();
    assert_eq!(bench.record().transitions, 4);
    assert!(bench.machine.authority().is_some());
}

#[test]
fn a_record_that_is_renewed_begins_anew_and_one_whose_version_alone_changes_does_not() {
    let mut bench = Bench::new();
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record);
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    bench.pass(Duration::from_secs(9));
    bench.settle();
    // An annotation that is not ours: another version, the same record.
    let same = bench.record().clone();
    bench.put(same);
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    bench.settle();
    bench.pass(Duration::from_millis(6_100));
    bench.settle();
    assert!(bench.machine.authority().is_some(), "15 s have passed");

    let mut bench = Bench::new();
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record.clone());
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    bench.pass(Duration::from_secs(9));
    bench.settle();
    bench.put(LeaseRecord {
        renewed: None,
        ..record
    });
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    bench.settle();
    bench.pass(Duration::from_millis(6_100));
    bench.settle();
    assert_eq!(bench.machine.authority(), None, "it was renewed 6 s ago");
}

#[test]
fn a_released_lease_is_bid_for_at_once() {
    let mut bench = Bench::new();
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record.clone());
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    assert_eq!(bench.machine.authority(), None);
    bench.put(LeaseRecord {
        holder: "".into(),
        process: None,
        ..record
    });
    let released = bench.now;
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    bench.settle();
    assert!(bench.machine.authority().is_some());
    assert!(bench.now.since(released) <= LeaseTiming::DEFAULT.bid_jitter);
}

#[test]
fn a_process_restarted_in_the_same_pod_takes_its_own_lease_at_once_and_in_another_it_waits() {
    for (pod, at_once) in [("pod-1", true), ("pod-9", false)] {
        let mut bench = Bench::new();
        let record = LeaseRecord {
            pod: Some(pod.into()),
            ..bench.foreign("me", Some(OTHER))
        };
        bench.put(record);
        bench.tell(LeaseEvent::CampaignRequested);
        bench.settle();
        assert_eq!(bench.machine.authority().is_some(), at_once, "{pod}");
    }
}

#[test]
fn the_own_name_without_a_pod_is_waited_for() {
    let mut bench = Bench::with(|options| options.pod = None);
    let record = LeaseRecord {
        pod: None,
        ..bench.foreign("me", Some(OTHER))
    };
    bench.put(record);
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    assert_eq!(bench.machine.authority(), None);
}

#[test]
fn a_missing_lease_beside_a_document_is_waited_for() {
    let mut bench = Bench::new();
    bench.tell(LeaseEvent::CampaignRequested);
    let absent = |request| LeaseEvent::LeaseRead {
        request,
        outcome: LeaseReading::Absent {
            beside_a_document: true,
        },
    };
    let first_sight = bench.now;
    loop {
        match bench.request() {
            Some(LeaseEffect::Read { request, .. }) => bench.tell(absent(request)),
            Some(LeaseEffect::Write { expected, .. }) => {
                assert_eq!(expected, None);
                assert!(bench.now.since(first_sight) >= L);
                return;
            }
            Some(LeaseEffect::Report(_)) | None => {
                let (at, _) = bench.machine.poll_deadline().unwrap();
                bench.now = at;
                bench.tell(LeaseEvent::TimePassed);
            }
        }
    }
}

#[test]
fn a_closed_office_renews_nothing_and_gives_back_only_when_it_is_told_to() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    bench.pass(R);
    assert_eq!(bench.request(), None);
    assert_eq!(bench.machine.poll_deadline(), None);
    bench.tell(LeaseEvent::ReleaseRequested);
    bench.settle();
    assert_eq!(
        bench.reports,
        [
            LeaseReport::HolderChanged { holder: "".into() },
            LeaseReport::Released { given_back: true }
        ]
    );
    let record = bench.record();
    assert_eq!((&*record.holder, record.process), ("", None));
    assert_eq!(record.duration, Duration::from_secs(1));
}

#[test]
fn a_renewal_that_lands_while_the_office_closes_does_not_stop_the_release() {
    let mut bench = Bench::leader();
    bench.pass(R / 3 + R / 30);
    let renewal = bench.request().unwrap();
    bench.tell(LeaseEvent::OfficeClosed);
    bench.tell(LeaseEvent::ReleaseRequested);
    assert_eq!(bench.request(), None, "one request at a time");
    bench.answer(renewal);
    bench.settle();
    assert_eq!(&*bench.record().holder, "");
}

#[test]
fn a_release_in_doubt_is_looked_after_and_never_takes_the_lease_from_another() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    // Somebody touches the lease first.
    bench.put(bench.record().clone());
    bench.tell(LeaseEvent::ReleaseRequested);
    bench.settle();
    assert_eq!(&*bench.record().holder, "");

    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record);
    bench.tell(LeaseEvent::ReleaseRequested);
    bench.settle();
    assert_eq!(&*bench.record().holder, "other");
    let released = LeaseReport::Released { given_back: false };
    assert_eq!(bench.reports.last(), Some(&released));
}

#[test]
fn what_a_watch_shows_of_the_past_does_not_stop_the_release() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    let record = bench.foreign("other", Some(OTHER));
    let version = Version::new("0");
    bench.tell(LeaseEvent::LeaseObserved(Some(Lease { version, record })));
    bench.tell(LeaseEvent::ReleaseRequested);
    bench.settle();
    assert_eq!(&*bench.record().holder, "");
}

#[test]
fn a_release_that_can_not_be_made_is_given_up_after_the_drain_time() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    let began = bench.now;
    bench.tell(LeaseEvent::ReleaseRequested);
    while !bench
        .reports
        .contains(&LeaseReport::Released { given_back: false })
    {
        while let Some(effect) = bench.request() {
            let event = Bench::unavailable(&effect);
            bench.tell(event);
        }
        if let Some((at, reason)) = bench.machine.poll_deadline() {
            assert_eq!(reason, LeaseReason::Release);
            bench.now = bench.now.max(at);
            bench.tell(LeaseEvent::TimePassed);
        }
    }
    assert_eq!(bench.now.since(began), LeaseTiming::DEFAULT.drain);
}

#[test]
fn a_release_is_given_up_in_time_even_while_an_answer_is_awaited() {
    let mut bench = Bench::leader();
    bench.pass(R / 3 + R / 30);
    let renewal = bench.request().unwrap();
    bench.tell(LeaseEvent::OfficeClosed);
    bench.tell(LeaseEvent::ReleaseRequested);
    let (until, _) = bench.machine.poll_deadline().unwrap();
    assert_eq!(until.since(bench.now), LeaseTiming::DEFAULT.drain);
    bench.pass(LeaseTiming::DEFAULT.drain);
    assert_eq!(bench.request(), None);
    let released = LeaseReport::Released { given_back: false };
    assert_eq!(bench.reports, [released]);
    assert_eq!(bench.machine.poll_deadline(), None, "it does not spin");
    bench.answer(renewal);
    assert_eq!(bench.request(), None);
}

#[test]
fn releasing_what_was_never_held_asks_for_nothing() {
    let mut bench = Bench::new();
    bench.tell(LeaseEvent::ReleaseRequested);
    assert_eq!(bench.request(), None);
    let released = LeaseReport::Released { given_back: false };
    assert_eq!(bench.reports, [released]);
}

#[test]
fn a_bid_that_lands_after_its_campaign_has_ended_is_given_back() {
    let mut bench = Bench::new();
    bench.tell(LeaseEvent::CampaignRequested);
    let read = bench.request().unwrap();
    bench.answer(read);
    let bid = bench.request_when_due().unwrap();
    bench.tell(LeaseEvent::OfficeClosed);
    bench.answer(bid);
    bench.settle();
    assert_eq!(&*bench.record().holder, "");
    assert!(
        !bench
            .reports
            .iter()
            .any(|it| matches!(it, LeaseReport::Won { .. }))
    );
}

#[test]
fn a_late_bid_of_our_own_is_noticed_and_bid_again() {
    let mut bench = Bench::new();
    let vacant = bench.foreign("", None);
    bench.put(vacant);
    bench.tell(LeaseEvent::CampaignRequested);
    let read = bench.request().unwrap();
    bench.answer(read);
    let Some(LeaseEffect::Write {
        request, record, ..
    }) = bench.request_when_due()
    else {
        panic!("a bid");
    };
    let (sent, wall) = (bench.now, bench.wall());
    bench.tell(LeaseEvent::LeaseWritten {
        request,
        sent,
        wall,
        outcome: LeaseWriting::Ambiguous("timeout".to_owned()),
    });
    bench.put(record);
    bench.now = bench.now.after(R);
    bench.settle();
    let authority = bench.machine.authority().unwrap();
    assert!(
        authority.since(bench.now) > R / 2,
        "counted from the new bid"
    );
}

#[test]
fn a_lease_of_our_own_making_that_nobody_has_heard_of_is_waited_for() {
    let mut bench = Bench::new();
    bench.tell(LeaseEvent::CampaignRequested);
    let read = bench.request().unwrap();
    bench.answer(read);
    let Some(LeaseEffect::Write {
        request, record, ..
    }) = bench.request_when_due()
    else {
        panic!("a bid");
    };
    let (sent, wall) = (bench.now, bench.wall());
    bench.tell(LeaseEvent::LeaseWritten {
        request,
        sent,
        wall,
        outcome: LeaseWriting::Ambiguous("timeout".to_owned()),
    });
    // Another makes it and leads; it is deleted, and only then ours comes about.
    let other = bench.foreign("other", Some(OTHER));
    bench.put(other);
    bench.settle();
    bench.put(record);
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    bench.settle();
    assert_eq!(
        bench.machine.authority(),
        None,
        "the other may not know it yet"
    );
    bench.pass(L);
    bench.settle();
    assert!(bench.machine.authority().is_some());
}

#[test]
fn a_hand_over_is_a_loss_and_names_the_successor_in_the_release() {
    let mut bench = Bench::leader();
    let record = LeaseRecord {
        transfer_requested: Some("other".into()),
        ..bench.record().clone()
    };
    bench.put(record);
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    bench.settle();
    assert!(bench.lost().unwrap().contains("other"));
    bench.tell(LeaseEvent::OfficeClosed);
    bench.tell(LeaseEvent::ReleaseRequested);
    bench.settle();
    let record = bench.record();
    assert_eq!((&*record.holder, &record.transfer_requested), ("", &None));
    assert_eq!(record.transfer_to.as_deref(), Some("other"));
    // The old leader lets the other one go first.
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    bench.pass(Duration::from_secs(3));
    bench.settle();
    assert_eq!(bench.machine.authority(), None);
    bench.pass(Duration::from_secs(3));
    bench.settle();
    assert!(bench.machine.authority().is_some(), "nobody came");
}

#[test]
fn the_named_successor_bids_at_once() {
    let mut bench = Bench::new();
    let record = LeaseRecord {
        transfer_to: Some("me".into()),
        ..bench.foreign("", None)
    };
    bench.put(record);
    bench.tell(LeaseEvent::CampaignRequested);
    let began = bench.now;
    let read = bench.request().unwrap();
    bench.answer(read);
    let bid = bench.request().unwrap();
    bench.answer(bid);
    assert_eq!(bench.now, began);
    assert_eq!(bench.record().transfer_to, None);
}

#[test]
fn a_hand_over_to_oneself_changes_nothing() {
    let mut bench = Bench::leader();
    let record = LeaseRecord {
        transfer_requested: Some("me".into()),
        ..bench.record().clone()
    };
    bench.put(record);
    bench.pass(R / 3 + R / 30);
    bench.settle();
    assert_eq!(bench.lost(), None);
    assert_eq!(bench.record().transfer_requested, None);
}

#[test]
fn the_epoch_is_written_with_the_next_renewal_and_kept_by_the_release() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::EpochRaised(Epoch(7)));
    bench.settle();
    assert_eq!(bench.record().epoch, Epoch(7));
    bench.tell(LeaseEvent::EpochRaised(Epoch(6)));
    assert_eq!(bench.request(), None, "it never goes back");
    bench.tell(LeaseEvent::OfficeClosed);
    bench.tell(LeaseEvent::ReleaseRequested);
    bench.settle();
    assert_eq!(bench.record().epoch, Epoch(7));
}

#[test]
fn the_epoch_of_the_last_holder_is_kept_by_the_next() {
    let mut bench = Bench::new();
    let record = LeaseRecord {
        epoch: Epoch(41),
        ..bench.foreign("", None)
    };
    bench.put(record);
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    assert_eq!(
        (bench.record().epoch, bench.machine.epoch()),
        (Epoch(41), Epoch(41))
    );
}

#[test]
fn a_candidate_hears_of_the_holder_and_of_its_change() {
    let mut bench = Bench::new();
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record.clone());
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    bench.put(record.clone());
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    bench.put(LeaseRecord {
        holder: "third".into(),
        ..record
    });
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    bench.request();
    let holders: Vec<_> = bench
        .reports
        .iter()
        .filter_map(|report| match report {
            LeaseReport::HolderChanged { holder } => Some(&**holder),
            _ => None,
        })
        .collect();
    assert_eq!(holders, ["other", "third"]);
    assert_eq!(
        bench.machine.holder().map(|holder| &**holder),
        Some("third")
    );
}

#[test]
fn a_watch_that_talks_spares_the_polling() {
    let mut bench = Bench::new();
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record.clone());
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    let mut reads = 0;
    for _ in 0..1_000 {
        bench.pass(Duration::from_secs(3));
        bench.put(record.clone());
        bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
        while let Some(effect) = bench.request() {
            reads += 1;
            bench.answer(effect);
        }
    }
    assert!(reads <= 1, "{reads}");
}

#[test]
fn whoever_loses_often_lets_others_go_first_where_another_is_there() {
    for another in [true, false] {
        let mut bench = Bench::new();
        if another {
            let record = bench.foreign("other", Some(OTHER));
            bench.tell(LeaseEvent::LeaseObserved(Some(Lease {
                version: Version::new("0"),
                record,
            })));
        }
        for _ in 0..4 {
            bench.tell(LeaseEvent::CampaignRequested);
            bench.settle();
            assert!(bench.machine.authority().is_some());
            bench.tell(LeaseEvent::OfficeClosed);
            bench.tell(LeaseEvent::ReleaseRequested);
            bench.settle();
        }
        bench.tell(LeaseEvent::CampaignRequested);
        bench.settle();
        assert_eq!(bench.machine.authority().is_none(), another);
        let wait = LeaseTiming::DEFAULT.reserved();
        let cooling = LeaseReport::CoolingDown { wait };
        assert_eq!(bench.reports.contains(&cooling), another);
    }
}

#[test]
fn an_answer_to_an_unknown_request_changes_nothing() {
    let mut bench = Bench::leader();
    let before = bench.machine.authority();
    for request in [RequestId(0), RequestId(u64::MAX)] {
        bench.tell(LeaseEvent::LeaseRead {
            request,
            outcome: LeaseReading::Absent {
                beside_a_document: true,
            },
        });
        bench.tell(LeaseEvent::LeaseWritten {
            request,
            sent: bench.now.after(R),
            wall: WallTime(0),
            outcome: LeaseWriting::Written(Version::new("99")),
        });
    }
    assert_eq!((bench.request(), bench.machine.authority()), (None, before));
}

/// How many requests are made within `duration`, if each is answered at once: reads as from a
/// healthy store, writes with an answer that leaves them in doubt, and are never applied.
fn requests_while_writes_are_in_doubt(bench: &mut Bench, duration: Duration) -> usize {
    let until = bench.now.after(duration);
    let mut count = 0;
    while count < 1_000 {
        let Some(effect) = bench.request() else {
            let Some((at, _)) = bench.machine.poll_deadline() else {
                break;
            };
            if at > until {
                break;
            }
            bench.now = bench.now.max(at);
            bench.tell(LeaseEvent::TimePassed);
            continue;
        };
        count += 1;
        // A round trip takes a millisecond.
        bench.now = bench.now.after(Duration::from_millis(1));
        let event = match effect {
            LeaseEffect::Write { request, .. } => LeaseEvent::LeaseWritten {
                request,
                sent: bench.now,
                wall: bench.wall(),
                outcome: LeaseWriting::Ambiguous("HTTP 500: etcdserver: no space".to_owned()),
            },
            read => bench.serve(read),
        };
        bench.tell(event);
        if bench.now >= until {
            break;
        }
    }
    count
}

#[test]
fn a_candidate_whose_bids_stay_in_doubt_does_not_ask_as_fast_as_it_can() {
    let mut bench = Bench::new();
    bench.tell(LeaseEvent::CampaignRequested);
    let count = requests_while_writes_are_in_doubt(&mut bench, Duration::from_secs(1));
    assert!(
        count <= 40,
        "{count} requests within a second; reports: {:?}",
        bench.reports
    );
}

#[test]
fn a_holder_whose_renewals_stay_in_doubt_does_not_ask_as_fast_as_it_can() {
    let mut bench = Bench::leader();
    bench.pass(R / 2);
    let count = requests_while_writes_are_in_doubt(&mut bench, Duration::from_secs(1));
    assert!(
        count <= 40,
        "{count} requests within a second; reports: {:?}",
        bench.reports
    );
}

#[test]
fn a_leaver_whose_release_stays_in_doubt_does_not_ask_as_fast_as_it_can() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    bench.tell(LeaseEvent::ReleaseRequested);
    let count = requests_while_writes_are_in_doubt(&mut bench, Duration::from_secs(1));
    assert!(
        count <= 40,
        "{count} requests within a second; reports: {:?}",
        bench.reports
    );
}

#[test]
fn a_request_to_hand_over_does_not_make_a_dead_holder_look_alive() {
    let mut bench = Bench::new();
    bench.put(bench.foreign("other", Some(OTHER)));
    bench.tell(LeaseEvent::CampaignRequested);
    bench.settle();
    bench.pass(L - Duration::from_secs(2));
    bench.settle();
    // `stepdown transfer`, put to a leader that is dead.
    let lease = bench.object.as_mut().unwrap();
    lease.record.transfer_requested = Some("me".into());
    lease.version = Version::new("100");
    bench.version = 100;
    let seen = bench.object.clone();
    bench.tell(LeaseEvent::LeaseObserved(seen));
    bench.pass(Duration::from_secs(3));
    bench.settle();
    assert_eq!(&*bench.record().holder, "me");
}

#[test]
fn a_campaign_that_is_closed_while_a_release_goes_on_does_not_begin_after_it() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    bench.tell(LeaseEvent::ReleaseRequested);
    let release = bench.request().unwrap();
    bench.tell(LeaseEvent::CampaignRequested);
    bench.tell(LeaseEvent::OfficeClosed);
    bench.answer(release);
    bench.settle();
    assert_eq!(&*bench.record().holder, "", "nobody wants to lead");
}

#[test]
fn an_epoch_that_is_raised_while_a_renewal_is_under_way_is_written_at_once() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::EpochRaised(Epoch(4)));
    let renewal = bench.request().unwrap();
    bench.tell(LeaseEvent::EpochRaised(Epoch(5)));
    bench.answer(renewal);
    bench.settle();
    assert_eq!(bench.record().epoch, Epoch(5));
}

#[test]
fn a_request_to_hand_over_that_comes_while_the_office_closes_names_the_successor() {
    let mut bench = Bench::leader();
    bench.tell(LeaseEvent::OfficeClosed);
    let lease = bench.object.as_mut().unwrap();
    lease.record.transfer_requested = Some("other".into());
    lease.version = Version::new("100");
    bench.version = 100;
    bench.tell(LeaseEvent::ReleaseRequested);
    bench.settle();
    assert_eq!(bench.record().transfer_to.as_deref(), Some("other"));
}
