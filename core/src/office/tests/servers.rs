//! Which servers there are: configured, draining, replaced, forgotten.

use super::documents::{configuration, led_by, server, status};
use super::{Opened, having, only};
use crate::call::CallErrorKind;
use crate::cluster::{ClusterStatus, ShardMetadata};
use crate::id::{ServerId, ShardId, Term, Timestamp};
use crate::scripted::error;
use crate::shard::Intent;
use crate::timers::Timer;

/// Shards that `s1`, `s2`, `removed` and `pending` hold.
fn stored() -> ClusterStatus {
    let shard = ShardMetadata {
        removed_nodes: vec![server("removed")],
        pending_delete_shard_nodes: vec![server("pending")],
        ..led_by(&["s1", "s2"])
    };
    status(vec![shard])
}

fn known(opened: &Opened) -> Vec<&str> {
    opened.office.servers.keys().map(|id| &*id.0).collect()
}

#[test]
fn the_configured_servers_are_known_and_those_that_still_hold_a_shard() {
    let table: [(Option<&[&str]>, &[&str]); 4] = [
        (None, &["pending", "removed", "s1", "s2"]),
        (Some(&["s1", "s2"]), &["pending", "removed", "s1", "s2"]),
        (
            Some(&["s1", "s9"]),
            &["pending", "removed", "s1", "s2", "s9"],
        ),
        (Some(&["s9"]), &["pending", "removed", "s1", "s2", "s9"]),
    ];
    for (configured, expected) in table {
        let wanted = configured.map(|servers| configuration(&[("n", 1)], servers));
        let mut opened = Opened::on(stored(), wanted.as_deref());
        assert_eq!(known(&opened), expected, "{configured:?}");
        let asked = opened.drain();
        for name in expected {
            let its = only(&asked, &format!("{name} "));
            let looked_at = [format!("{name} CheckHealth"), format!("{name} watch")];
            assert_eq!(its[..2], looked_at, "{configured:?}");
        }
    }
}

#[test]
fn a_server_that_is_not_configured_drains_once_a_configuration_is_known() {
    let table: [(Option<&[&str]>, &[&str]); 2] = [
        (
            None,
            &[
                "pending is Running",
                "removed is Running",
                "s1 is Running",
                "s2 is Running",
            ],
        ),
        (
            Some(&["s2", "s9"]),
            &[
                "pending is Draining",
                "removed is Draining",
                "s1 is Draining",
                "s2 is Running",
                "s9 is Running",
            ],
        ),
    ];
    for (configured, expected) in table {
        let wanted = configured.map(|servers| configuration(&[("n", 1)], servers));
        let mut opened = Opened::on(stored(), wanted.as_deref());
        let told = having(&opened.answer_calls(), ": it has shaken hands");
        let states = told.iter().filter_map(|it| it.split(':').next());
        assert_eq!(states.collect::<Vec<_>>(), expected, "{configured:?}");
    }
}

/// `s1` and `s2` hold a shard, `s3` holds none; all of them run.
fn running() -> Opened {
    let stored = status(vec![led_by(&["s1", "s2"])]);
    let wanted = configuration(&[("n", 1)], &["s1", "s2", "s3"]);
    let mut opened = Opened::on(stored, Some(&wanted));
    opened.answer_calls();
    opened
}

#[test]
fn a_new_configuration_is_said_and_done_to_those_that_it_concerns_and_to_nobody_else() {
    // The servers of the new configuration, whom to look at, and what becomes of it.
    let table: [(&[&str], &str, &[&str]); 6] = [
        (&["s1", "s2", "s3"], "s1", &[]),
        (&["s1", "s2", "s3"], "s3", &[]),
        (&["s1", "s2"], "s3", &["s3 forget", "s3 is forgotten"]),
        (
            &["s2", "s3"],
            "s1",
            &["s1 is Draining: no longer configured"],
        ),
        (
            &["s1", "s2", "s3", "s4"],
            "s4",
            &["s4 CheckHealth", "s4 watch"],
        ),
        // Clients may come by another address from now on.
        (&["s1", "s2", "s3", "s4"], "s1", &["s1 push [n]"]),
    ];
    for (servers, whom, expected) in table {
        let mut opened = running();
        opened.reconcile(&configuration(&[("n", 1)], servers));
        let its = only(&opened.drain(), &format!("{whom} "));
        assert_eq!(its, expected, "{whom} of {servers:?}");
    }
}

