//! When a candidate bids, and what it waits for.

use std::time::Duration;

use super::bench::{Bench, L, ME, OTHER, R};
use crate::id::{Epoch, Version};
use crate::lease::{
    Lease, LeaseEffect, LeaseEvent, LeaseReading, LeaseRecord, LeaseReport, LeaseTiming,
    LeaseWriting,
};

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

    let (mut bench, record) = Bench::beside_another();
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
    let (mut bench, record) = Bench::beside_another();
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
    let (mut bench, record) = Bench::beside_another();
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
    let (mut bench, record) = Bench::beside_another();
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
fn what_a_watch_shows_of_the_past_does_not_put_off_a_bid_without_a_look() {
    let (mut bench, record) = Bench::beside_another();
    let late = bench.object.clone();
    let vacant = LeaseRecord {
        holder: "".into(),
        process: None,
        duration: Duration::from_secs(1),
        ..record
    };
    bench.put(vacant);
    bench.tell(LeaseEvent::LeaseHinted);
    let read = bench.request().unwrap();
    bench.answer(read);
    bench.tell(LeaseEvent::LeaseObserved(late));
    bench.settle();
    assert!(bench.machine.authority().is_some());
}

#[test]
fn what_is_known_already_is_no_sign_of_life() {
    let (mut bench, record) = Bench::beside_another();
    bench.put(record);
    for _ in 0..3 {
        assert_eq!(bench.request(), None);
        bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
        bench.pass(Duration::from_secs(3));
    }
    assert!(matches!(bench.request(), Some(LeaseEffect::Read { .. })));
}

#[test]
fn an_older_renewal_of_the_same_holder_is_not_taken_for_a_sign_of_life() {
    let (mut bench, record) = Bench::beside_another();
    let late = bench.object.clone();
    bench.pass(Duration::from_secs(1));
    bench.put(record);
    bench.tell(LeaseEvent::LeaseObserved(bench.object.clone()));
    assert_eq!(bench.request(), None, "a renewal");
    bench.tell(LeaseEvent::LeaseObserved(late));
    assert!(matches!(bench.request(), Some(LeaseEffect::Read { .. })));
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
