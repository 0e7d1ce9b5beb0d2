//! Moves: servers that are not configured any more are emptied, and shards are spread evenly, a few at a time.
//!
//! What is to be done is planned afresh whenever nothing of the last plan is left, and every half a minute while
//! something is, so that a plan never outlives what it follows from for long. One shard that can't be moved holds up
//! no other: it is left alone for a while.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::Office;
use super::handings::Handings;
use crate::balance::{Move, Plan, Stuck};
use crate::cluster::{ClusterStatus, DataServerIdentity};
use crate::context::Context;
use crate::id::{ServerId, ShardId, Timestamp};
use crate::report::Report;
use crate::server::{Reach, ServerController};
use crate::shard::{Exchange, ShardController, Unfit};

/// How long after one plan the next one is made, where the configuration does not say, and at the latest while
/// something of the first is left.
const EVERY: Duration = Duration::from_secs(30);
/// How long a shard that could not be moved is left alone at most, where the configuration does not say.
const QUARANTINE: Duration = Duration::from_secs(300);
/// So often a shard is tried to be moved only to make servers equal.
pub(super) const TRIES: u32 = 3;
/// How long it is left alone at first.
const MOMENT: Duration = Duration::from_secs(5);
/// A configuration that says less means this.
const LEAST: Duration = Duration::from_secs(1);
/// For so long others make way for a shard that nobody leads amid its move.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Moves {
    /// When the next plan is made.
    due: Timestamp,
    /// From then on nothing of the last plan is begun any more.
    stale: Timestamp,
    pub(super) planned: VecDeque<Move>,
    pub(super) under_way: BTreeMap<ShardId, Begun>,
    pub(super) handings: Handings,
    /// Shards that are left alone until then.
    pub(super) resting: BTreeMap<ShardId, Timestamp>,
    /// How often in a row each could not be moved, and until when that counts.
    pub(super) failed: BTreeMap<ShardId, (u32, Timestamp)>,
    /// Where they have come to, and stay until then, but where that is not configured any more.
    pub(super) came: BTreeMap<(ShardId, ServerId), Timestamp>,
    /// Who was to take in a shard and has data of it, of an earlier time, and until when another one is chosen.
    pub(super) declined: BTreeMap<(ShardId, ServerId), Timestamp>,
    /// Shards that can't leave a server, so that it is said once.
    pub(super) stuck: BTreeMap<ShardId, Stuck>,
    /// Those of them that rest since they were not fit to be moved just then, and why.
    pub(super) unfit: BTreeMap<ShardId, Stuck>,
    /// How many had yet to delete what they had of a shard that could not leave a server, when the last plan was
    /// made: it may be that one that has goes in.
    leaving: BTreeMap<ShardId, usize>,
    /// Shards that are to leave a server, and were not led when the last plan was made.
    pub(super) later: BTreeSet<ShardId>,
}

/// A move that has begun.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub(super) step: Move,
    /// Whether a coordinator before this one has begun it: it may also have been on its way back.
    is_found: bool,
    /// Since when nobody leads the shard.
    unled: Option<Timestamp>,
    /// That is so for so long that others do not make way for it any more: it waits for a server, and may do so
    /// for days.
    lags: bool,
}

/// How many shards may be moved at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// In all.
    pub(super) most: usize,
    /// From, and to, one data server.
    pub(super) each: usize,
}

