//! Any sequence of changes, over an honest store whose answers are lost or come late.

mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use self::store::{Fate, Store};
use super::{START, namespace, size};
use crate::cluster::{ClusterStatus, ShardMetadata};
use crate::context::Context;
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, ProcessId, ShardId, Term};
use crate::ledger::{Conclusion, Ledger};
use crate::options::Timing;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    /// A namespace is added, unless it is there.
    Admit { name: usize, shards: i64 },
    /// What is under way is answered.
    Answer(Fate),
    /// A shard is changed.
    Change(usize),
    /// The document may have been changed by somebody else.
    Hint,
    /// A write of long ago arrives at the store.
    Late,
    /// So many milliseconds pass.
    Pass(u64),
    /// A namespace is removed.
    Remove(usize),
    /// A shard is removed.
    RemoveShard(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![
        4 => Just(Fate::Answered),
        2 => Just(Fate::AnswerLost),
        2 => Just(Fate::Delayed),
        1 => Just(Fate::Lost),
        1 => Just(Fate::TooLarge),
        1 => Just(Fate::Unavailable),
    ];
    prop_oneof![
        2 => (0..NAMES.len(), 0..4_i64).prop_map(|(name, shards)| Step::Admit { name, shards }),
        6 => fate.prop_map(Step::Answer),
        5 => (0..12_usize).prop_map(Step::Change),
        1 => Just(Step::Hint),
        1 => Just(Step::Late),
        4 => (0..300_u64).prop_map(Step::Pass),
        1 => (0..NAMES.len()).prop_map(Step::Remove),
        1 => (0..12_usize).prop_map(Step::RemoveShard),
    ]
}

/// A shard, and what waits for its newest change: the change's number, which is also the term that
/// it gives the shard.
type Newest = BTreeMap<(Arc<str>, ShardId), i64>;

struct World {
    ledger: Ledger<i64>,
    context: Context,
    store: Store,
    /// The one store or read that is waited for.
    under_way: Option<Effect>,
    newest: Newest,
    durable: BTreeSet<i64>,
    last: i64,
    /// The store has refused what grows after it may have taken it: the tenure is over.
    over: bool,
}

impl World {
    fn new() -> Self {
        let context = Context::new(Timing::default(), 1, START);
        let id = || "id".into();
        let ledger = Ledger::new(ProcessId(1), Epoch(1), None, id, START, &context.timing);
        Self {
            ledger,
            context,
            store: Store::default(),
            under_way: None,
            newest: BTreeMap::new(),
            durable: BTreeSet::new(),
            last: 0,
            over: false,
        }
    }

