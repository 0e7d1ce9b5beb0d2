//! Every head of the document, and what follows from it for a store in doubt and for an idle look.

use std::time::Duration;

use super::{Conclusion, Desk, ambiguous, head, is_over, stored, table, words};
use crate::id::{Epoch, ProcessId, RequestId, Version, WriteId};
use crate::store::{Head, HeadOutcome};

/// The flight holds a change of the shards 0 and 1, over `v2` or over nothing, and was tried once
/// or twice. What was asked of a data server meanwhile is `early`. A later change of shard 0 waits.
const IN_DOUBT: &str = "
head             | over    | tried | later | conclusion                              | at once            | calls | then              | deadline | at deadline | accepted
ours             | *       | *     | no    | accepted 0=first 1=second               | tell Stored, early | sent  | -                 | 3s       | read        | v3
ours             | *       | *     | yes   | accepted 0= 1=second                    | tell Stored, early | sent  | store [n] over v3 | -        | -           | v3
ours, damaged    | *       | *     | *     | conflict: the document is at version v3 | tell Conflict      | over  | over              | over     | over        | before
at v2            | v2      | once  | *     | -                                       | store same         | held  | -                 | -        | -           | before
at v2            | v2      | twice | *     | -                                       | -                  | held  | -                 | 100ms±50 | store same  | before
at v2            | nothing | *     | *     | conflict: the document is at version v2 | tell Conflict      | over  | over              | over     | over        | before
at v9            | *       | *     | *     | conflict: the document is at version v9 | tell Conflict      | over  | over              | over     | over        | before
absent           | v2      | *     | *     | conflict: the document was deleted      | tell Conflict      | over  | over              | over     | over        | before
absent           | nothing | once  | *     | -                                       | store same         | held  | -                 | -        | -           | before
absent           | nothing | twice | *     | -                                       | -                  | held  | -                 | 100ms±50 | store same  | before
corrupt          | *       | *     | *     | refused: no YAML                        | tell Corrupt       | over  | over              | over     | over        | before
unavailable      | *       | *     | *     | -                                       | -                  | held  | -                 | 100ms±50 | read        | before
unavailable long | *       | *     | *     | -                                       | -                  | held  | -                 | 30s      | read        | before
";

/// Nothing is in flight, and the document is at `v2`. The look was sent a second ago.
const IDLE: &str = "
head             | conclusion                              | at once | calls | then | deadline
at v2            | -                                       | -       | sent  | -    | 4s
at v2, damaged   | -                                       | -       | sent  | -    | 4s
at v9            | conflict: the document is at version v9 | -       | over  | over | over
absent           | conflict: the document was deleted      | -       | over  | over | over
corrupt          | refused: no YAML                        | -       | over  | over | over
unavailable      | -                                       | -       | sent  | -    | 4s
unavailable long | -                                       | -       | sent  | -    | 4s
";

const HEADS: [&str; 8] = [
    "ours",
    "ours, damaged",
    "at v2",
    "at v9",
    "absent",
    "corrupt",
    "unavailable",
    "unavailable long",
];

#[test]
fn every_head_settles_a_store_in_doubt_in_one_way() {
    let given = [
        ("head", &HEADS[..]),
        ("over", &["v2", "nothing"]),
        ("tried", &["once", "twice"]),
        ("later", &["no", "yes"]),
    ];
    table::check(IN_DOUBT, &given, |given| {
        let [head, over, tried, later] = given else {
            panic!("{given:?}")
        };
        settle(head, *over == "v2", *tried == "twice", *later == "yes")
    });
}

#[test]
fn every_head_means_one_thing_to_an_idle_look() {
    let heads: &[&str] = &[
        "at v2",
        "at v2, damaged",
        "at v9",
        "absent",
        "corrupt",
        "unavailable",
        "unavailable long",
    ];
    table::check(IDLE, &[("head", heads)], |given| {
        let mut desk = Desk::quiet();
        assert_eq!(desk.work_at_deadline(), "read");
        assert_eq!(desk.deadline(), "-");
        desk.pass(1_000);
        let conclusion = desk.answer_read(found(given[0], None));
        let mut found = vec![words(&conclusion), desk.drain()];
        if is_over(&conclusion) {
            found.extend(std::iter::repeat_n("over".to_owned(), 3));
        } else {
            found.extend([desk.calls(), desk.work(), desk.deadline()]);
        }
        found
    });
}

fn settle(outcome: &str, over_v2: bool, twice: bool, later: bool) -> Vec<String> {
    let mut desk = if over_v2 {
        Desk::quiet()
    } else {
        Desk::over(None)
    };
    if over_v2 {
        desk.change(0, "first");
        desk.change(1, "second");
    } else {
        desk.pass(1_000);
        desk.admit("n", &[(0, "first"), (1, "second")]);
    }
    let before = (desk.ledger.accepted().clone(), desk.ledger.version.clone());
    desk.work();
    let sent = desk.store.clone().unwrap();
    desk.answer(ambiguous());
    assert_eq!(desk.drain(), "tell Ambiguous, read");
    desk.call("early");
    if twice {
        desk.answer_read(if over_v2 {
            head("v2", None)
        } else {
            HeadOutcome::Absent
        });
        assert_eq!(desk.drain(), "store same");
        desk.answer(ambiguous());
        assert_eq!(desk.drain(), "tell Ambiguous, read");
    }
    desk.pass(1_000);
    if later {
        desk.change(0, "later");
    }

    let conclusion = desk.answer_read(found(outcome, Some(sent.document.write_id)));
    let mut found = vec![words(&conclusion), desk.drain()];
    let after = (desk.ledger.accepted().clone(), desk.ledger.version.clone());
    if is_over(&conclusion) {
        found.extend(std::iter::repeat_n("over".to_owned(), 4));
    } else {
        found.extend([desk.calls(), desk.work(), desk.deadline()]);
        found.push(desk.work_at_deadline());
    }
    if after == before {
        found.push("before".to_owned());
    } else {
        assert_eq!(after.0, sent.document.status);
        found.push(after.1.unwrap().to_string());
    }
    found
}

