//! Answers that nobody waits for.

use std::sync::Arc;

use super::answers::every_answer;
use super::heads::every_head;
use super::{Conclusion, Desk, ambiguous, answers, head, heads, loaded, namespace};
use crate::cluster::ClusterStatus;
use crate::event::Event;
use crate::id::{Epoch, ProcessId, RequestId, Tenure, Term, WriteId};
use crate::store::{HeadOutcome, LoadedStatus, StoreOutcome};

/// What a ledger waits for.
#[derive(Clone, Copy, PartialEq)]
enum Waits {
    Nothing,
    Read,
    Store,
}

/// Everywhere that a ledger can be.
fn situations() -> Vec<(&'static str, Waits, Desk)> {
    let storing = || {
        let mut desk = Desk::quiet();
        desk.change(0, "first");
        desk.work();
        desk
    };
    let reading = || {
        let mut desk = storing();
        desk.answer(ambiguous());
        desk.drain();
        desk
    };
    let mut looking = Desk::quiet();
    looking.work_at_deadline();
    let mut resending = storing();
    resending.answer(answers::answer("unavailable"));
    let mut rereading = reading();
    rereading.answer_read(heads::found("unavailable", None));
    let mut sent_again = reading();
    sent_again.answer_read(head("v2", None));
    let mut read_again = sent_again.clone();
    read_again.drain();
    read_again.answer(ambiguous());
    let mut situations = vec![
        ("idle", Waits::Nothing, Desk::quiet()),
        ("looking", Waits::Read, looking),
        ("storing", Waits::Store, storing()),
        ("resending", Waits::Nothing, resending),
        ("reading", Waits::Read, reading()),
        ("rereading", Waits::Nothing, rereading),
        ("sent again", Waits::Store, sent_again),
        ("reading again", Waits::Read, read_again),
    ];
    for (_, _, desk) in &mut situations {
        desk.drain();
    }
    situations
}

fn every_event(desk: &Desk, tenure: Tenure, request: RequestId) -> Vec<Event> {
    let stores = every_answer();
    let ours = desk.store.as_ref().map(|store| store.document.write_id);
    let heads = every_head(ours);
    let store = |outcome: StoreOutcome| Event::StoreEnded {
        tenure,
        request,
        outcome,
    };
    let read = |outcome: HeadOutcome| Event::HeadRead {
        tenure,
        request,
        outcome,
    };
    let stores = stores.into_iter().map(store);
    stores.chain(heads.into_iter().map(read)).collect()
}

#[test]
fn an_answer_to_a_request_that_is_not_under_way_changes_nothing() {
    for (name, waits, mut desk) in situations() {
        let store = desk.store.as_ref().map(|store| store.request);
        let store = store.filter(|_| waits == Waits::Store);
        let read = desk.read.filter(|_| waits == Waits::Read);
        // Every request there ever was, and one that there was not.
        let last = desk.context.clone().request();
        for request in (0..=last.0).map(RequestId) {
            for event in every_event(&desk, desk.context.tenure, request) {
                let under_way = match &event {
                    Event::StoreEnded { .. } => store,
                    _ => read,
                };
                if under_way != Some(request) {
                    unchanged(name, &mut desk, &event, true);
                }
            }
        }
    }
}

#[test]
fn an_answer_of_another_tenure_is_none() {
    for (name, _, mut desk) in situations() {
        let requests = [desk.store.as_ref().map(|store| store.request), desk.read];
        for request in requests.into_iter().flatten() {
            for event in every_event(&desk, desk.context.tenure.next(), request) {
                unchanged(name, &mut desk, &event, false);
            }
        }
    }
}

fn unchanged(name: &str, desk: &mut Desk, event: &Event, heard: bool) {
    let before = format!("{:?} {:?}", desk.ledger, desk.context);
    let conclusion = desk.ledger.hear(event, &mut desk.context);
    let expected = heard.then_some(Conclusion::Nothing);
    assert_eq!(conclusion, expected, "{name}: {event:?}");
    let after = format!("{:?} {:?}", desk.ledger, desk.context);
    assert_eq!(before, after, "{name}: {event:?}");
}

#[test]
fn a_document_that_somebody_has_put_there_is_taken_to_know_nothing_of_its_own_terms() {
    let id = |epoch| WriteId {
        epoch: Epoch(epoch),
        request: RequestId(1),
        process: ProcessId(3),
    };
    let doubted = "0@none 2@0/29 4@unknown";
    for (write_id, intact, expected) in [
        (None, true, doubted),
        (Some(id(4)), false, doubted),
        (Some(id(3)), true, doubted),
        (Some(id(4)), true, "0@none 2@0/29"),
    ] {
        let mut namespace = namespace(&[0]);
        for shard in namespace.shards.values_mut() {
            let shard = Arc::make_mut(shard);
            shard.term = Term(4);
            shard.beginnings = "0@none 2@0/29".parse().unwrap();
        }
        let mut status = ClusterStatus::default();
        status.namespaces.insert("n".into(), namespace);
        let desk = Desk::over(Some(LoadedStatus {
            write_id,
            intact,
            ..loaded(status)
        }));
        let (_, _, shard) = desk.ledger.working().shards().next().unwrap();
        assert_eq!(
            shard.beginnings.to_string(),
            expected,
            "{write_id:?} {intact}"
        );
    }
}