    fn run(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            self.work();
            if self.over {
                return;
            }
        }
        self.rest();
        let accepted = self.ledger.accepted();
        assert_eq!(&**accepted, self.ledger.working(), "a change was lost");
        assert_eq!(self.store.status(), Some(accepted));
        for (shard, change) in &self.newest {
            assert!(self.durable.contains(change), "{shard:?} still waits");
        }
    }

    /// From here on the store is good.
    fn rest(&mut self) {
        for _ in 0..100 {
            self.step(&Step::Answer(Fate::Answered));
            self.step(&Step::Pass(6_000));
            self.work();
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Admit { name, shards } => self.admit(NAMES[*name], *shards),
            Step::Answer(fate) => self.answer(*fate),
            Step::Change(index) => self.change(*index),
            Step::Hint => self.ledger.hint(&self.context),
            Step::Late => self.store.apply_delayed(),
            Step::Pass(millis) => {
                self.context.now = self.context.now.after(Duration::from_millis(*millis));
            }
            Step::Remove(name) => {
                self.ledger.remove(&NAMES[*name].into());
                self.forget(NAMES[*name]);
            }
            Step::RemoveShard(index) => {
                if let Some((name, id)) = self.shard(*index) {
                    assert!(self.ledger.remove_shard(&name, id));
                    self.newest.remove(&(name, id));
                }
            }
        }
        let working = self.ledger.working();
        assert_eq!(self.ledger.bytes, size::of_status(working));
        let terms = working.shards();
        let terms: Newest = terms
            .map(|(name, id, shard)| ((name.clone(), id), shard.term.0))
            .collect();
        assert_eq!(
            terms, self.newest,
            "the status with every change made so far"
        );
    }

    fn shard(&self, index: usize) -> Option<(Arc<str>, ShardId)> {
        let shards: Vec<_> = self.newest.keys().cloned().collect();
        shards.get(index % shards.len().max(1)).cloned()
    }

    fn change(&mut self, index: usize) {
        let Some((name, id)) = self.shard(index) else {
            return;
        };
        self.last += 1;
        let term = Term(self.last);
        assert!(
            self.ledger
                .change(&name, id, self.last, |shard| shard.term = term)
        );
        self.newest.insert((name, id), self.last);
    }

    fn admit(&mut self, name: &str, shards: i64) {
        let first = self.ledger.working().shard_id_generator;
        let ids: Vec<i64> = (first..first + shards).collect();
        let mut admitted = namespace(&ids);
        for (id, shard) in &mut admitted.shards {
            self.last += 1;
            Arc::make_mut(shard).term = Term(self.last);
            self.newest.insert((name.into(), *id), self.last);
        }
        let waits = |shard: &ShardMetadata| shard.term.0;
        self.ledger
            .admit(&name.into(), admitted, first + shards, waits);
    }

    fn forget(&mut self, name: &str) {
        self.newest.retain(|(namespace, _), _| &**namespace != name);
    }

    fn work(&mut self) {
        self.ledger.work(&mut self.context);
        while let Some(effect) = self.context.poll_effect() {
            match effect {
                Effect::Store { .. } => {
                    let before = self.under_way.replace(effect);
                    // A look that a store overtakes is not waited for.
                    let looked = matches!(before, None | Some(Effect::ReadHead { .. }));
                    assert!(looked, "two stores are in flight");
                }
                Effect::ReadHead { .. } => {
                    let before = self.under_way.replace(effect);
                    assert_eq!(before, None, "a read while something else is under way");
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, fate: Fate) {
        let tenure = self.context.tenure;
        let mut sent: Arc<ClusterStatus> = Arc::default();
        let event = match self.under_way.take() {
            None => return,
            Some(Effect::Store {
                request,
                expected,
                document,
                ..
            }) => {
                sent = document.status.clone();
                let outcome = self.store.store(fate, request, expected, document);
                Event::StoreEnded {
                    tenure,
                    request,
                    outcome,
                }
            }
            Some(Effect::ReadHead { request, .. }) => {
                let outcome = self.store.read_head(fate);
                Event::HeadRead {
                    tenure,
                    request,
                    outcome,
                }
            }
            Some(other) => panic!("{other:?}"),
        };
        let accepted = self.ledger.accepted().clone();
        let conclusion = self.ledger.hear(&event, &mut self.context);
        match conclusion.expect("an answer") {
            Conclusion::Accepted(acceptances) => {
                for acceptance in acceptances {
                    let shard = (acceptance.namespace, acceptance.shard);
                    if let Some(durable) = acceptance.durable {
                        self.durable(shard, *durable.fact());
                    }
                }
                assert_eq!(self.store.status(), Some(self.ledger.accepted()));
            }
            Conclusion::Nothing => assert_eq!(accepted, *self.ledger.accepted()),
            Conclusion::Rejected { namespaces, .. } => {
                let taken_back = |(name, id): &(Arc<str>, ShardId)| {
                    let is_there = |status: &ClusterStatus| {
                        let there = status.namespaces.get(name);
                        there.is_some_and(|there| there.shards.contains_key(id))
                    };
                    is_there(&sent) && !is_there(&accepted)
                };
                let before = self.newest.clone();
                self.newest.retain(|shard, _| !taken_back(shard));
                let names = before.keys().filter(|it| taken_back(it));
                let names: BTreeSet<_> = names.map(|(name, _)| name.clone()).collect();
                assert_eq!(names, namespaces.into_iter().collect());
            }
            Conclusion::Refused(reason) => {
                assert!(matches!(fate, Fate::TooLarge), "{reason}");
                self.over = true;
            }
            Conclusion::Conflict(reason) => panic!("nobody else writes, but {reason}"),
        }
    }

    fn durable(&mut self, shard: (Arc<str>, ShardId), change: i64) {
        let accepted = &self.ledger.accepted().namespaces[&shard.0].shards[&shard.1];
        assert_eq!(accepted.term, Term(change), "{shard:?} is not stored so");
        assert_eq!(
            self.newest.get(&shard),
            Some(&change),
            "{shard:?} was changed again"
        );
        assert!(
            self.durable.insert(change),
            "{shard:?}: {change} came back twice"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_happens_one_store_is_in_flight_and_no_change_is_lost_or_durable_too_soon(
        steps in proptest::collection::vec(step(), 0..60)
    ) {
        World::new().run(&steps);
    }
}
