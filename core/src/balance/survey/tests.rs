use super::*;
use crate::scripted::World;
use crate::{Effect, Report, Timing};

fn configuration(namespaces: &[&str], servers: &[u32]) -> String {
    let namespaces = namespaces
        .iter()
        .map(|name| format!("  - {{name: {name}, initialShardCount: 4, replicationFactor: 3}}\n"));
    let servers = servers
        .iter()
        .map(|at| format!("  - {{name: s{at}, public: 's{at}:6648', internal: 's{at}:6649'}}\n"));
    format!(
        "namespaces:\n{}servers:\n{}",
        namespaces.collect::<String>(),
        servers.collect::<String>()
    )
}

fn steady() -> World {
    World::steady_with(Timing::default(), &configuration(&["a"], &[1, 2, 3]), 4)
}

/// What came of it: shards by who left and who came, and how many were created and deleted.
fn moved(world: &World) -> Vec<(ShardId, String, String)> {
    let moved = world.log.iter().filter_map(|effect| match effect {
        Effect::Report(Report::ShardMoved {
            shard, from, to, ..
        }) => Some((*shard, from.to_string(), to.to_string())),
        _ => None,
    });
    let mut moved: Vec<_> = moved.collect();
    moved.sort();
    moved
}

fn told(plan: &Plan) -> Vec<(ShardId, String, String)> {
    let told = plan.moves.iter();
    let told = told.map(|it| (it.shard, it.from.to_string(), it.to.id().to_string()));
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

fn forecast(world: &World, text: &str) -> Forecast {
    let survey = world.machine.survey().unwrap();
    survey.forecast(ClusterConfiguration::decode(text).unwrap())
}

#[test]
fn what_is_forecast_of_new_servers_is_what_is_done_once_they_are_configured() {
    let mut world = steady();
    let text = configuration(&["a"], &[1, 2, 3, 4, 5]);
    let forecast = forecast(&world, &text);
    let supposed: Vec<_> = forecast.supposed.iter().map(ToString::to_string).collect();
    assert_eq!(supposed, ["s4", "s5"]);
    assert!(forecast.plan.moves.len() >= 4, "{forecast:?}");
    world.configure(Some(&text));
    world.run_for(60_000);
    assert_eq!(told(&forecast.plan), moved(&world));
}

#[test]
fn what_is_forecast_of_a_drained_server_is_what_is_done() {
    let mut world = World::steady_with(
        Timing::default(),
        &configuration(&["a"], &[1, 2, 3, 4, 5]),
        4,
    );
    let text = configuration(&["a"], &[1, 2, 3, 4]);
    let forecast = forecast(&world, &text);
    assert!(!forecast.plan.moves.is_empty());
    assert!(forecast.supposed.is_empty());
    world.configure(Some(&text));
    world.run_for(60_000);
    assert_eq!(told(&forecast.plan), moved(&world));
}

#[test]
fn a_forecast_says_what_is_made_and_what_is_deleted() {
    let world = steady();
    let of = |namespaces: &[&str], servers: &[u32]| {
        let forecast = forecast(&world, &configuration(namespaces, servers));
        let names = |them: &BTreeMap<Arc<str>, usize>| {
            let names = them.iter().map(|(name, shards)| format!("{name} {shards}"));
            names.collect::<Vec<_>>().join(" ")
        };
        (names(&forecast.made), names(&forecast.deleted))
    };
    assert_eq!(of(&["a", "b"], &[1, 2, 3]), ("b 4".into(), String::new()));
    assert_eq!(of(&["b"], &[1, 2, 3]), ("b 4".into(), "a 4".into()));
    assert_eq!(of(&["a"], &[1, 2, 3]), (String::new(), String::new()));
}

#[test]
fn asking_changes_nothing() {
    let mut world = steady();
    let before = world.machine.fingerprint();
    let survey = world.machine.survey().unwrap();
    assert!(survey.plan().is_idle());
    let _ = forecast(&world, &configuration(&["b"], &[1, 2, 3, 4]));
    assert_eq!(world.machine.fingerprint(), before);
    world.run_for(60_000);
    assert_eq!(moved(&world), []);
}