#[test]
fn a_draining_server_is_configured_again_without_being_asked_anything() {
    let mut opened = running();
    opened.reconcile(&configuration(&[("n", 1)], &["s2", "s3"]));
    opened.drain();
    opened.reconcile(&configuration(&[("n", 1)], &["s1", "s2", "s3"]));
    let mut its = only(&opened.drain(), "s1 ");
    its.retain(|it| !it.contains("push"));
    assert_eq!(its, ["s1 is Running: configured again"]);
}

#[test]
fn a_server_that_moves_is_given_up_and_looked_at_anew_and_is_not_called_forgotten() {
    let mut opened = running();
    let moved = configuration(&[("n", 1)], &["s1", "s2", "s3"]).replace("s3:2", "s3:22");
    opened.reconcile(&moved);
    let told = opened.drain();
    let its = only(&told, "s3 ");
    assert_eq!(its, ["s3 forget", "s3 CheckHealth", "s3 watch"]);
    let forget = told.iter().position(|it| it == "s3 forget").unwrap();
    // Its watch and its stream.
    assert_eq!(having(&told[..forget], "cancel").len(), 2, "{told:?}");
    let identity = opened.office.servers[&ServerId("s3".into())].identity();
    assert_eq!(&*identity.internal, "s3:22");
}

#[test]
fn a_forgotten_server_has_no_deadline_and_its_answers_change_nothing() {
    let mut opened = running();
    let watch = opened.watches[&ServerId("s3".into())];
    opened.reconcile(&configuration(&[("n", 1)], &["s1", "s2"]));
    opened.drain();
    let mut timers = opened.office.timers.clone();
    while let Some(timer) = timers.pop(Timestamp(u64::MAX)) {
        assert_ne!(timer, Timer::Server(ServerId("s3".into())));
    }
    let before = format!("{:?}", opened.office);
    opened
        .office
        .health_observed(watch, false, &mut opened.context);
    let gone = error(CallErrorKind::Unreachable);
    opened.office.watch_ended(watch, &gone, &mut opened.context);
    assert_eq!(format!("{:?}", opened.office), before);
    let asked: Vec<String> = opened.run_for(10_000).into_iter().map(|it| it.1).collect();
    assert_eq!(only(&asked, "s3 "), [""; 0]);
    assert!(!only(&asked, "s2 CheckHealth").is_empty());
}

#[test]
fn a_server_is_forgotten_once_it_holds_no_shard_any_more_and_is_not_configured() {
    let mut opened = Opened::on(stored(), Some(&configuration(&[("n", 1)], &["s1", "s2"])));
    opened.answer_calls();
    let shard = |shard: &mut ShardMetadata| shard.pending_delete_shard_nodes.clear();
    let waits = Intent::Announce(Term(3));
    let id = ShardId(0);
    opened.office.ledger.change(&"n".into(), id, waits, shard);
    opened.store();
    assert_eq!(known(&opened), ["removed", "s1", "s2"]);
}

#[test]
fn a_server_that_is_given_the_name_that_it_goes_by_anyway_is_kept() {
    let unnamed = "namespaces: []\nservers:\n  - {public: 's1:1', internal: 's1:2'}\n";
    let named = unnamed.replace("{public", "{name: 's1:2', public");
    let mut opened = Opened::on(ClusterStatus::default(), Some(unnamed));
    opened.answer_calls();
    opened.reconcile(&named);
    assert_eq!(opened.drain(), [""; 0]);
    let identity = opened.office.servers[&ServerId("s1:2".into())].identity();
    assert_eq!(identity.name.as_deref(), Some("s1:2"));
}