impl Moves {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            due: context.now.after(context.timing.patience),
            stale: context.now,
            planned: VecDeque::new(),
            under_way: BTreeMap::new(),
            handings: Handings::default(),
            resting: BTreeMap::new(),
            failed: BTreeMap::new(),
            came: BTreeMap::new(),
            declined: BTreeMap::new(),
            stuck: BTreeMap::new(),
            unfit: BTreeMap::new(),
            leaving: BTreeMap::new(),
            later: BTreeSet::new(),
        }
    }

    pub(super) fn deadline(&self) -> Timestamp {
        let begun = self.under_way.values().filter(|it| !it.lags);
        let lags = begun.filter_map(|it| Some(it.unled?.after(PATIENCE)));
        let stale = self.is_left().then_some(self.stale);
        lags.chain(stale)
            .chain([self.due])
            .min()
            .unwrap_or(self.due)
    }

    /// Moves that a coordinator before this one has begun go on.
    pub(super) fn go_on(&mut self, status: &ClusterStatus, context: &Context) {
        for (namespace, id, shard) in status.shards() {
            let ([from], Some(to)) = (shard.removed_nodes.as_slice(), shard.ensemble.last()) else {
                continue;
            };
            if shard.is_deleting() || shard.split.is_some() {
                continue;
            }
            let step = Move {
                namespace: namespace.clone(),
                shard: id,
                from: from.id(),
                to: to.clone(),
            };
            let begun = Begun {
                step,
                is_found: true,
                unled: Some(context.now),
                lags: false,
            };
            self.under_way.insert(id, begun);
        }
    }

    /// Whether something of the last plan is yet to be begun.
    fn is_left(&self) -> bool {
        !self.planned.is_empty() || !self.handings.planned.is_empty()
    }

    /// Another configuration is in force: what could not be moved before may be by now.
    pub(super) fn begin_anew(&mut self, context: &Context) {
        self.resting.clear();
        self.unfit.clear();
        self.failed.clear();
        self.replan(context);
    }

    /// A data server is there (again): it may be able to do what it was not before.
    pub(super) fn server_running(&mut self, context: &Context) {
        self.failed.clear();
        self.declined.clear();
        if !self.stuck.is_empty() {
            self.due = self.due.min(context.now.after(context.timing.plan_after));
        }
    }

    /// Time has passed: what has rested for long enough does not any more.
    fn wake(&mut self, now: Timestamp) {
        self.resting.retain(|_, until| *until > now);
        self.failed.retain(|_, (_, until)| *until > now);
        self.came.retain(|_, until| *until > now);
        self.declined.retain(|_, until| *until > now);
    }

    /// Something has changed that a plan follows from.
    pub(super) fn replan(&mut self, context: &Context) {
        self.planned.clear();
        self.handings.planned.clear();
        self.due = self.due.min(context.now.after(context.timing.plan_after));
    }

    pub(super) fn forget(&mut self, id: ShardId) {
        self.under_way.remove(&id);
        self.resting.remove(&id);
        self.failed.remove(&id);
        self.came.retain(|(shard, _), _| *shard != id);
        self.declined.retain(|(shard, _), _| *shard != id);
        self.stuck.remove(&id);
        self.unfit.remove(&id);
        self.leaving.remove(&id);
        self.later.remove(&id);
        self.planned.retain(|it| it.shard != id);
        self.handings.forget(id);
    }

    /// Whether nothing is being moved.
    pub(super) fn none_is_under_way(&self) -> bool {
        self.in_hand().next().is_none()
    }

    /// The moves that others make way for.
    fn in_hand(&self) -> impl Iterator<Item = &Move> {
        let all = self.under_way.values().filter(|begun| !begun.lags);
        all.map(|begun| &begun.step)
    }

    /// The moves that others do not make way for any more.
    fn lagging(&self) -> impl Iterator<Item = &Move> {
        let all = self.under_way.values().filter(|begun| begun.lags);
        all.map(|begun| &begun.step)
    }

    /// One that waits for a server holds up no other.
    fn leave_behind_those_that_lag(&mut self, context: &Context) {
        let mut is_any = false;
        for begun in self.under_way.values_mut().filter(|it| !it.lags) {
            let since = begun.unled.map(|since| since.after(PATIENCE));
            begun.lags = since.is_some_and(|due| due <= context.now);
            is_any |= begun.lags;
        }
        if is_any && self.is_idle() {
            self.replan(context);
        }
    }

    /// Whether nothing of the last plan is left.
    fn is_idle(&self) -> bool {
        !self.is_left() && self.none_is_under_way() && self.handings.under_way.is_empty()
    }

    /// Whether one more may begin between these two, of each of which so many may be under way.
    fn has_room(&self, next: &Move, limits: Limits) -> bool {
        let is_free = |server: &ServerId| {
            let concerned = self.in_hand().filter(|it| it.concerns(server));
            concerned.count() < limits.each
        };
        is_free(&next.from) && is_free(&next.to.id()) && self.waiting_before(next, limits).is_none()
    }

    /// How many lag before which this one is not begun: it might wait for what they wait for.
    fn waiting_before(&self, next: &Move, limits: Limits) -> Option<usize> {
        let lagging = |server: &ServerId| {
            let concerned = self.lagging().filter(|it| it.concerns(server)).count();
            (concerned >= limits.each.max(2)).then_some(concerned)
        };
        let all = self.lagging().count();
        let all = (all >= limits.most).then_some(all);
        all.or_else(|| lagging(&next.from))
            .or_else(|| lagging(&next.to.id()))
    }

    /// Of what is planned, what is not begun before such as lag.
    pub(super) fn held_back(&self, limits: Limits) -> impl Iterator<Item = (ShardId, Stuck)> {
        self.planned.iter().filter_map(move |next| {
            let waiting = self.waiting_before(next, limits)?;
            let reason = format!(
                "{waiting} shards wait amid their moves, without a leader, for data servers that are away; it is not \
                 moved before they are fewer"
            );
            let server = next.from.clone();
            Some((next.shard, Stuck { server, reason }))
        })
    }
}

