//! How the lease is given back.

use std::time::Duration;

use super::bench::{Bench, OTHER, R};
use crate::id::Version;
use crate::lease::{Lease, LeaseEvent, LeaseReason, LeaseReport, LeaseTiming};

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
