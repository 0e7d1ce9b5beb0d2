//! What a holder does to stay one, and when it stops.

use std::time::Duration;

use super::bench::{Bench, OTHER, R};
use crate::id::{Epoch, RequestId, Version};
use crate::lease::{
    Lease, LeaseEffect, LeaseEvent, LeaseReading, LeaseReport, LeaseWriting, WallTime,
};

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
fn a_renewal_in_doubt_that_says_the_same_time_as_the_one_before_extends_nothing() {
    let mut bench = Bench::leader();
    let before = bench.machine.authority().unwrap();
    let wall = bench.record().renewed.unwrap();
    bench.pass(R / 3 + R / 30);
    let renewal = bench.request().unwrap();
    let LeaseEffect::Write { request, .. } = renewal else {
        panic!("a renewal");
    };
    bench.tell(LeaseEvent::LeaseWritten {
        request,
        sent: bench.now,
        wall,
        outcome: LeaseWriting::Ambiguous("timeout".to_owned()),
    });
    let read = bench.request().unwrap();
    bench.answer(read);
    assert_eq!(bench.machine.authority(), Some(before));
    let again = bench.request();
    assert!(matches!(again, Some(LeaseEffect::Write { .. })));
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
fn whoever_has_lost_authority_by_time_looks_at_once_who_leads() {
    let mut bench = Bench::leader();
    let record = bench.foreign("other", Some(OTHER));
    bench.put(record);
    bench.pass(R);
    assert!(bench.lost().is_none());
    let read = bench.request().unwrap();
    assert!(matches!(read, LeaseEffect::Read { .. }));
    assert_eq!(bench.lost(), Some("the lease was not renewed in time"));
    bench.answer(read);
    assert_eq!(
        bench.machine.holder().map(|holder| &**holder),
        Some("other")
    );
    bench.tell(LeaseEvent::OfficeClosed);
    bench.tell(LeaseEvent::ReleaseRequested);
    assert_eq!(bench.request(), None);
    let given_back = false;
    assert_eq!(
        bench.reports.last(),
        Some(&LeaseReport::Released { given_back })
    );
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