impl Office {
    /// Plans, once it is time to, and begins what may begin.
    pub(super) fn move_shards(&mut self, context: &mut Context) {
        self.moves.leave_behind_those_that_lag(context);
        let (is_left, now) = (self.moves.is_left(), context.now);
        if self.moves.due <= now || is_left && self.moves.stale <= now {
            self.moves.wake(now);
            let next = now.after(self.schedule_interval());
            // Whoever rests is not to wait for longer.
            let resting = self.moves.resting.values();
            let rested = resting.chain(self.moves.declined.values()).copied().min();
            self.moves.due = rested.map_or(next, |rested| rested.min(next));
            if !is_left || self.moves.stale <= now {
                self.moves.stale = now.after(EVERY);
                self.plan_moves(context);
            }
        }
        self.begin_moves(context);
        self.begin_handings(context);
    }

    /// A shard has acted: a move of it may be over, or may be planned by now.
    pub(super) fn look_at_move(&mut self, id: ShardId, context: &mut Context) {
        self.look_at_handing(id, context);
        let is_steady = self.shards.get(&id).is_some_and(ShardController::is_steady);
        if let Some(begun) = self.moves.under_way.get_mut(&id) {
            begun.unled = match is_steady {
                true => None,
                false => begun.unled.or(Some(context.now)),
            };
            begun.lags &= !is_steady;
        }
        let is_led_again = is_steady && self.moves.later.remove(&id);
        if is_led_again || self.has_one_deleted(id) {
            let soon = context.now.after(context.timing.plan_after);
            self.moves.due = self.moves.due.min(soon);
        }
        let Some(Begun { step: begun, .. }) = self.moves.under_way.get(&id) else {
            return;
        };
        let stored = self.ledger.shard(&begun.namespace, id).cloned();
        let leader = stored.as_ref().and_then(|shard| shard.leader.as_ref());
        let leader = leader.map(DataServerIdentity::id);
        let came = begun.to.id();
        let shard = self.shards.get(&id);
        let is_fed = shard.is_some_and(|shard| shard.has_in_sync(&came, leader.as_ref()));
        if shard.is_some() && self.is_exchanging(id) {
            return;
        }
        let is_in = stored.is_some_and(|shard| shard.is_member(&begun.to));
        // Whoever else is behind, this move is over.
        if is_in && !is_fed && self.reach_of(&came) == Some(Reach::Running) {
            return;
        }
        let is_done = is_in && is_fed;
        if let Some(begun) = self.moves.under_way.remove(&id) {
            let (over, is_found) = (begun.step, begun.is_found);
            let from = self.servers.get(&over.from);
            let stays = from.is_some_and(ServerController::is_configured);
            if is_done && !(is_found && stays) {
                self.moves.failed.remove(&id);
                let until = context.now.after(self.quarantine());
                self.moves.came.insert((id, over.to.id()), until);
                context.report(Report::ShardMoved {
                    namespace: over.namespace,
                    shard: id,
                    from: over.from,
                    to: over.to.id(),
                });
            } else {
                self.rest(id, context);
                self.note_who_declined(id, context);
            }
        }
        self.begin_moves(context);
        self.plan_again(context);
    }

    /// Whether one less is to delete what it had of a shard that could not leave a server.
    fn has_one_deleted(&mut self, id: ShardId) -> bool {
        let Some(before) = self.moves.leaving.get(&id).copied() else {
            return false;
        };
        let left = self.leaving(id);
        self.moves.leaving.insert(id, left);
        left < before
    }

    /// How many are to delete what they had of a shard.
    fn leaving(&self, id: ShardId) -> usize {
        let namespace = self.shards.get(&id).map(ShardController::namespace);
        let stored = namespace.and_then(|namespace| self.ledger.shard(namespace, id));
        stored.map_or(0, |shard| shard.pending_delete_shard_nodes.len())
    }

    /// Who has data of this shard is not chosen again for a while: for longer than the shard is left alone.
    fn note_who_declined(&mut self, id: ShardId, context: &Context) {
        let rested = self.moves.resting.get(&id).copied();
        let until = rested.unwrap_or(context.now).after(self.quarantine());
        let shard = self.shards.get_mut(&id);
        if let Some(server) = shard.and_then(ShardController::take_declined) {
            self.moves.declined.insert((id, server), until);
        }
    }

    pub(super) fn plan_again(&mut self, context: &Context) {
        if self.moves.is_idle() {
            self.moves.replan(context);
        }
    }

