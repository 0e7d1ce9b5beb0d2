//! Leaders are spread evenly.

use std::collections::BTreeMap;

use crate::call::CallErrorKind;
use crate::scripted::World;
use crate::{Effect, Report, Timing};

pub(super) const FOUR: &str = "
namespaces:
  - {name: default, initialShardCount: 4, replicationFactor: 3}
servers:
  - {name: s1, public: 's1:6648', internal: 's1:6649'}
  - {name: s2, public: 's2:6648', internal: 's2:6649'}
  - {name: s3, public: 's3:6648', internal: 's3:6649'}
";

fn leads(world: &World) -> BTreeMap<String, usize> {
    let mut leads = BTreeMap::new();
    for (_, _, shard) in world.status().shards() {
        let leader = shard.leader.as_ref().unwrap().id().to_string();
        *leads.entry(leader).or_default() += 1;
    }
    leads
}

fn handed(world: &World) -> usize {
    let is_it = |effect: &&Effect| matches!(effect, Effect::Report(Report::LeaderHanded { .. }));
    world.log.iter().filter(is_it).count()
}

#[test]
fn a_shard_that_nobody_else_comes_to_lead_may_be_moved_all_the_same() {
    let mut world = World::steady_with(Timing::default(), FOUR, 4);
    world.take_away("s1:6649");
    world.run_for(20_000);
    world.failing.clear();
    // Nobody else can lead, so that the same one leads again.
    world
        .failing
        .insert(("s1:6649".to_owned(), "BecomeLeader"), CallErrorKind::Other);
    world.run_for(400_000);
    assert!(handed(&world) >= 1);
    assert_eq!(leads(&world).len(), 2);
    world.failing.clear();
    let more = format!("{FOUR}  - {{name: s4, public: 's4:6648', internal: 's4:6649'}}\n");
    world.configure(Some(&more.replace(
        "  - {name: s2, public: 's2:6648', internal: 's2:6649'}\n",
        "",
    )));
    world.run_for(20_000);
    let is_left = |world: &World| {
        let mut shards = world.status().shards();
        shards.any(|(_, _, shard)| shard.ensemble.iter().any(|it| *it.id().0 == *"s2"))
    };
    assert!(!is_left(&world), "no shard waits for its leader to change");
}

#[test]
fn a_server_that_is_back_leads_its_share_once_it_has_lasted() {
    let mut world = World::steady_with(Timing::default(), FOUR, 4);
    world.take_away("s1:6649");
    world.run_for(20_000);
    assert_eq!(leads(&world).values().copied().collect::<Vec<_>>(), [2, 2]);
    world.failing.clear();
    world.run_for(200_000);
    assert_eq!((leads(&world).len(), handed(&world)), (2, 0));
    world.run_for(200_000);
    assert_eq!(leads(&world).len(), 3);
    assert_eq!(handed(&world), 1, "and that was enough");
}
