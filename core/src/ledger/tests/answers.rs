//! Every answer of the store, and what follows from it.

use std::time::Duration;

use super::{Desk, ambiguous, head, is_over, stored, table, too_large, words};
use crate::store::StoreOutcome;

/// The flight holds a change of the shards 0 and 1, and one that grows the namespace `new` with
/// the shard 9. A doubtful one was tried before, and may have been applied then; what was asked of
/// a data server meanwhile is `early`. A later change of shard 0 waits. What comes out: at once,
/// of what is asked of a data server next, of the ledger's work then, and of that at its deadline.
/// `over` is the tenure.
const TABLE: &str = "
outcome          | doubtful | later | grows | conclusion                          | at once              | calls | then                  | deadline | at deadline | accepted
stored           | no       | no    | no    | accepted 0=first 1=second           | tell Stored          | sent  | -                     | 3s       | read        | sent at v3
stored           | no       | no    | yes   | accepted 0=first 1=second 9=created | tell Stored          | sent  | -                     | 3s       | read        | sent at v3
stored           | no       | yes   | no    | accepted 0= 1=second                | tell Stored          | sent  | store [n] over v3     | -        | -           | sent at v3
stored           | no       | yes   | yes   | accepted 0= 1=second 9=created      | tell Stored          | sent  | store [n new] over v3 | -        | -           | sent at v3
stored           | yes      | no    | no    | accepted 0=first 1=second           | tell Stored, early   | sent  | -                     | 3s       | read        | sent at v3
stored           | yes      | no    | yes   | accepted 0=first 1=second 9=created | tell Stored, early   | sent  | -                     | 3s       | read        | sent at v3
stored           | yes      | yes   | no    | accepted 0= 1=second                | tell Stored, early   | sent  | store [n] over v3     | -        | -           | sent at v3
stored           | yes      | yes   | yes   | accepted 0= 1=second 9=created      | tell Stored, early   | sent  | store [n new] over v3 | -        | -           | sent at v3
ambiguous        | *        | *     | *     | -                                   | tell Ambiguous, read | held  | -                     | -        | -           | before
conflict         | no       | *     | *     | conflict: v8                        | tell Conflict        | over  | over                  | over     | over        | before
conflict         | yes      | *     | *     | -                                   | tell Ambiguous, read | held  | -                     | -        | -           | before
corrupt          | *        | *     | *     | refused: no YAML                    | tell Corrupt         | over  | over                  | over     | over        | before
invalid          | no       | *     | no    | refused: bad name                   | tell Invalid         | over  | over                  | over     | over        | before
invalid          | no       | *     | yes   | rejected new: bad name              | tell Invalid         | sent  | store [n] over v2     | -        | -           | before
invalid          | yes      | *     | *     | refused: bad name                   | tell Invalid         | over  | over                  | over     | over        | before
forbidden        | no       | *     | *     | -                                   | tell Forbidden       | sent  | -                     | 5s       | store same  | before
forbidden        | yes      | *     | *     | -                                   | tell Forbidden       | held  | -                     | 5s       | store same  | before
too large        | no       | *     | no    | -                                   | tell TooLarge        | sent  | -                     | 5s       | store same  | before
too large        | no       | *     | yes   | rejected new: 2 MiB                 | tell TooLarge        | sent  | store [n] over v2     | -        | -           | before
too large        | yes      | *     | no    | -                                   | tell TooLarge        | held  | -                     | 5s       | store same  | before
too large        | yes      | *     | yes   | refused: 2 MiB                      | tell TooLarge        | over  | over                  | over     | over        | before
unavailable      | no       | *     | *     | -                                   | tell Unavailable     | sent  | -                     | 100ms±50 | store same  | before
unavailable      | yes      | *     | *     | -                                   | tell Unavailable     | held  | -                     | 100ms±50 | store same  | before
unavailable long | no       | *     | *     | -                                   | tell Unavailable     | sent  | -                     | 30s      | store same  | before
unavailable long | yes      | *     | *     | -                                   | tell Unavailable     | held  | -                     | 30s      | store same  | before
";

const OUTCOMES: [&str; 9] = [
    "ambiguous",
    "conflict",
    "corrupt",
    "forbidden",
    "invalid",
    "stored",
    "too large",
    "unavailable",
    "unavailable long",
];

