//! Every shard's leader is verified now and then, a few shards at a time.

use std::time::Duration;

use super::documents::{configuration, led_by, status};
use super::{Opened, START};
use crate::cluster::ClusterStatus;
use crate::id::ShardId;

/// So many shards, all of them led, a few swept at a time.
fn steady(shards: usize, at_a_time: usize) -> Opened {
    let stored = status(vec![led_by(&["s1"]); shards]);
    let wanted = configuration(&[("n", 1)], &["s1"]);
    let mut opened = Opened::on(stored, Some(&wanted));
    opened.context.timing.sweep_shards = at_a_time;
    opened.answer_calls();
    opened.observe("s1", true);
    opened.answer_calls();
    assert_eq!(opened.office.steady(), (shards, shards));
    opened
}

/// Which shards were asked for when, in milliseconds after the start.
fn sweeps(opened: &mut Opened, millis: u64) -> Vec<(u64, String)> {
    let mut sweeps: Vec<(u64, String)> = Vec::new();
    for (at, words) in opened.run_for(millis) {
        let Some(shard) = words.strip_prefix("s1 GetStatus of ") else {
            continue;
        };
        match sweeps.last_mut() {
            Some((last, shards)) if *last == at => *shards += &format!(" {shard}"),
            _ => sweeps.push((at, shard.to_owned())),
        }
    }
    sweeps
}

#[test]
fn every_shard_is_reached_step_by_step_and_after_a_pause_all_over() {
    // Shards, how many at a time, and the steps from a lease after the start on; the last step
    // finds nothing left.
    let table: [(usize, usize, &[&str]); 5] = [
        (5, 2, &["0 1", "2 3", "4"]),
        (4, 2, &["0 1", "2 3"]),
        (3, 1, &["0", "1", "2"]),
        (3, 64, &["0 1 2"]),
        (1, 1, &["0"]),
    ];
    for (shards, at_a_time, steps) in table {
        let mut expected = Vec::new();
        let mut at = 15_000;
        for _ in 0..3 {
            for step in steps {
                expected.push((at, (*step).to_owned()));
                at += 50;
            }
            at += 300_000;
        }
        let mut opened = steady(shards, at_a_time);
        let found = sweeps(&mut opened, 700_000);
        assert_eq!(found, expected, "{shards} shards, {at_a_time} at a time");
    }
}

#[test]
fn a_sweep_goes_on_behind_the_last_shard_though_that_is_gone() {
    let mut opened = steady(5, 2);
    sweeps(&mut opened, 14_000);
    opened.office.shards.remove(&ShardId(1));
    let rest = [(15_050, "2 3".to_owned()), (15_100, "4".to_owned())];
    assert_eq!(sweeps(&mut opened, 1_000), rest);
}

#[test]
fn an_empty_office_has_the_deadlines_of_patience_of_a_lease_and_of_its_pauses() {
    let mut opened = Opened::on(ClusterStatus::default(), None);
    let mut deadlines = Vec::new();
    for _ in 0..6 {
        let at = opened.office.deadline().unwrap();
        deadlines.push(at.since(START));
        opened.context.now = at;
        opened.office.time_passed(&mut opened.context);
        assert_eq!(opened.drain(), [""; 0]);
    }
    // Patience; a lease, for assignments and the sweep; then each minute twice, as there is
    // nothing to tell anybody yet; and a look at whether anything is to be moved each half minute.
    assert_eq!(deadlines, [5, 15, 35, 65, 75, 95].map(Duration::from_secs));
}
