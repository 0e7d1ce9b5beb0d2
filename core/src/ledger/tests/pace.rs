//! When a store goes: at once after quiet, and no more bytes a second than it may.

use std::time::Duration;

use super::{Desk, stored};

#[test]
fn the_window_between_stores_grows_with_the_document_between_its_bounds() {
    let bytes = Desk::quiet().ledger.bytes;
    // Bytes per second, and the window that follows.
    let table = [
        (u64::MAX, 5),
        (bytes * 1_000, 5),
        (bytes * 100, 10),
        (bytes * 10, 100),
        (bytes * 5, 200),
        (bytes, 200),
        (1, 200),
        (0, 200),
    ];
    let mut wrong = Vec::new();
    for (rate, expected) in table {
        let mut desk = Desk::quiet();
        desk.context.timing.store_bytes_per_second = rate;
        desk.change(0, "first");
        assert_eq!(desk.work(), "store [n] over v2", "the first after quiet");
        let sent = desk.context.now;
        desk.answer(stored("v3"));
        desk.drain();
        desk.change(0, "second");
        let at = desk.ledger.deadline(&desk.context.timing).unwrap();
        if at.since(sent) != Duration::from_millis(expected) {
            wrong.push(format!(
                "{rate} B/s: {:?}, not {expected} ms",
                at.since(sent)
            ));
        }
        desk.context.now = crate::id::Timestamp(at.0 - 1);
        assert_eq!(desk.work(), "-", "{rate} B/s");
        assert_eq!(desk.work_at_deadline(), "store [n] over v3", "{rate} B/s");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bounds_that_contradict_each_other_give_the_longest_window_allowed() {
    let mut desk = Desk::quiet();
    desk.context.timing.window_least = Duration::from_millis(300);
    desk.change(0, "first");
    desk.work();
    let sent = desk.context.now;
    desk.answer(stored("v3"));
    desk.change(0, "second");
    let at = desk.ledger.deadline(&desk.context.timing).unwrap();
    assert_eq!(at.since(sent), desk.context.timing.window_most);
}

#[test]
fn a_window_of_the_document_as_it_will_be_is_waited_for() {
    let mut desk = Desk::quiet();
    desk.context.timing.store_bytes_per_second = desk.ledger.bytes * 100;
    desk.change(0, "first");
    desk.work();
    let sent = desk.context.now;
    desk.answer(stored("v3"));
    desk.admit("new", &[(3, ""), (4, ""), (5, "")]);
    let window = |desk: &Desk| {
        let at = desk.ledger.deadline(&desk.context.timing);
        at.unwrap().since(sent)
    };
    assert!(
        window(&desk) > Duration::from_millis(15),
        "{:?}",
        window(&desk)
    );
    desk.ledger.remove(&"new".into());
    assert_eq!(window(&desk), Duration::from_millis(10));
}

#[test]
fn the_window_counts_from_when_a_store_was_sent_and_not_from_its_answer() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    desk.work();
    desk.change(1, "second");
    desk.pass(5);
    desk.answer(stored("v3"));
    desk.drain();
    assert_eq!(desk.work(), "store [n] over v3");
}

#[test]
fn changes_within_a_window_go_together() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    desk.work();
    desk.answer(stored("v3"));
    desk.drain();
    for shard in 0..3 {
        desk.change(shard, "again");
        desk.pass(1);
        assert_eq!(desk.work(), "-");
    }
    assert_eq!(desk.work_at_deadline(), "store [n] over v3");
    let conclusion = desk.answer(stored("v4"));
    assert_eq!(
        super::words(&conclusion),
        "accepted 0=again 1=again 2=again"
    );
}