pub(super) fn found(outcome: &str, ours: Option<WriteId>) -> HeadOutcome {
    let unavailable = |seconds| HeadOutcome::Unavailable {
        after: Duration::from_secs(seconds),
        reason: "busy".to_owned(),
    };
    let damaged = |version| {
        HeadOutcome::Found(Head {
            version: Version::new(version),
            write_id: ours,
            intact: false,
        })
    };
    match outcome {
        "ours" => head("v3", ours),
        "ours, damaged" => damaged("v3"),
        "at v2, damaged" => damaged("v2"),
        "at v2" => head("v2", None),
        "at v9" => head("v9", None),
        "absent" => HeadOutcome::Absent,
        "corrupt" => HeadOutcome::Corrupt("no YAML".to_owned()),
        "unavailable" => unavailable(0),
        "unavailable long" => unavailable(30),
        other => panic!("{other}"),
    }
}

/// All of them; `ours` is the write that may be found.
pub(super) fn every_head(ours: Option<WriteId>) -> Vec<HeadOutcome> {
    HEADS.iter().map(|head| found(head, ours)).collect()
}

#[test]
fn a_head_written_by_another_process_in_the_same_epoch_is_not_ours() {
    let mut desk = Desk::quiet();
    desk.change(0, "first");
    desk.work();
    desk.answer(ambiguous());
    desk.drain();
    let ours = desk.store.clone().unwrap().document.write_id;
    let other = WriteId {
        process: ProcessId(8),
        ..ours
    };
    let conclusion = desk.answer_read(head("v3", Some(other)));
    assert_eq!(
        words(&conclusion),
        "conflict: the document is at version v3"
    );
}

#[test]
fn a_conflict_says_who_has_written_the_document() {
    let write_id = |epoch, process| WriteId {
        epoch: Epoch(epoch),
        request: RequestId(3),
        process: ProcessId(process),
    };
    let others = "no coordinator of this kind: upstream's, or a person";
    let of_6 = "the coordinator of epoch 6, process 0000000000000000000000000000000a";
    let own = "the coordinator of epoch 4, process 00000000000000000000000000000007";
    for (write_id, intact, writer) in [
        (Some(write_id(6, 10)), true, of_6.to_owned()),
        (
            Some(write_id(6, 10)),
            false,
            format!("{others}, after {of_6}"),
        ),
        (
            Some(write_id(4, 7)),
            true,
            format!("{own}, which is this one"),
        ),
        (None, false, others.to_owned()),
    ] {
        let mut desk = Desk::quiet();
        desk.work_at_deadline();
        let conclusion = desk.answer_read(HeadOutcome::Found(Head {
            version: Version::new("v9"),
            write_id,
            intact,
        }));
        let reason = format!("the document is at version v9, written by {writer}");
        assert_eq!(conclusion, Conclusion::Conflict(reason));
    }
}

#[test]
fn an_idle_ledger_looks_every_five_seconds_and_not_while_a_look_is_under_way() {
    let mut desk = Desk::quiet();
    for _ in 0..3 {
        assert_eq!(desk.work_at_deadline(), "read");
        desk.pass(60_000);
        assert_eq!(
            (desk.work(), desk.deadline()),
            ("-".to_owned(), "-".to_owned())
        );
        desk.answer_read(head("v2", None));
        assert_eq!(desk.deadline(), "0ns");
    }
}

#[test]
fn a_hint_makes_it_look_at_once_and_the_next_one_a_tenth_of_a_second_later() {
    let mut desk = Desk::quiet();
    desk.ledger.hint(&desk.context);
    assert_eq!(desk.work(), "read");
    desk.answer_read(head("v2", None));
    desk.pass(30);
    desk.ledger.hint(&desk.context);
    desk.ledger.hint(&desk.context);
    assert_eq!(desk.work(), "-");
    let at = desk.ledger.deadline(&desk.context.timing);
    assert_eq!(at, Some(desk.context.now.after(Duration::from_millis(70))));
    assert_eq!(desk.work_at_deadline(), "read");
}

#[test]
fn a_look_that_a_store_of_ours_overtakes_tells_nothing() {
    let mut desk = Desk::quiet();
    assert_eq!(desk.work_at_deadline(), "read");
    desk.change(0, "first");
    desk.work();
    assert_eq!(words(&desk.answer_read(head("v3", None))), "-");
    desk.answer(stored("v3"));
    assert_eq!(words(&desk.answer_read(head("v2", None))), "-");
}
