//! What is to be moved, as it is told; and what would be with another configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepdown_backends::boottime;
use stepdown_core::balance::{self, Forecast, Survey};
use stepdown_core::cluster::{ClusterConfiguration, DataServerIdentity};
use stepdown_core::{ServerId, ShardId};
use stepdown_wire::operator::{
    Balancer, HeldBack, Move, NamespaceProgress, NamespaceRefused, NamespaceShards, Plan,
    ServerShards, Stuck, Waiting,
};

/// What is to be done, or would be with the configuration that is supposed; all of it, or what is of this
/// namespace alone.
pub(super) fn told(
    mut survey: Survey,
    supposed: Option<ClusterConfiguration>,
    only: Option<&str>,
) -> Plan {
    if let Some(only) = only {
        // Nothing is planned from this one.
        let stored = Arc::make_mut(&mut survey.stored);
        stored.namespaces.retain(|name, _| **name == *only);
    }
    let configuration = match &supposed {
        Some(supposed) => Arc::new(supposed.clone()),
        None => survey.configuration.clone(),
    };
    let mut servers = servers(&survey, &configuration);
    let mut plan = Plan {
        under_way: survey.under_way.iter().map(moved).collect(),
        handed: survey.handed.iter().map(handed).collect(),
        namespaces: namespaces(&survey),
        balancer: Some(balancer(&survey, &configuration)),
        held_back: survey.held.as_ref().map(held_back),
        ..Plan::default()
    };
    let owners: BTreeMap<ShardId, Arc<str>> = survey
        .status
        .shards()
        .map(|(name, id, _)| (id, name.clone()))
        .collect();
    plan.waiting = survey.waiting.iter().map(waiting).collect();
    let alone = survey.left_alone();
    let resting = alone.iter().filter_map(|id| owners.get(id));
    plan.resting = counted(resting.cloned());
    let forecast = match supposed {
        Some(supposed) => survey.forecast(supposed),
        None => {
            let plan = survey.plan();
            Forecast {
                shards: survey.shards_after(&plan),
                refused: survey.refused,
                plan,
                ..Forecast::default()
            }
        }
    };
    let Forecast {
        plan:
            balance::Plan {
                moves,
                handings,
                stuck,
                later: _,
            },
        made,
        deleted,
        refused,
        supposed,
        shards,
    } = forecast;
    plan.moves = moves.iter().map(moved).collect();
    plan.handings = handings.iter().map(handed).collect();
    let stuck = stuck.into_iter().map(|(shard, it)| Stuck {
        namespace: owners
            .get(&shard)
            .map(ToString::to_string)
            .unwrap_or_default(),
        shard: shard.0,
        reason: it.reason,
        server: it.server.to_string(),
    });
    plan.stuck = stuck.collect();
    plan.made = made.iter().map(namespace_shards).collect();
    plan.deleted = deleted.iter().map(namespace_shards).collect();
    let refused = refused
        .into_iter()
        .map(|(namespace, reason)| NamespaceRefused {
            namespace: namespace.to_string(),
            reason,
        });
    plan.refused = refused.collect();
    plan.supposed = supposed.iter().map(ToString::to_string).collect();
    for (id, shards) in shards {
        servers.entry(id).or_default().shards_then = number(shards);
    }
    let named = servers.into_iter().map(|(id, server)| ServerShards {
        server: id.to_string(),
        ..server
    });
    plan.servers = named.collect();
    if let Some(only) = only {
        cut(&mut plan, only);
    }
    plan
}

/// Leaves of a plan what is of this namespace, where `servers` are counted in it alone.
fn cut(plan: &mut Plan, only: &str) {
    for moves in [
        &mut plan.under_way,
        &mut plan.moves,
        &mut plan.handed,
        &mut plan.handings,
    ] {
        moves.retain(|it| it.namespace == only);
    }
    for shards in [&mut plan.resting, &mut plan.made, &mut plan.deleted] {
        shards.retain(|it| it.namespace == only);
    }
    plan.stuck.retain(|it| it.namespace == only);
    plan.refused.retain(|it| it.namespace == only);
    plan.namespaces.retain(|it| it.namespace == only);
    plan.waiting.retain(|it| it.namespace == only);
    if let Some(held_back) = &mut plan.held_back {
        held_back.namespaces.retain(|it| it == only);
    }
    plan.supposed.clear();
    plan.servers.clear();
}

