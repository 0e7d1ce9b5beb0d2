//! Data servers that come and go, and a namespace that is made and deleted, under writes that never pause,
//! while data servers and the coordinator are killed: whatever was acknowledged is there at the end, and
//! nothing is left of what was moved away or deleted.
//!
//! Everything is done to the sandbox's data servers, and to upstream's (`OXIA_BIN`).
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardStatus};
use stepdown_core::{ServerId, ShardId};
use stepdown_sandbox::cluster::{
    Balancing, Cluster, ClusterOptions, DataServerKind, Metadata, NamespaceOptions,
};
use stepdown_sandbox::workload::Workload;
use stepdown_tests::oxia::{Keys, Pace, oxia};
use stepdown_tests::processes::{DOOMED, Load, Ran, Rig, run, stepdown};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());

/// Leaders need not be spread any sooner.
const SPREAD: Duration = Duration::from_secs(60);
/// How long whoever is killed is away.
const AWAY: Duration = Duration::from_millis(700);

/// The data servers under test, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Scale {
    is_real: bool,
    first: usize,
    servers: usize,
    drained: usize,
    namespaces: usize,
    shards: u32,
    rounds: usize,
}

/// Who is killed next: each in turn, and now and then the coordinator.
struct Killer(usize);

impl Killer {
    /// Kills one, and starts it again.
    async fn strike(&mut self, rig: &mut Rig) {
        self.0 += 1;
        let servers = rig.cluster.data_servers.len();
        if self.0.is_multiple_of(3) {
            rig.kill_coordinator(0);
        } else {
            rig.kill_server(self.0 * 5 % servers);
        }
        sleep(AWAY).await;
        rig.mend();
    }
}

async fn rig(scale: Scale) -> Option<Rig> {
    let oxia = if scale.is_real { Some(oxia()?) } else { None };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let names = names(scale);
    let options = ClusterOptions {
        program: stepdown(),
        dir: dir.path().canonicalize().expect("the directory is there"),
        metadata: Metadata::File,
        coordinators: 1,
        data_servers: scale.servers,
        data_server_kind: match &oxia {
            Some(path) => DataServerKind::Program {
                path: path.clone(),
                words: Vec::new(),
            },
            None => DataServerKind::Sandbox,
        },
        unlisted: (scale.first..scale.servers).collect(),
        namespaces: kept(scale),
        coordinator_words: Vec::new(),
    };
    let load = |cluster: &Cluster| match &oxia {
        Some(oxia) => {
            let servers = cluster.data_servers.iter();
            let addresses = servers.map(|it| it.public().to_string()).collect();
            Load::Keys(Keys::start(oxia, addresses, &names, Pace::default()))
        }
        None => Load::Entries(Workload::new(scale.namespaces * scale.shards as usize)),
    };
    let mut rig = Rig::with(dir, &options, load).await;
    // What has come with one round may go with the next.
    rig.cluster.balance(Balancing {
        schedule_interval: Duration::from_secs(10),
        quarantine_time: Duration::from_secs(10),
    });
    Some(rig)
}

fn names(scale: Scale) -> Vec<String> {
    (1..=scale.namespaces)
        .map(|it| format!("kept-{it}"))
        .collect()
}

fn namespace(name: &str, shards: u32) -> NamespaceOptions {
    NamespaceOptions {
        name: name.to_owned(),
        shards,
        replication_factor: 3,
    }
}

fn kept(scale: Scale) -> Vec<NamespaceOptions> {
    let names = names(scale).into_iter();
    names.map(|name| namespace(&name, scale.shards)).collect()
}

/// Everybody who has, or may have, a part of a shard, by what is stored.
fn holders(status: &ClusterStatus) -> BTreeMap<ServerId, BTreeSet<ShardId>> {
    let mut holders: BTreeMap<ServerId, BTreeSet<ShardId>> = BTreeMap::new();
    for (_, id, shard) in status.shards() {
        let others = shard.removed_nodes.iter();
        let others = others.chain(&shard.pending_delete_shard_nodes);
        for server in shard.ensemble.iter().chain(others) {
            holders.entry(server.id()).or_default().insert(id);
        }
    }
    holders
}