    fn plan_moves(&mut self, context: &mut Context) {
        let Some(survey) = self.survey(context) else {
            return;
        };
        let Plan {
            moves,
            handings,
            stuck,
            later,
        } = survey.afresh();
        for (shard, it) in &stuck {
            // Who is away, of which the reason tells, changes all the time.
            if self.moves.stuck.get(shard).map(|it| &it.server) != Some(&it.server) {
                context.report(Report::MoveStuck {
                    shard: *shard,
                    reason: it.reason.clone(),
                });
            }
        }
        let leaving = stuck.keys().map(|id| (*id, self.leaving(*id)));
        let leaving = leaving.filter(|(_, left)| *left > 0);
        self.moves.leaving = leaving.collect();
        self.moves.stuck = stuck;
        let resting = &self.moves.resting;
        self.moves.unfit.retain(|id, _| resting.contains_key(id));
        self.moves.later = later;
        self.moves.planned = moves.into();
        self.moves.handings.planned = handings.into();
    }

    fn begin_moves(&mut self, context: &mut Context) {
        let limits = self.limits(context);
        let mut planned = std::mem::take(&mut self.moves.planned);
        let mut waiting = VecDeque::new();
        while self.moves.lagging().count() < limits.most
            && self.moves.in_hand().count() < limits.most
            && let Some(next) = planned.pop_front()
        {
            if !self.moves.has_room(&next, limits) {
                waiting.push_back(next);
                continue;
            }
            let exchange = Exchange {
                from: next.from.clone(),
                to: next.to.clone(),
            };
            let id = next.shard;
            let mut begun = Err(Unfit::NotLed);
            let begun_now = Begun {
                step: next,
                is_found: false,
                unled: None,
                lags: false,
            };
            self.moves.under_way.insert(id, begun_now);
            self.with_shard_alone(id, context, |shard, cx| {
                begun = shard.exchange(exchange, cx)
            });
            if let Err(unfit) = begun {
                if let Some(refused) = self.moves.under_way.remove(&id) {
                    self.note_why_it_stays(&refused.step, &unfit);
                    context.report(Report::ExchangeRefused {
                        namespace: refused.step.namespace,
                        shard: id,
                        reason: unfit.to_string(),
                    });
                }
                self.rest(id, context);
            }
        }
        waiting.append(&mut planned);
        self.moves.planned = waiting;
    }

    /// Whoever drains a server is told why it is not empty yet.
    fn note_why_it_stays(&mut self, step: &Move, unfit: &Unfit) {
        let from = self.servers.get(&step.from);
        if !from.is_some_and(ServerController::is_configured) {
            let (server, reason) = (step.from.clone(), unfit.to_string());
            self.moves
                .unfit
                .insert(step.shard, Stuck { server, reason });
        }
    }

    /// It is left alone: for a moment, and longer and longer where it fails again and again.
    fn rest(&mut self, id: ShardId, context: &Context) {
        let quarantine = self.quarantine();
        let failed = self.moves.failed.get(&id).map_or(0, |(times, _)| *times);
        let rest = MOMENT.saturating_mul(1 << failed.min(16)).min(quarantine);
        let failed = (failed.saturating_add(1), context.now.after(quarantine));
        self.moves.failed.insert(id, failed);
        let until = context.now.after(rest);
        self.moves.resting.insert(id, until);
        self.moves.due = self.moves.due.min(until);
    }

    fn is_exchanging(&self, id: ShardId) -> bool {
        let Some(shard) = self.shards.get(&id) else {
            return false;
        };
        let stored = self.ledger.shard(shard.namespace(), id);
        shard.is_exchanging() || stored.is_some_and(|stored| !stored.removed_nodes.is_empty())
    }

    fn reach_of(&self, server: &ServerId) -> Option<Reach> {
        self.servers.get(server).map(ServerController::reach)
    }

    /// How much may be moved at once: as it is configured, or else by default.
    pub(super) fn limits(&self, context: &Context) -> Limits {
        let balancer = self.configuration.as_ref().map(|it| &it.load_balancer);
        let configured = |number: Option<u32>, default: usize| match number {
            Some(0) | None => default,
            Some(number) => usize::try_from(number).unwrap_or(usize::MAX),
        };
        let timing = &context.timing;
        Limits {
            most: configured(balancer.map(|it| it.max_moves), timing.moves_most),
            each: configured(
                balancer.map(|it| it.max_moves_per_server),
                timing.moves_each,
            ),
        }
    }

    fn schedule_interval(&self) -> Duration {
        let configuration = self.configuration.as_ref();
        let every = configuration.and_then(|it| it.load_balancer.schedule_interval);
        let every = every.filter(|every| !every.is_zero());
        every.unwrap_or(EVERY).max(LEAST)
    }

    pub(super) fn quarantine(&self) -> Duration {
        let configuration = self.configuration.as_ref();
        let time = configuration.and_then(|it| it.load_balancer.quarantine_time);
        time.unwrap_or(QUARANTINE).max(LEAST)
    }
}
