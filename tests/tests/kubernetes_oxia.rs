//! Stepdown and upstream's coordinator (`OXIA_BIN`) take over from one another on one Lease and
//! one pair of ConfigMaps, with upstream's data servers and upstream's clients at work.
#![cfg(target_os = "linux")]
#![expect(clippy::panic, reason = "helpers of tests may fail the test")]

use stepdown_tests::kubernetes::Grants;
use stepdown_tests::oxia::{Cost, Member, Mixed};
use stepdown_tests::processes::stepdown;
use tokio::sync::Mutex;

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());

/// Stepdown has left every shard alone that it has found led, and no client has noticed.
async fn took_over_quietly(mixed: &mut Mixed, name: &str, cost: Cost) {
    assert_eq!(mixed.needless_elections().await, 0, "needless elections");
    assert_eq!(cost.failed, 0, "failed operations of clients");
    assert_eq!(mixed.restarts(name), 0);
}

/// Where the figures can be read.
fn tell(what: &str, cost: Cost) {
    eprintln!("{what}: {cost}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coordinators_of_both_kinds_take_over_from_one_another_under_load() {
    let _turn = TURN.lock().await;
    let Some(mut mixed) = Mixed::start("mixed", Grants::Chart).await else {
        return;
    };
    mixed.start_oxia("go-1");
    mixed.leads("go-1").await;
    mixed.load().await;
    mixed.start_stepdown("sd-1");
    mixed.stands_by("sd-1").await;
    refuses_a_transfer(&mixed);
    let figures = mixed.perf().stats().len();
    let quiet = mixed.cost(None, async |mixed| mixed.figures_after(figures).await);
    tell("nothing happens, upstream's leads", quiet.await);
    let killed = mixed.cost(None, async |mixed| mixed.kill_server(1).await);
    tell("SIGKILL to a data server, upstream's leads", killed.await);

    let cost = mixed.cost(Some("sd-1"), async |mixed| mixed.terminate("go-1"));
    let cost = cost.await;
    tell("SIGTERM to upstream's, Stepdown takes over", cost);
    took_over_quietly(&mut mixed, "sd-1", cost).await;
    refuses_administration(&mixed, "sd-1");

    // It reads the status now, and never again. Where Leases can't be watched, Stepdown touches
    // the status when it leaves, and the first write finds that.
    mixed.start_oxia("go-2");
    mixed.stands_by("go-2").await;
    let cost = mixed.cost(Some("go-2"), async |mixed| mixed.terminate("sd-1"));
    tell("SIGTERM to Stepdown, upstream's takes over", cost.await);
    let cost = mixed.cost(Some("go-2"), add_namespace).await;
    tell("upstream's writes for the first time", cost);
    assert_eq!(mixed.restarts("go-2"), 1);

    let epoch = mixed.onlooker.epoch();
    mixed.start_stepdown("sd-2");
    mixed.stands_by("sd-2").await;
    let cost = mixed.cost(Some("sd-2"), async |mixed| mixed.kill("go-2"));
    let cost = cost.await;
    tell("SIGKILL to upstream's, Stepdown takes over", cost);
    took_over_quietly(&mut mixed, "sd-2", cost).await;
    // Upstream's has dropped it from the status, and kept it in the Lease.
    assert!(mixed.onlooker.epoch() > epoch);
    let killed = mixed.cost(None, async |mixed| mixed.kill_server(1).await);
    tell("SIGKILL to a data server, Stepdown leads", killed.await);

    mixed.start_oxia("go-3");
    mixed.stands_by("go-3").await;
    add_namespace(&mut mixed).await;
    let cost = mixed.cost(Some("go-3"), async |mixed| mixed.terminate("sd-2"));
    tell(
        "SIGTERM to Stepdown, upstream's knows an old status",
        cost.await,
    );
    add_namespace(&mut mixed).await;
    assert_eq!(mixed.restarts("go-3"), 1);

    mixed.start_stepdown("sd-3");
    mixed.stands_by("sd-3").await;
    let cost = mixed.cost(Some("sd-3"), async |mixed| mixed.terminate("go-3"));
    let cost = cost.await;
    tell("SIGTERM to upstream's, Stepdown takes over", cost);
    took_over_quietly(&mut mixed, "sd-3", cost).await;
    add_namespace(&mut mixed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_leases_can_be_watched_a_fresh_one_of_upstreams_takes_over_without_a_restart() {
    let _turn = TURN.lock().await;
    let Some(mut mixed) = Mixed::start("watched", Grants::Ours).await else {
        return;
    };
    mixed.start_stepdown("sd-1");
    mixed.leads("sd-1").await;
    mixed.load().await;
    mixed.start_oxia("go-1");
    mixed.stands_by("go-1").await;
    let cost = mixed.cost(Some("go-1"), async |mixed| mixed.terminate("sd-1"));
    tell("SIGTERM to Stepdown, upstream's takes over", cost.await);
    let cost = mixed.cost(Some("go-1"), add_namespace).await;
    tell("upstream's writes for the first time", cost);
    assert_eq!(mixed.restarts("go-1"), 0);
    mixed.start_stepdown("sd-2");
    mixed.stands_by("sd-2").await;
    let cost = mixed.cost(Some("sd-2"), async |mixed| mixed.terminate("go-1"));
    let cost = cost.await;
    tell("SIGTERM to upstream's, Stepdown takes over", cost);
    took_over_quietly(&mut mixed, "sd-2", cost).await;

    mixed.start_oxia("go-2");
    mixed.stands_by("go-2").await;
    let cost = mixed.cost(Some("go-2"), async |mixed| transfers(mixed, "go-2"));
    tell("Stepdown hands over to upstream's on request", cost.await);
}

/// Something to write for whoever leads.
async fn add_namespace(mixed: &mut Mixed) {
    mixed.add_namespace().await;
    mixed.has_every_namespace().await;
}

fn transfers(mixed: &Mixed, to: &str) {
    let words = ["transfer", to, "--k8s-namespace=watched", "--timeout=20s"];
    let done = mixed.run(&stepdown(), &words);
    assert_eq!(done.code, Some(0), "{done:?}");
}

fn refuses_a_transfer(mixed: &Mixed) {
    let words = ["transfer", "sd-1", "--k8s-namespace=mixed", "--timeout=5s"];
    let refused = mixed.run(&stepdown(), &words);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.text.contains("it is no Stepdown"), "{refused:?}");
}

fn refuses_administration(mixed: &Mixed, name: &str) {
    let Member::Stepdown(leader) = mixed.member(name) else {
        panic!("{name} is Stepdown");
    };
    let address = format!("--admin-address={}", leader.public());
    let refused = mixed.run(mixed.oxia(), &["admin", "namespace", "get", &address]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.text.contains("Unimplemented"), "{refused:?}");
}
