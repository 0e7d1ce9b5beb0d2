//! Leaders are spread evenly: where one leads too many shards, some of them are elected anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Office;
use crate::balance::Handing;
use crate::context::Context;
use crate::id::{ShardId, Term, Timestamp};
use crate::ledger::Ledger;
use crate::report::Report;
use crate::shard::Intent;

/// Shards that are to be led by others, and those that are being elected for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Handings {
    pub(super) planned: VecDeque<Handing>,
    pub(super) under_way: BTreeMap<ShardId, Handing>,
    /// Those that somebody else was to lead, but did not.
    vain: BTreeMap<ShardId, Vain>,
}

/// How often that was so, one time after another.
#[derive(Clone, Debug)]
struct Vain {
    namespace: Arc<str>,
    times: usize,
    /// Until when it is not tried again.
    until: Timestamp,
    /// In which term the last time.
    term: Term,
}

/// So often it is tried, while nothing else changes who leads.
const TRIES: usize = 3;

impl Handings {
    pub(super) fn forget(&mut self, id: ShardId) {
        self.under_way.remove(&id);
        self.vain.remove(&id);
        self.planned.retain(|it| it.shard != id);
    }

    /// The shards that are led as they are for now, or until something else changes who leads them. They may
    /// be moved all the same.
    pub(super) fn settled(&self, ledger: &Ledger<Intent>, now: Timestamp) -> BTreeSet<ShardId> {
        let settled = self.vain.iter().filter(|(id, vain)| {
            vain.until > now
                || vain.times >= TRIES && term_of(ledger, **id, vain) == Some(vain.term)
        });
        settled.map(|(id, _)| *id).collect()
    }

    /// An election for it has ended in this term, and whoever led leads again, or another one.
    fn was_in_vain(&mut self, handing: Handing, term: Term, until: Timestamp) {
        let times = match self.vain.get(&handing.shard) {
            Some(vain) if vain.term.next() == term => vain.times.saturating_add(1),
            Some(_) | None => 1,
        };
        let vain = Vain {
            namespace: handing.namespace,
            times,
            until,
            term,
        };
        self.vain.insert(handing.shard, vain);
    }
}

impl Office {
    /// Elects where somebody else is to lead, so many at once as may be moved, and not beside moves.
    pub(super) fn begin_handings(&mut self, context: &mut Context) {
        let most = self.limits(context).most;
        while self.moves.none_is_under_way()
            && self.moves.handings.under_way.len() < most
            && let Some(next) = self.moves.handings.planned.pop_front()
        {
            let id = next.shard;
            let mut begun = false;
            self.with_shard_alone(id, context, |shard, cx| begun = shard.hand_over(cx));
            // It is planned again.
            if !begun {
                continue;
            }
            context.report(Report::LeaderHanded {
                namespace: next.namespace.clone(),
                shard: id,
                from: next.from.clone(),
                to: next.to.clone(),
            });
            self.moves.handings.under_way.insert(id, next);
        }
    }

    /// Whoever was to lead leads now, or somebody else does: then it is not tried again soon.
    pub(super) fn look_at_handing(&mut self, id: ShardId, context: &mut Context) {
        let shard = self.shards.get(&id);
        if shard.is_some_and(|shard| !shard.is_steady()) {
            return;
        }
        let Some(handing) = self.moves.handings.under_way.remove(&id) else {
            return;
        };
        if let Some(shard) = self.ledger.shard(&handing.namespace, id) {
            let (leader, term) = (shard.leader.as_ref(), shard.term);
            if leader.is_none_or(|leader| leader.id() != handing.to) {
                let until = context.now.after(self.quarantine());
                self.moves.handings.was_in_vain(handing, term, until);
            }
        }
        self.begin_handings(context);
        self.plan_again(context);
    }
}

fn term_of(ledger: &Ledger<Intent>, id: ShardId, vain: &Vain) -> Option<Term> {
    ledger.shard(&vain.namespace, id).map(|shard| shard.term)
}
