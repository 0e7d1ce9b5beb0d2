//! How often a store is asked whose writes stay in doubt.

use std::time::Duration;

use super::bench::{Bench, R};
use crate::lease::{LeaseEffect, LeaseEvent, LeaseWriting};

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
