//! Over arbitrary sequences: every request is answered exactly once, unless it was cancelled or
//! its tenure was closed, and every close is drained exactly once, when nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{answer, effect, open, seconds};
use super::{End, Kind, Order, Tenancy};
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{RequestId, Tenure, Timestamp};

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(Kind),
    /// The answer to one that was asked for before, under way or not.
    Answer(usize),
    Cancel(usize),
    Close,
    CloseBeforeTheCampaign,
    End(usize, End),
    Extend(u64),
    Open,
    PushAgain(usize),
    TimePasses(u64),
    Unreachable,
    Win(Option<u64>),
}

/// A driver that notes what it was told.
struct Driver {
    tenancy: Tenancy,
    now: Timestamp,
    tenure: Tenure,
    asked: Vec<(Tenure, RequestId, Kind)>,
    /// Begun, and not ended.
    tasks: BTreeSet<RequestId>,
    /// Asked for, in a tenure that is not closed, and neither cancelled nor answered.
    owed: BTreeSet<RequestId>,
    answered: BTreeMap<RequestId, u32>,
    drained: BTreeSet<Tenure>,
    closed: BTreeSet<Tenure>,
    authority: Option<Option<Timestamp>>,
}

impl Driver {
    fn new() -> Self {
        let mut driver = Self {
            tenancy: Tenancy::new(Duration::from_secs(3)),
            now: seconds(0),
            tenure: Tenure(0),
            asked: Vec::new(),
            tasks: BTreeSet::new(),
            owed: BTreeSet::new(),
            answered: BTreeMap::new(),
            drained: BTreeSet::new(),
            closed: BTreeSet::new(),
            authority: None,
        };
        driver.campaign();
        driver
    }

    fn campaign(&mut self) {
        self.tenure = self.tenure.next();
        self.authority = None;
        let tenure = self.tenure;
        self.carry_out(Effect::Campaign { tenure });
    }

    fn has_authority(&self) -> bool {
        let now = self.now;
        self.authority
            .is_some_and(|authority| authority.is_none_or(|authority| now < authority))
    }

    fn carry_out(&mut self, effect: Effect) {
        match self.tenancy.handle(self.now, effect) {
            Order::Abort(request) => assert!(self.tasks.contains(&request)),
            Order::Answer(event) => self.told(Some(event)),
            Order::Begin(request, task) => {
                assert!(!self.closed.contains(&self.tenure), "begun after the close");
                let reads = task.kind().reads();
                assert!(reads || self.has_authority(), "begun without authority");
                assert!(self.tasks.insert(request), "begun twice");
            }
            Order::Close { abort, drained } => {
                assert!(abort.iter().all(|request| self.tasks.contains(request)));
                self.told(drained);
            }
            Order::Push(request, _) => {
                assert!(self.tasks.contains(&request) && self.has_authority());
            }
            Order::Campaign(_)
            | Order::Exit
            | Order::Forget(_)
            | Order::Nothing
            | Order::OpenOffice { .. }
            | Order::Release
            | Order::Report(_)
            | Order::Stale(_) => {}
        }
    }

    fn told(&mut self, event: Option<Event>) {
        let Some(event) = event else {
            return;
        };
        if let Event::Drained { tenure } = event {
            assert!(self.tasks.is_empty(), "drained while something runs");
            assert!(self.closed.contains(&tenure), "drained before the close");
            assert!(self.drained.insert(tenure), "drained twice");
            return;
        }
        let (tenure, request, _) = super::answer::concludes(&event).unwrap();
        assert_eq!(tenure, self.tenure, "an older tenure speaks");
        assert!(self.owed.remove(&request), "nobody waits for {event:?}");
        *self.answered.entry(request).or_default() += 1;
    }

