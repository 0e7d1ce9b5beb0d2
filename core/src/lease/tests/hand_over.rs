//! How the lease is handed to another, who is named in it.

use std::time::Duration;

use super::bench::{Bench, L, OTHER, R};
use crate::id::Version;
use crate::lease::{LeaseEvent, LeaseRecord};

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
