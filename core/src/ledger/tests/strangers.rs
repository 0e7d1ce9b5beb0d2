//! Answers that nobody waits for.

use super::answers::every_answer;
use super::heads::every_head;
use super::{Desk, ambiguous, answers, head};
use crate::event::Event;
use crate::id::{RequestId, Tenure};
use crate::store::{HeadOutcome, StoreOutcome};

/// Everywhere that a ledger can be.
fn situations() -> Vec<(&'static str, Desk)> {
    let storing = || {
        let mut desk = Desk::quiet();
        desk.change(0, "first");
        desk.work();
        desk
    };
    let reading = || {
        let mut desk = storing();
        desk.answer(ambiguous());
        desk
    };
    let mut looking = Desk::quiet();
    looking.work_at_deadline();
    let mut resending = storing();
    resending.answer(answers::answer("unavailable"));
    let mut rereading = reading();
    rereading.drain();
    rereading.answer_read(every_head(None).pop().unwrap());
    let mut sent_again = reading();
    sent_again.drain();
    sent_again.answer_read(head("v2", None));
    let mut situations = vec![
        ("idle", Desk::quiet()),
        ("looking", looking),
        ("storing", storing()),
        ("resending", resending),
        ("reading", reading()),
        ("rereading", rereading),
        ("sent again", sent_again),
    ];
    for (_, desk) in &mut situations {
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
    for (name, mut desk) in situations() {
        // Every request there ever was, and one that there was not.
        let last = desk.context.clone().request();
        for request in (0..=last.0).map(RequestId) {
            for event in every_event(&desk, desk.context.tenure, request) {
                let under_way = match &event {
                    Event::StoreEnded { .. } => is_storing(&desk, request),
                    _ => is_reading(&desk, request),
                };
                if !under_way {
                    unchanged(name, &mut desk, &event, true);
                }
            }
        }
    }
}

#[test]
fn an_answer_of_another_tenure_is_none() {
    for (name, mut desk) in situations() {
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
    let expected = heard.then_some(super::Conclusion::Nothing);
    assert_eq!(conclusion, expected, "{name}: {event:?}");
    let after = format!("{:?} {:?}", desk.ledger, desk.context);
    assert_eq!(before, after, "{name}: {event:?}");
}

fn is_storing(desk: &Desk, request: RequestId) -> bool {
    let flight = desk.ledger.flight.as_ref();
    flight.is_some_and(|flight| flight.is_storing(request))
}

fn is_reading(desk: &Desk, request: RequestId) -> bool {
    let flight = desk.ledger.flight.as_ref();
    let look = desk.ledger.head_check.clone().answered(request);
    flight.is_some_and(|flight| flight.is_reading(request)) || look
}