    fn take(&mut self, step: Step) {
        let tenure = self.tenure;
        let pick = |index: usize| self.asked.get(index % self.asked.len().max(1)).copied();
        match step {
            Step::Ask(kind) => {
                let request = RequestId(self.asked.len() as u64);
                self.asked.push((tenure, request, kind));
                if !self.closed.contains(&tenure) {
                    self.owed.insert(request);
                }
                self.carry_out(effect(kind, tenure, request));
            }
            Step::Answer(index) => {
                if let Some((tenure, request, kind)) = pick(index) {
                    self.tasks.remove(&request);
                    let told = self.tenancy.heard(answer(kind, tenure, request));
                    self.told(told);
                }
            }
            Step::End(index, end) => {
                if let Some((_, request, _)) = pick(index) {
                    self.tasks.remove(&request);
                    let told = self.tenancy.ended(request, end);
                    self.told(told);
                }
            }
            Step::Cancel(index) => {
                if let Some((_, request, kind)) = pick(index) {
                    if kind.asks_a_server() {
                        self.owed.remove(&request);
                    }
                    self.carry_out(Effect::Cancel { tenure, request });
                }
            }
            Step::PushAgain(index) => {
                if let Some((_, request, Kind::Stream)) = pick(index)
                    && self.owed.contains(&request)
                {
                    self.carry_out(effect(Kind::Stream, tenure, request));
                }
            }
            Step::Close => {
                self.owed.clear();
                self.closed.insert(tenure);
                self.carry_out(Effect::CloseOffice { tenure });
            }
            Step::CloseBeforeTheCampaign => {
                if self.drained.contains(&tenure) {
                    self.tenure = tenure.next();
                    self.authority = None;
                    self.take(Step::Close);
                }
            }
            Step::Extend(at) => {
                let authority = seconds(at);
                let event = Event::AuthorityExtended { tenure, authority };
                assert!(self.tenancy.heard(event).is_some());
                if let Some(Some(until)) = &mut self.authority {
                    *until = authority.max(*until);
                }
            }
            Step::Win(at) => {
                let authority = at.map(seconds);
                let event = Event::LeadershipWon { tenure, authority };
                assert!(self.tenancy.heard(event).is_some());
                self.authority = Some(authority);
            }
            Step::Open => self.carry_out(open(tenure)),
            Step::Unreachable => self.tenancy.no_server_can_be_called("why".to_owned()),
            Step::TimePasses(by) => {
                self.now = self.now.after(Duration::from_secs(by));
                for request in self.tenancy.time_passed(self.now) {
                    assert!(self.tasks.contains(&request), "nothing to abort");
                }
            }
        }
        if self.drained.contains(&self.tenure) && matches!(step, Step::Open) {
            self.campaign();
        }
    }

    /// Everything that was begun ends in the end.
    fn settle(&mut self) {
        for request in std::mem::take(&mut self.tasks) {
            // It is taken out first, as it has ended.
            let told = self.tenancy.ended(request, End::Dropped);
            if let Some(Event::Drained { .. }) = told {
                assert_eq!(self.tenancy.under_way().count(), 0);
            }
            self.told(told);
        }
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Call),
        Just(Kind::Load),
        Just(Kind::ReadConfiguration),
        Just(Kind::ReadHead),
        Just(Kind::Store),
        Just(Kind::Stream),
        Just(Kind::Watch),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Dropped),
        Just(End::NoAuthority),
        Just(End::Panicked),
        Just(End::TimedOut),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0_usize..64;
    prop_oneof![
        8 => kind().prop_map(Step::Ask),
        6 => any.clone().prop_map(Step::Answer),
        3 => any.clone().prop_map(Step::Cancel),
        2 => Just(Step::Close),
        1 => Just(Step::CloseBeforeTheCampaign),
        4 => (any.clone(), end()).prop_map(|(index, end)| Step::End(index, end)),
        2 => (0_u64..60).prop_map(Step::Extend),
        4 => Just(Step::Open),
        2 => any.prop_map(Step::PushAgain),
        2 => (0_u64..6).prop_map(Step::TimePasses),
        1 => Just(Step::Unreachable),
        4 => proptest::option::of(0_u64..60).prop_map(Step::Win),
    ]
}

proptest! {
    #[test]
    fn every_request_is_answered_exactly_once_unless_cancelled_or_closed(
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let mut driver = Driver::new();
        for step in steps {
            driver.take(step);
        }
        driver.settle();
        prop_assert!(driver.owed.is_empty(), "never answered: {:?}", driver.owed);
        prop_assert!(driver.answered.values().all(|count| *count == 1));
        prop_assert_eq!(&driver.closed, &driver.drained);
    }
}