/// Whether every shard is led, and none is being moved or deleted.
fn is_at_rest(status: &ClusterStatus) -> bool {
    status.shards().all(|(_, _, shard)| {
        let left = shard.removed_nodes.len() + shard.pending_delete_shard_nodes.len();
        shard.status == ShardStatus::SteadyState && left == 0
    })
}

/// Whether every shard is led and nothing is on its way, and these servers, and no others, have shards, none
/// two more than another one.
fn is_balanced(status: &ClusterStatus, listed: &[usize]) -> bool {
    let holders = holders(status);
    let names: BTreeSet<ServerId> = listed.iter().map(|it| name(*it)).collect();
    let counts: Vec<usize> = holders.values().map(BTreeSet::len).collect();
    let most = counts.iter().max().copied().unwrap_or_default();
    let least = counts.iter().min().copied().unwrap_or_default();
    is_at_rest(status)
        && holders.keys().cloned().collect::<BTreeSet<_>>() == names
        && most - least <= 1
}

/// Whether no member of any shard leads two shards fewer than its leader.
fn are_leaders_spread(status: &ClusterStatus) -> bool {
    let mut leads: BTreeMap<ServerId, usize> = BTreeMap::new();
    for (_, _, shard) in status.shards() {
        if let Some(leader) = &shard.leader {
            *leads.entry(leader.id()).or_default() += 1;
        }
    }
    let count = |server: &DataServerIdentity| leads.get(&server.id()).copied().unwrap_or_default();
    status.shards().all(|(_, _, shard)| {
        let leader = shard.leader.as_ref();
        leader.is_some_and(|leader| {
            shard
                .ensemble
                .iter()
                .all(|it| count(it) + 2 > count(leader))
        })
    })
}

fn name(index: usize) -> ServerId {
    ServerId(format!("server-{}", index + 1).into())
}

/// The directories of shards below this one, as upstream's data servers name them.
fn shard_directories(dir: &Path) -> BTreeSet<ShardId> {
    let mut found = BTreeSet::new();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
    {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let id = name.as_deref().and_then(|name| name.strip_prefix("shard-"));
        match id.and_then(|id| id.parse().ok()) {
            Some(id) => _ = found.insert(ShardId(id)),
            None => found.extend(shard_directories(&path)),
        }
    }
    found
}

/// Waits until it is so, and until the directories of real servers show it; says how long it took.
async fn settled(rig: &mut Rig, scale: Scale, listed: &[usize], what: &str) {
    let began = Instant::now();
    rig.until(what, async |rig| {
        let status = rig.status()?;
        if !is_balanced(&status, listed) {
            return None;
        }
        let holders = holders(&status);
        let servers = rig.cluster.data_servers.iter().enumerate();
        let mut servers = servers.filter(|_| scale.is_real);
        let are_cleared = servers.all(|(index, server)| {
            let has = holders.get(&name(index)).cloned().unwrap_or_default();
            shard_directories(server.data_dir()).is_subset(&has)
        });
        are_cleared.then_some(())
    })
    .await;
    println!("{what}: {:.1?}", began.elapsed());
}

/// Says how long it takes until leaders are spread. While much is written the log of whoever leads is often ahead
/// of all others, and then it leads again.
async fn leaders_are_spread(rig: &mut Rig) {
    let began = Instant::now();
    rig.until("leaders to be spread, or a minute to pass", async |rig| {
        let is_so = rig.status().is_some_and(|it| are_leaders_spread(&it));
        if is_so {
            println!("leaders are spread: {:.1?}", began.elapsed());
        }
        (is_so || began.elapsed() > SPREAD).then_some(())
    })
    .await;
}