/// Every data server that is configured, or has anything of a shard.
fn servers(
    survey: &Survey,
    configuration: &ClusterConfiguration,
) -> BTreeMap<ServerId, ServerShards> {
    let mut servers: BTreeMap<ServerId, ServerShards> = BTreeMap::new();
    for server in &configuration.servers {
        servers.entry(server.id()).or_default().configured = true;
    }
    for id in &survey.running {
        servers.entry(id.clone()).or_default().running = true;
    }
    for (_, _, shard) in survey.stored.shards() {
        let is_deleted = shard.is_deleting();
        let count = |all: &mut BTreeMap<ServerId, ServerShards>,
                     of: &[DataServerIdentity],
                     add: fn(&mut ServerShards)| {
            for server in of {
                add(all.entry(server.id()).or_default());
            }
        };
        let to_delete = |it: &mut ServerShards| it.to_delete += 1;
        count(&mut servers, &shard.removed_nodes, to_delete);
        count(&mut servers, &shard.pending_delete_shard_nodes, to_delete);
        if is_deleted {
            count(&mut servers, &shard.ensemble, to_delete);
            continue;
        }
        count(&mut servers, &shard.ensemble, |it| it.shards += 1);
        if let Some(leader) = &shard.leader {
            servers.entry(leader.id()).or_default().leads += 1;
        }
    }
    servers
}

fn namespaces(survey: &Survey) -> Vec<NamespaceProgress> {
    let namespaces = survey.stored.namespaces.iter();
    let progress = namespaces.map(|(name, namespace)| {
        let led = namespace.kept().filter(|(_, shard)| shard.leader.is_some());
        NamespaceProgress {
            namespace: name.to_string(),
            shards: number(namespace.kept().count()),
            led: number(led.count()),
            deleting: number(
                namespace
                    .shards
                    .len()
                    .saturating_sub(namespace.kept().count()),
            ),
        }
    });
    progress.collect()
}

pub(super) fn balancer(survey: &Survey, configuration: &ClusterConfiguration) -> Balancer {
    let whole = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Balancer {
        paused: configuration.load_balancer.paused,
        max_moves: whole(survey.most),
        max_moves_per_server: whole(survey.each),
    }
}

fn moved(it: &balance::Move) -> Move {
    Move {
        namespace: it.namespace.to_string(),
        shard: it.shard.0,
        from: it.from.to_string(),
        to: it.to.id().to_string(),
    }
}

fn handed(it: &balance::Handing) -> Move {
    Move {
        namespace: it.namespace.to_string(),
        shard: it.shard.0,
        from: it.from.to_string(),
        to: it.to.to_string(),
    }
}

fn held_back(it: &balance::HeldBack) -> HeldBack {
    HeldBack {
        namespaces: it.namespaces.iter().map(ToString::to_string).collect(),
        wait_ms: u64::try_from(it.until.since(boottime()).as_millis()).unwrap_or(u64::MAX),
    }
}

fn waiting(it: &balance::Waiting) -> Waiting {
    Waiting {
        server: it.server.to_string(),
        reason: it.reason.to_string(),
        shards: number(it.shards),
        namespace: it.namespace.to_string(),
        first: it.first.0,
    }
}

fn counted(namespaces: impl Iterator<Item = Arc<str>>) -> Vec<NamespaceShards> {
    let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for namespace in namespaces {
        *counts.entry(namespace).or_default() += 1;
    }
    counts.iter().map(namespace_shards).collect()
}

fn namespace_shards((namespace, shards): (&Arc<str>, &usize)) -> NamespaceShards {
    NamespaceShards {
        namespace: namespace.to_string(),
        shards: number(*shards),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_namespace_nothing_of_another_is_told() {
        let of = |it: &str| it.to_owned();
        let both = ["orders", "payments"];
        let moves = both.map(|it| Move {
            namespace: of(it),
            ..Move::default()
        });
        let shards = both.map(|it| NamespaceShards {
            namespace: of(it),
            shards: 1,
        });
        let whole = Plan {
            under_way: moves.to_vec(),
            moves: moves.to_vec(),
            handed: moves.to_vec(),
            handings: moves.to_vec(),
            stuck: both
                .map(|it| Stuck {
                    namespace: of(it),
                    ..Stuck::default()
                })
                .to_vec(),
            resting: shards.to_vec(),
            made: shards.to_vec(),
            deleted: shards.to_vec(),
            refused: both
                .map(|it| NamespaceRefused {
                    namespace: of(it),
                    ..NamespaceRefused::default()
                })
                .to_vec(),
            supposed: vec![of("s3")],
            servers: vec![ServerShards {
                server: of("s1"),
                to_delete: 2,
                ..ServerShards::default()
            }],
            balancer: Some(Balancer::default()),
            namespaces: both
                .map(|it| NamespaceProgress {
                    namespace: of(it),
                    ..NamespaceProgress::default()
                })
                .to_vec(),
            held_back: Some(HeldBack {
                namespaces: both.map(of).to_vec(),
                wait_ms: 1,
            }),
            waiting: both
                .map(|it| Waiting {
                    server: of("s1"),
                    namespace: of(it),
                    shards: 5,
                    ..Waiting::default()
                })
                .to_vec(),
        };
        let mut plan = whole.clone();
        cut(&mut plan, "orders");
        let told = format!("{plan:?}");
        for other in ["payments", "s3"] {
            assert!(!told.contains(other), "{told}");
        }
        assert_eq!(told.matches("orders").count(), 12);
        assert_eq!((plan.waiting[0].shards, plan.servers.len()), (5, 0));
        let mut none = whole;
        cut(&mut none, "nope");
        assert!(!format!("{none:?}").contains("orders"));
    }
}
