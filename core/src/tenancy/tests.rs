//! The rules, one by one.

use std::sync::Arc;
use std::time::Duration;

use super::{CALL_LIMIT, End, Kind, Order, PROBE_LIMIT, Task, Tenancy, call_limit};
use crate::assign::ShardAssignments;
use crate::call::{Answer, Call, CallError, CallErrorKind};
use crate::cluster::{ClusterStatus, DataServerIdentity};
use crate::effect::Effect;
use crate::event::{ConfigurationText, Event};
use crate::id::{Epoch, ProcessId, RequestId, ServerId, Tenure, Timestamp, Version, WriteId};
use crate::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};

const TENURE: Tenure = Tenure(1);
const DRAIN: Duration = Duration::from_secs(3);
const KINDS: [Kind; 7] = [
    Kind::Call,
    Kind::Load,
    Kind::ReadConfiguration,
    Kind::ReadHead,
    Kind::Store,
    Kind::Stream,
    Kind::Watch,
];

pub(super) fn seconds(seconds: u64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

pub(super) fn server() -> DataServerIdentity {
    DataServerIdentity {
        name: Some(Arc::from("s1")),
        public: Arc::from("s1:6648"),
        internal: Arc::from("s1:6649"),
    }
}

pub(super) fn document() -> StatusDocument {
    StatusDocument {
        admits: false,
        epoch: Epoch(1),
        write_id: WriteId {
            epoch: Epoch(1),
            request: RequestId(1),
            process: ProcessId(1),
        },
        status: Arc::new(ClusterStatus::default()),
    }
}

/// The effect that asks for a task of this kind.
pub(super) fn effect(kind: Kind, tenure: Tenure, request: RequestId) -> Effect {
    let server = server();
    match kind {
        Kind::Call => Effect::Call {
            tenure,
            request,
            server,
            call: Call::Handshake,
        },
        Kind::Load => Effect::Load { tenure, request },
        Kind::ReadConfiguration => Effect::ReadConfiguration { tenure, request },
        Kind::ReadHead => Effect::ReadHead { tenure, request },
        Kind::Store => Effect::Store {
            tenure,
            request,
            expected: None,
            document: document(),
        },
        Kind::Stream => Effect::PushAssignments {
            tenure,
            request,
            server,
            assignments: Arc::new(ShardAssignments::default()),
        },
        Kind::Watch => Effect::WatchHealth {
            tenure,
            request,
            server,
        },
    }
}

/// An answer to a task of this kind.
pub(super) fn answer(kind: Kind, tenure: Tenure, request: RequestId) -> Event {
    let error = || error(CallErrorKind::Unreachable, "broken");
    match kind {
        Kind::Call => Event::CallAnswered {
            tenure,
            request,
            result: Ok(Answer::FollowerAdded),
        },
        Kind::Load => Event::Loaded {
            tenure,
            request,
            outcome: LoadOutcome::Absent { epoch: Epoch(0) },
        },
        Kind::ReadConfiguration => Event::ConfigurationFound {
            tenure,
            request,
            found: Ok(ConfigurationText {
                source: "cluster.yaml".to_owned(),
                text: None,
            }),
        },
        Kind::ReadHead => Event::HeadRead {
            tenure,
            request,
            outcome: HeadOutcome::Absent,
        },
        Kind::Store => Event::StoreEnded {
            tenure,
            request,
            outcome: StoreOutcome::Stored(Version::new("1")),
        },
        Kind::Stream => Event::PushEnded {
            tenure,
            request,
            error: error(),
        },
        Kind::Watch => Event::HealthWatchEnded {
            tenure,
            request,
            error: error(),
        },
    }
}

fn error(kind: CallErrorKind, message: &str) -> CallError {
    CallError {
        kind,
        message: message.to_owned(),
    }
}

/// The words of whatever answers a request with something else than success.
fn words(event: &Event) -> (String, &'static str) {
    match event {
        Event::CallAnswered {
            result: Err(error), ..
        }
        | Event::HealthWatchEnded { error, .. }
        | Event::PushEnded { error, .. } => {
            let kind = match error.kind {
                CallErrorKind::TimedOut => "timed out",
                CallErrorKind::Unreachable => "unheard",
                _ => "other",
            };
            (error.message.clone(), kind)
        }
        Event::Loaded {
            outcome: LoadOutcome::Unavailable { reason, .. },
            ..
        }
        | Event::HeadRead {
            outcome: HeadOutcome::Unavailable { reason, .. },
            ..
        }
        | Event::StoreEnded {
            outcome: StoreOutcome::Unavailable { reason, .. },
            ..
        } => (reason.clone(), "unavailable"),
        Event::StoreEnded {
            outcome: StoreOutcome::Ambiguous(reason),
            ..
        } => (reason.clone(), "ambiguous"),
        Event::ConfigurationFound {
            found: Err(reason), ..
        } => (reason.clone(), "unavailable"),
        other => panic!("no failure: {other:?}"),
    }
}

fn won(authority: Option<Timestamp>) -> Tenancy {
    let mut tenancy = Tenancy::new(DRAIN);
    let campaign = Effect::Campaign { tenure: TENURE };
    assert_eq!(
        tenancy.handle(seconds(0), campaign),
        Order::Campaign(TENURE)
    );
    let event = Event::LeadershipWon {
        tenure: TENURE,
        authority,
    };
    assert!(tenancy.heard(event).is_some());
    tenancy
}

fn opened(authority: Option<Timestamp>) -> Tenancy {
    let mut tenancy = won(authority);
    let order = tenancy.handle(seconds(0), open(TENURE));
    assert!(matches!(order, Order::OpenOffice { .. }), "{order:?}");
    tenancy
}

pub(super) fn open(tenure: Tenure) -> Effect {
    Effect::OpenOffice {
        tenure,
        epoch: Epoch(1),
        instance_id: Arc::from("cluster"),
    }
}

fn begin(tenancy: &mut Tenancy, now: Timestamp, kind: Kind, request: u64) -> Order {
    tenancy.handle(now, effect(kind, TENURE, RequestId(request)))
}

fn close(tenancy: &mut Tenancy, now: Timestamp) -> (Vec<u64>, Option<Event>) {
    match tenancy.handle(now, Effect::CloseOffice { tenure: TENURE }) {
        Order::Close { abort, drained } => {
            (abort.iter().map(|request| request.0).collect(), drained)
        }
        other => panic!("not closed: {other:?}"),
    }
}

#[test]
fn every_task_begins_under_authority_and_is_answered_once() {
    for kind in KINDS {
        for authority in [None, Some(seconds(10))] {
            let mut tenancy = opened(authority);
            let order = begin(&mut tenancy, seconds(9), kind, 7);
            assert!(
                matches!(&order, Order::Begin(RequestId(7), task) if task.kind() == kind),
                "{order:?}"
            );
            let answer = answer(kind, TENURE, RequestId(7));
            assert_eq!(tenancy.heard(answer.clone()), Some(answer.clone()));
            assert_eq!(tenancy.heard(answer), None);
            assert_eq!(tenancy.ended(RequestId(7), End::Panicked), None);
        }
    }
}

#[test]
fn what_would_leave_after_the_end_of_authority_is_answered_at_once() {
    for (kind, how) in [
        (Kind::Call, "other"),
        (Kind::Store, "unavailable"),
        (Kind::Stream, "other"),
        (Kind::Watch, "other"),
    ] {
        let mut tenancy = opened(Some(seconds(10)));
        let order = begin(&mut tenancy, seconds(10), kind, 7);
        let Order::Answer(event) = order else {
            panic!("{kind:?} begins: {order:?}");
        };
        let reason = "authority has ended: nothing was sent".to_owned();
        assert_eq!(words(&event), (reason, how));
        assert_eq!(tenancy.heard(answer(kind, TENURE, RequestId(7))), None);
    }
}

#[test]
fn authority_that_was_extended_lets_more_leave() {
    let mut tenancy = opened(Some(seconds(10)));
    let extended = Event::AuthorityExtended {
        tenure: TENURE,
        authority: seconds(20),
    };
    assert!(tenancy.heard(extended).is_some());
    let order = begin(&mut tenancy, seconds(19), Kind::Call, 1);
    assert!(matches!(order, Order::Begin(..)), "{order:?}");
    assert_eq!(tenancy.gate(), seconds(20));
}

#[test]
fn nothing_leaves_before_leadership_is_won() {
    let mut tenancy = Tenancy::new(DRAIN);
    let _ = tenancy.handle(seconds(0), Effect::Campaign { tenure: TENURE });
    let order = begin(&mut tenancy, seconds(1), Kind::Store, 1);
    assert!(matches!(order, Order::Answer(_)), "{order:?}");
    assert_eq!(tenancy.gate(), Timestamp(0));
}

#[test]
fn a_tenure_that_has_not_begun_is_answered_with_an_error() {
    for kind in KINDS {
        let mut tenancy = opened(None);
        let effect = effect(kind, Tenure(2), RequestId(7));
        let order = tenancy.handle(seconds(1), effect);
        let Order::Answer(event) = order else {
            panic!("{kind:?} begins: {order:?}");
        };
        let reason = "tenure 2 has not begun: nothing was sent";
        assert_eq!(words(&event).0, reason);
    }
}

#[test]
fn where_no_data_server_can_be_called_each_request_is_answered_so() {
    for kind in [Kind::Call, Kind::Stream, Kind::Watch] {
        let mut tenancy = opened(None);
        tenancy.no_server_can_be_called("the id can't be sent".to_owned());
        for request in 1..4 {
            let order = begin(&mut tenancy, seconds(1), kind, request);
            let Order::Answer(event) = order else {
                panic!("{kind:?} begins: {order:?}");
            };
            let reason = "no data server can be called: the id can't be sent".to_owned();
            assert_eq!(words(&event), (reason, "other"));
        }
    }
    let mut tenancy = opened(None);
    tenancy.no_server_can_be_called("the id can't be sent".to_owned());
    let order = begin(&mut tenancy, seconds(1), Kind::Store, 1);
    assert!(matches!(order, Order::Begin(..)), "{order:?}");
}

#[test]
fn calls_wait_for_the_office_to_be_opened() {
    let mut tenancy = won(None);
    let order = begin(&mut tenancy, seconds(1), Kind::Call, 1);
    assert!(matches!(order, Order::Answer(_)), "{order:?}");
    let order = begin(&mut tenancy, seconds(1), Kind::Load, 2);
    assert!(matches!(order, Order::Begin(..)), "{order:?}");
}

#[test]
fn whatever_a_task_comes_to_its_request_is_answered() {
    let silent = "no answer within 5s";
    let sent = "authority has ended: nothing was sent";
    let backend = "the backend has panicked";
    let call = "the call has panicked";
    let dropped = "it was given up";
    for (kind, end, reason, how) in [
        (Kind::Call, End::Dropped, dropped, "unheard"),
        (Kind::Call, End::NoAuthority, sent, "other"),
        (Kind::Call, End::Panicked, call, "unheard"),
        (
            Kind::Call,
            End::TimedOut,
            "no answer within 30s",
            "timed out",
        ),
        (Kind::Load, End::Dropped, dropped, "unavailable"),
        (Kind::Load, End::Panicked, backend, "unavailable"),
        (Kind::Load, End::TimedOut, silent, "unavailable"),
        (
            Kind::ReadConfiguration,
            End::TimedOut,
            silent,
            "unavailable",
        ),
        (Kind::ReadHead, End::Panicked, backend, "unavailable"),
        (Kind::ReadHead, End::TimedOut, silent, "unavailable"),
        (Kind::Store, End::Dropped, dropped, "ambiguous"),
        (Kind::Store, End::NoAuthority, sent, "unavailable"),
        (Kind::Store, End::Panicked, backend, "ambiguous"),
        (Kind::Store, End::TimedOut, silent, "ambiguous"),
        (Kind::Stream, End::NoAuthority, sent, "other"),
        (Kind::Stream, End::Panicked, call, "unheard"),
        (Kind::Watch, End::NoAuthority, sent, "other"),
        (Kind::Watch, End::Panicked, call, "unheard"),
        (Kind::Watch, End::TimedOut, "no answer in time", "timed out"),
    ] {
        let mut tenancy = opened(Some(seconds(10)));
        let _ = begin(&mut tenancy, seconds(1), kind, 7);
        let event = tenancy.ended(RequestId(7), end).unwrap();
        assert_eq!(words(&event), (reason.to_owned(), how), "{kind:?} {end:?}");
        assert_eq!(tenancy.ended(RequestId(7), end), None);
    }
}

#[test]
fn the_configuration_is_given_five_seconds_also_where_leadership_is_a_lock() {
    for (authority, until) in [(Some(seconds(10)), 6), (Some(seconds(4)), 4), (None, 6)] {
        let mut tenancy = opened(authority);
        let order = begin(&mut tenancy, seconds(1), Kind::ReadConfiguration, 7);
        let until = seconds(until);
        assert_eq!(
            order,
            Order::Begin(RequestId(7), Task::ReadConfiguration { until })
        );
    }
}

#[test]
fn the_store_is_given_five_seconds_and_no_more_than_authority_lasts() {
    for (authority, now, until) in [
        (Some(seconds(10)), seconds(1), Some(seconds(6))),
        (Some(seconds(10)), seconds(8), Some(seconds(10))),
        (None, seconds(1), None),
    ] {
        let mut tenancy = opened(authority);
        for kind in [Kind::Load, Kind::ReadHead, Kind::Store] {
            let order = begin(&mut tenancy, now, kind, kind as u64);
            let given = match order {
                Order::Begin(_, Task::Load { until } | Task::ReadHead { until }) => until,
                Order::Begin(_, Task::Store { until, .. }) => until,
                other => panic!("{kind:?}: {other:?}"),
            };
            assert_eq!(given, until, "{kind:?}");
        }
    }
}

#[test]
fn a_health_check_is_given_less_time_than_other_calls() {
    assert_eq!(call_limit(&Call::CheckHealth), PROBE_LIMIT);
    assert_eq!(call_limit(&Call::Handshake), CALL_LIMIT);
}

#[test]
fn a_request_that_was_cancelled_is_aborted_and_never_answered() {
    for kind in [Kind::Call, Kind::Stream, Kind::Watch] {
        let request = RequestId(7);
        let cancel = Effect::Cancel {
            tenure: TENURE,
            request,
        };
        let mut tenancy = opened(None);
        let _ = begin(&mut tenancy, seconds(1), kind, 7);
        let order = tenancy.handle(seconds(1), cancel.clone());
        assert_eq!(order, Order::Abort(request));
        assert_eq!(tenancy.handle(seconds(1), cancel), Order::Nothing);
        assert_eq!(tenancy.heard(answer(kind, TENURE, request)), None);
        assert_eq!(tenancy.ended(request, End::Dropped), None);
    }
}

#[test]
fn what_asks_the_store_is_not_given_up() {
    let request = RequestId(7);
    let mut tenancy = opened(None);
    let _ = begin(&mut tenancy, seconds(1), Kind::Store, 7);
    let cancel = Effect::Cancel {
        tenure: TENURE,
        request,
    };
    assert_eq!(tenancy.handle(seconds(1), cancel), Order::Nothing);
    let answer = answer(Kind::Store, TENURE, request);
    assert_eq!(tenancy.heard(answer.clone()), Some(answer));
}

#[test]
fn a_push_on_an_open_stream_begins_no_other() {
    let mut tenancy = opened(Some(seconds(10)));
    let order = begin(&mut tenancy, seconds(1), Kind::Stream, 7);
    assert!(matches!(order, Order::Begin(..)), "{order:?}");
    let order = begin(&mut tenancy, seconds(2), Kind::Stream, 7);
    assert!(matches!(order, Order::Push(RequestId(7), _)), "{order:?}");
    let order = begin(&mut tenancy, seconds(10), Kind::Stream, 7);
    assert_eq!(order, Order::Nothing);
    let ended = answer(Kind::Stream, TENURE, RequestId(7));
    assert!(tenancy.heard(ended).is_some());
}

#[test]
fn a_watch_speaks_until_it_ends() {
    let observed = Event::HealthObserved {
        tenure: TENURE,
        request: RequestId(7),
        serving: true,
    };
    let mut tenancy = opened(None);
    assert_eq!(tenancy.heard(observed.clone()), None);
    let _ = begin(&mut tenancy, seconds(1), Kind::Watch, 7);
    assert!(tenancy.heard(observed.clone()).is_some());
    assert!(tenancy.heard(observed.clone()).is_some());
    let ended = answer(Kind::Watch, TENURE, RequestId(7));
    assert!(tenancy.heard(ended).is_some());
    assert_eq!(tenancy.heard(observed), None);
}

#[test]
fn a_close_with_nothing_under_way_is_drained_at_once() {
    let mut tenancy = opened(Some(seconds(10)));
    let drained = Event::Drained { tenure: TENURE };
    assert_eq!(close(&mut tenancy, seconds(1)), (Vec::new(), Some(drained)));
    assert!(tenancy.is_drained());
    assert_eq!(tenancy.deadline(), None);
}

#[test]
fn a_tenure_that_is_closed_before_it_has_campaigned_is_drained_at_once() {
    let mut tenancy = Tenancy::new(DRAIN);
    let (abort, drained) = close(&mut tenancy, seconds(1));
    assert_eq!(abort, Vec::<u64>::new());
    assert_eq!(drained, Some(Event::Drained { tenure: TENURE }));
}

#[test]
fn a_close_aborts_calls_watches_and_streams_and_waits_for_all_to_end() {
    let mut tenancy = opened(Some(seconds(10)));
    for (request, kind) in (1..).zip(KINDS) {
        let _ = begin(&mut tenancy, seconds(1), kind, request);
    }
    assert_eq!(close(&mut tenancy, seconds(2)), (vec![1, 3, 6, 7], None));
    assert_eq!(tenancy.gate(), Timestamp(0));
    for request in [1, 3, 6, 7] {
        assert_eq!(tenancy.ended(RequestId(request), End::Dropped), None);
    }
    for (request, kind) in [(2, Kind::Load), (4, Kind::ReadHead)] {
        let answer = answer(kind, TENURE, RequestId(request));
        assert_eq!(tenancy.heard(answer), None, "{kind:?}");
    }
    assert!(!tenancy.is_drained());
    let drained = Event::Drained { tenure: TENURE };
    let last = answer(Kind::Store, TENURE, RequestId(5));
    assert_eq!(tenancy.heard(last.clone()), Some(drained));
    assert_eq!(tenancy.heard(last), None);
    assert!(tenancy.is_drained());
}

#[test]
fn a_call_that_was_cancelled_is_waited_for_as_well() {
    let request = RequestId(7);
    let mut tenancy = opened(None);
    let _ = begin(&mut tenancy, seconds(1), Kind::Call, 7);
    let cancel = Effect::Cancel {
        tenure: TENURE,
        request,
    };
    let _ = tenancy.handle(seconds(1), cancel);
    assert_eq!(close(&mut tenancy, seconds(2)), (Vec::new(), None));
    let drained = Event::Drained { tenure: TENURE };
    assert_eq!(tenancy.ended(request, End::Dropped), Some(drained));
}

#[test]
fn a_drain_that_takes_too_long_is_cut_short_where_authority_ends_by_time() {
    let mut tenancy = opened(Some(seconds(10)));
    let _ = begin(&mut tenancy, seconds(1), Kind::Store, 7);
    assert_eq!(close(&mut tenancy, seconds(2)), (Vec::new(), None));
    assert_eq!(tenancy.deadline(), Some(seconds(5)));
    assert_eq!(tenancy.time_passed(seconds(4)), Vec::new());
    assert_eq!(tenancy.time_passed(seconds(5)), vec![RequestId(7)]);
    assert_eq!(tenancy.deadline(), None);
    assert_eq!(tenancy.time_passed(seconds(6)), Vec::new());
    let drained = Event::Drained { tenure: TENURE };
    assert_eq!(tenancy.ended(RequestId(7), End::Dropped), Some(drained));
}

#[test]
fn the_last_write_under_a_lock_takes_as_long_as_it_takes() {
    let mut tenancy = opened(None);
    let _ = begin(&mut tenancy, seconds(1), Kind::Store, 7);
    assert_eq!(close(&mut tenancy, seconds(2)), (Vec::new(), None));
    assert_eq!(tenancy.deadline(), None);
    assert_eq!(tenancy.time_passed(seconds(900)), Vec::new());
}

#[test]
fn nothing_is_begun_for_a_tenure_that_is_over() {
    for kind in KINDS {
        let mut tenancy = opened(None);
        let _ = close(&mut tenancy, seconds(1));
        let order = begin(&mut tenancy, seconds(2), kind, 7);
        assert_eq!(order, Order::Stale(kind.effect()));
        let campaign = Effect::Campaign { tenure: Tenure(2) };
        let _ = tenancy.handle(seconds(3), campaign);
        let order = begin(&mut tenancy, seconds(4), kind, 7);
        assert_eq!(order, Order::Stale(kind.effect()));
    }
}

#[test]
fn a_tenure_is_opened_closed_and_campaigned_for_once() {
    let mut tenancy = opened(None);
    let _ = close(&mut tenancy, seconds(1));
    for (effect, name) in [
        (Effect::Campaign { tenure: TENURE }, "Campaign"),
        (Effect::CloseOffice { tenure: TENURE }, "CloseOffice"),
        (open(TENURE), "OpenOffice"),
    ] {
        assert_eq!(tenancy.handle(seconds(2), effect), Order::Stale(name));
    }
}

#[test]
fn leadership_that_is_won_after_the_close_opens_nothing() {
    let mut tenancy = opened(Some(seconds(10)));
    let _ = close(&mut tenancy, seconds(1));
    let authority = seconds(20);
    for event in [
        Event::LeadershipWon {
            tenure: TENURE,
            authority: Some(authority),
        },
        Event::AuthorityExtended {
            tenure: TENURE,
            authority,
        },
    ] {
        assert!(tenancy.heard(event).is_some());
        assert_eq!(tenancy.gate(), Timestamp(0));
    }
}

#[test]
fn the_address_that_was_called_is_the_one_that_is_forgotten() {
    let forget = |tenure| Effect::ForgetServer {
        tenure,
        server: ServerId(Arc::from("s1")),
    };
    let mut tenancy = opened(None);
    let order = tenancy.handle(seconds(1), forget(TENURE));
    assert_eq!(order, Order::Nothing);
    let _ = begin(&mut tenancy, seconds(1), Kind::Call, 1);
    let order = tenancy.handle(seconds(1), forget(TENURE));
    assert_eq!(order, Order::Forget(Arc::from("s1:6649")));
    let order = tenancy.handle(seconds(1), forget(Tenure(9)));
    assert_eq!(order, Order::Stale("ForgetServer"));
}