/// The terms of all shards that are there from first to last, added up.
fn terms(rig: &Rig) -> i64 {
    let status = rig.status().expect("there is a status");
    let kept = status.shards().filter(|(name, _, _)| &***name != DOOMED);
    kept.map(|(_, _, shard)| shard.term.0).sum()
}

/// Says what a round has cost those who write.
fn tell_the_cost(rig: &Rig, (terms_before, unanswered_before): (i64, Option<u64>)) {
    println!("terms raised: {}", terms(rig) - terms_before);
    if let (Some(before), Some(now)) = (unanswered_before, rig.unanswered()) {
        println!("puts that failed: {}", now.saturating_sub(before));
    }
}

async fn come_and_go(scale: Scale) {
    let _turn = TURN.lock().await;
    let Some(mut rig) = rig(scale).await else {
        return;
    };
    let mut killer = Killer(0);
    let few: Vec<usize> = (0..scale.first).collect();
    let all: Vec<usize> = (0..scale.servers).collect();
    let rest: Vec<usize> = (scale.drained..scale.servers).collect();
    for round in 0..scale.rounds {
        println!("round {round}");
        let before = (terms(&rig), rig.unanswered());
        rig.configure(kept(scale), &all);
        killer.strike(&mut rig).await;
        settled(&mut rig, scale, &all, "new servers have their share").await;

        rig.configure(kept(scale), &rest);
        killer.strike(&mut rig).await;
        settled(&mut rig, scale, &rest, "servers are drained").await;

        let mut more = kept(scale);
        more.push(namespace(DOOMED, 8));
        rig.configure(more, &rest);
        killer.strike(&mut rig).await;
        rig.until("the namespace to be made", async |rig| {
            let status = rig.status()?;
            let made = status.namespaces.get(DOOMED)?.kept().count();
            (made == 8).then_some(())
        })
        .await;
        settled(&mut rig, scale, &rest, "a namespace is made").await;

        rig.configure(kept(scale), &rest);
        killer.strike(&mut rig).await;
        rig.until("the namespace to be gone", async |rig| {
            let status = rig.status()?;
            (!status.namespaces.contains_key(DOOMED)).then_some(())
        })
        .await;
        // Shards stay for a while where they have just come to, so that servers need not be equal again.
        rig.until("nothing to be on its way", async |rig| {
            is_at_rest(&rig.status()?).then_some(())
        })
        .await;

        leaders_are_spread(&mut rig).await;

        rig.configure(kept(scale), &few);
        killer.strike(&mut rig).await;
        settled(&mut rig, scale, &few, "all but the first are drained").await;
        tell_the_cost(&rig, before);
    }
    let read_back = rig.nothing_is_lost().await;
    println!("{scale:?}: {read_back} acknowledged, all read back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_and_namespaces_that_come_and_go_lose_nothing() {
    come_and_go(Scale {
        is_real: false,
        first: 3,
        servers: 5,
        drained: 2,
        namespaces: 2,
        shards: 4,
        rounds: 1,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_servers_and_namespaces_that_come_and_go_lose_nothing() {
    let is_night = std::env::var("STEPDOWN_TESTS").is_ok_and(|it| it == "night");
    come_and_go(Scale {
        is_real: true,
        first: 3,
        servers: 7,
        drained: 2,
        namespaces: 4,
        shards: 8,
        rounds: if is_night { 5 } else { 1 },
    })
    .await;
}

/// `stepdown` with these words, asking the only coordinator there is.
fn command(rig: &Rig, words: &[&str]) -> Ran {
    let coordinator = rig.cluster.coordinators.first().expect("there is one");
    let address = format!("--admin-address={}", coordinator.public());
    let words = words.iter().copied().chain([address.as_str()]);
    let words: Vec<&OsStr> = words.map(OsStr::new).collect();
    run(&stepdown(), &words)
}

fn json(rig: &Rig, words: &[&str]) -> serde_json::Value {
    let words: Vec<&str> = words.iter().copied().chain(["--output=json"]).collect();
    let ran = command(rig, &words);
    assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.text);
    serde_json::from_str(&ran.text).expect("it is JSON")
}

/// Of how many shards each data server is a member, by this column.
fn shards(plan: &serde_json::Value, column: &str) -> BTreeMap<String, u64> {
    let servers = plan["servers"].as_array().expect("there are servers");
    let shards = servers.iter().map(|it| {
        let name = it["server"].as_str().expect("each has a name");
        (
            name.to_owned(),
            it[column].as_u64().expect("it is a number"),
        )
    });
    shards.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_planned_is_done_and_who_never_comes_back_is_forgotten() {
    let _turn = TURN.lock().await;
    let scale = Scale {
        is_real: false,
        first: 3,
        servers: 4,
        drained: 1,
        namespaces: 1,
        shards: 8,
        rounds: 1,
    };
    let mut rig = rig(scale).await.expect("sandbox servers need nothing");
    let new = rig.cluster.data_servers.last().expect("there are four");
    let public = format!("--public={}", new.public());
    let internal = format!("--internal={}", new.internal());
    let create = [
        "admin",
        "data-server",
        "create",
        "server-4",
        &public,
        &internal,
    ];

    let forecast = json(&rig, &[&create[..], &["--dry-run"]].concat());
    assert_eq!(forecast["supposed"], serde_json::json!(["server-4"]));
    assert_eq!(forecast["moves"].as_array().map(Vec::len), Some(6));
    assert_eq!(json(&rig, &["plan"])["moves"], serde_json::json!([]));

    let paused = json(&rig, &["admin", "balancer", "pause"]);
    assert_eq!(paused["balancer"]["paused"], true);
    let created = command(&rig, &[&create[..], &["--wait=60s"]].concat());
    assert_eq!(created.code, Some(0), "{}", created.text);
    assert_eq!(
        shards(&json(&rig, &["plan"]), "shards").get("server-4"),
        Some(&0)
    );
    let resumed = json(&rig, &["admin", "balancer", "resume"]);
    assert_eq!(resumed["balancer"]["paused"], false);
    let then = shards(&forecast, "shards_then");
    rig.until("shards to be where they were planned to be", async |rig| {
        (shards(&json(rig, &["plan"]), "shards") == then).then_some(())
    })
    .await;

    rig.kill_server(3);
    let gone = command(&rig, &["admin", "data-server", "delete", "server-4"]);
    assert_eq!(gone.code, Some(0), "{}", gone.text);
    let drain_status = ["admin", "data-server", "drain-status", "server-4"];
    rig.until("shards to have left one that is away", async |rig| {
        let status = json(rig, &drain_status);
        let server = status.get(0)?;
        (server["shards"] == 0 && server["to_delete"] == 6).then_some(())
    })
    .await;
    let waiting = json(&rig, &["plan"])["waiting"].clone();
    assert_eq!(waiting[0]["server"], "server-4", "{waiting}");
    assert_eq!(waiting[0]["shards"], 6, "{waiting}");
    let status = json(&rig, &drain_status)[0]["state"].to_string();
    assert!(status.contains("it is away; forget it if"), "{status}");
    let forget = ["admin", "data-server", "forget", "server-4"];
    let unsure = command(&rig, &forget);
    assert_eq!(unsure.code, Some(1), "{}", unsure.text);
    assert!(unsure.text.contains("--yes"), "{}", unsure.text);
    let sure = json(&rig, &[&forget[..], &["--yes"]].concat());
    assert_eq!(
        sure,
        serde_json::json!({"server": "server-4", "shards": 6, "left": 0})
    );
    let nothing = command(&rig, &drain_status);
    assert!(
        nothing.text.contains("has nothing of any shard"),
        "{}",
        nothing.text
    );
    let again = command(&rig, &[&forget[..], &["--yes"]].concat());
    assert!(again.text.contains("nothing to forget"), "{}", again.text);
    rig.nothing_is_lost().await;
}