#[test]
fn every_answer_of_the_store_has_one_meaning() {
    let either: &[&str] = &["no", "yes"];
    let given = [
        ("outcome", &OUTCOMES[..]),
        ("doubtful", either),
        ("later", either),
        ("grows", either),
    ];
    table::check(TABLE, &given, |given| {
        let [outcome, doubtful, later, grows] = given else {
            panic!("{given:?}")
        };
        conclude(
            &answer(outcome),
            *doubtful == "yes",
            *later == "yes",
            *grows == "yes",
        )
    });
}

fn conclude(outcome: &StoreOutcome, doubtful: bool, later: bool, grows: bool) -> Vec<String> {
    let mut desk = Desk::quiet();
    let before = desk.ledger.accepted().clone();
    desk.change(0, "first");
    desk.change(1, "second");
    if grows {
        desk.admit("new", &[(9, "created")]);
    }
    desk.work();
    let sent = desk.store.clone().unwrap();
    if doubtful {
        desk.answer(ambiguous());
        desk.drain();
        desk.call("early");
        desk.answer_read(head("v2", None));
        assert_eq!(desk.drain(), "store same");
    }
    desk.pass(1_000);
    if later {
        desk.change(0, "later");
    }

    let conclusion = desk.answer(outcome.clone());
    let at_once = desk.drain();
    let accepted = desk.ledger.accepted();
    let accepted = if *accepted == sent.document.status {
        format!("sent at {}", desk.ledger.version.clone().unwrap())
    } else {
        assert_eq!(
            (accepted, desk.ledger.version.as_ref()),
            (&before, sent.expected.as_ref())
        );
        "before".to_owned()
    };
    let mut found = vec![words(&conclusion), at_once];
    if is_over(&conclusion) {
        found.extend(std::iter::repeat_n("over".to_owned(), 4));
    } else {
        found.push(desk.calls());
        found.push(desk.work());
        found.push(desk.deadline());
        found.push(desk.work_at_deadline());
    }
    found.push(accepted);
    found
}

pub(super) fn answer(outcome: &str) -> StoreOutcome {
    let unavailable = |seconds| StoreOutcome::Unavailable {
        after: Duration::from_secs(seconds),
        reason: "busy".to_owned(),
    };
    match outcome {
        "ambiguous" => ambiguous(),
        "conflict" => StoreOutcome::Conflict("v8".to_owned()),
        "corrupt" => StoreOutcome::Corrupt("no YAML".to_owned()),
        "forbidden" => StoreOutcome::Forbidden("by a role".to_owned()),
        "invalid" => StoreOutcome::Invalid("bad name".to_owned()),
        "stored" => stored("v3"),
        "too large" => too_large(),
        "unavailable" => unavailable(0),
        "unavailable long" => unavailable(30),
        other => panic!("{other}"),
    }
}

/// All of them.
pub(super) fn every_answer() -> Vec<StoreOutcome> {
    OUTCOMES.iter().map(|outcome| answer(outcome)).collect()
}

#[test]
fn a_store_that_keeps_being_refused_waits_longer_and_longer_until_one_is_accepted() {
    let mut desk = Desk::quiet();
    let wait = |desk: &mut Desk| {
        desk.answer(answer("unavailable"));
        let at = desk.ledger.deadline(&desk.context.timing).unwrap();
        let wait = at.since(desk.context.now);
        assert!(desk.work_at_deadline().ends_with("store same"));
        wait
    };
    desk.change(0, "first");
    desk.work();
    let waits: Vec<Duration> = (0..20).map(|_| wait(&mut desk)).collect();
    assert!(waits[0] <= Duration::from_millis(150), "{waits:?}");
    assert!(waits[19] >= Duration::from_millis(2_500), "{waits:?}");
    desk.answer(stored("v3"));
    desk.change(0, "next");
    desk.pass(1_000);
    desk.work();
    assert!(wait(&mut desk) <= Duration::from_millis(150));
}

#[test]
fn what_is_told_of_a_store_counts_its_changes_and_the_time_since_its_first_try() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    desk.change(1, "second");
    desk.work();
    desk.answer(answer("unavailable long"));
    desk.work_at_deadline();
    desk.pass(7);
    desk.answer(stored("v3"));
    let told = crate::report::Report::StoreConcluded {
        outcome: crate::report::StoreResult::Stored,
        changes: 2,
        took: Duration::from_millis(30_007),
        reason: String::new(),
    };
    let effects: Vec<_> = std::iter::from_fn(|| desk.context.poll_effect()).collect();
    assert_eq!(effects, [crate::effect::Effect::Report(told)]);
}
