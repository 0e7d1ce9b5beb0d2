//! Who leads how many shards, and which of these others could lead.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plan::Handing;
use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::{ServerId, ShardId};

/// Where fewer of the shards are led, leaders change anyway: three of so many.
const PARTS: usize = 4;

/// The shards that could be led by others.
pub(super) struct Leads {
    counts: BTreeMap<ServerId, usize>,
    shards: Vec<Led>,
    is_at_rest: bool,
}

struct Led {
    namespace: Arc<str>,
    id: ShardId,
    leader: ServerId,
    others: Vec<ServerId>,
}

impl Leads {
    /// Of these shards among all, and those servers that may lead them.
    pub(super) fn of<'a>(
        every: impl Iterator<Item = &'a Arc<ShardMetadata>>,
        shards: impl Iterator<Item = (&'a Arc<str>, ShardId, &'a Arc<ShardMetadata>)>,
        may_lead: impl Fn(&ServerId) -> bool,
    ) -> Self {
        let (mut all, mut led) = (0_usize, 0_usize);
        let mut leads = Self {
            counts: BTreeMap::new(),
            shards: Vec::new(),
            is_at_rest: false,
        };
        for leader in every.filter_map(|shard| shard.leader.as_ref()) {
            *leads.counts.entry(leader.id()).or_default() += 1;
        }
        for (namespace, id, shard) in shards {
            all += 1;
            let Some(leader) = shard.leader.as_ref().map(DataServerIdentity::id) else {
                continue;
            };
            led += 1;
            let others = shard.ensemble.iter().map(DataServerIdentity::id);
            let others = others.filter(|id| *id != leader && may_lead(id));
            if may_lead(&leader) {
                leads.shards.push(Led {
                    namespace: namespace.clone(),
                    id,
                    others: others.collect(),
                    leader,
                });
            }
        }
        leads.is_at_rest = led * PARTS >= all * (PARTS - 1);
        leads
    }

    /// Of those that may be, shard after shard goes from its leader to the one of the others that leads the
    /// fewest, while that has at least two fewer; none goes twice.
    pub(super) fn spread(mut self, may_be_led: impl Fn(ShardId) -> bool) -> Vec<Handing> {
        self.shards.retain(|led| may_be_led(led.id));
        let mut handings = Vec::new();
        while self.is_at_rest {
            let before = handings.len();
            for led in std::mem::take(&mut self.shards) {
                let others = led.others.iter();
                let fewest = others.min_by_key(|id| self.count(id)).cloned();
                let to = fewest.filter(|to| self.count(to) + 2 <= self.count(&led.leader));
                let Some(to) = to else {
                    self.shards.push(led);
                    continue;
                };
                if let Some(count) = self.counts.get_mut(&led.leader) {
                    *count = count.saturating_sub(1);
                }
                *self.counts.entry(to.clone()).or_default() += 1;
                handings.push(Handing {
                    namespace: led.namespace,
                    shard: led.id,
                    from: led.leader,
                    to,
                });
            }
            if handings.len() == before {
                break;
            }
        }
        handings
    }

    fn count(&self, server: &ServerId) -> usize {
        self.counts.get(server).copied().unwrap_or_default()
    }
}
