//! Which shards are told what has become of a server.

use super::documents::{configuration, led_by, status};
use super::{Opened, having, only};
use crate::call::CallErrorKind;
use crate::cluster::{Beginnings, ShardMetadata, ShardStatus};
use crate::id::ServerId;
use crate::scripted::error;

const SERVERS: [&str; 3] = ["s1", "s2", "s3"];

/// `s1` leads the shards 0 and 2, `s2` leads 1; each is a follower of the other; all is well.
fn steady() -> Opened {
    let stored = status(vec![
        led_by(&["s1", "s2"]),
        led_by(&["s2", "s1"]),
        led_by(&["s1", "s3"]),
    ]);
    let wanted = configuration(&[("n", 3)], &SERVERS);
    let mut opened = Opened::on(stored, Some(&wanted));
    opened.answer_calls();
    for server in SERVERS {
        opened.observe(server, true);
    }
    opened.answer_calls();
    assert_eq!(opened.office.steady(), (3, 3));
    assert!(!opened.is_changed());
    opened
}

/// The shards whose term is greater than it was.
fn elected(opened: &Opened) -> Vec<i64> {
    let shards = opened.office.ledger.working().shards();
    let elected = shards.filter(|(_, _, shard)| shard.term.0 > 3);
    elected.map(|(_, id, _)| id.0).collect()
}

#[test]
fn a_server_that_becomes_unavailable_has_the_shards_elected_that_it_leads_and_no_other_once_a_majority_runs()
 {
    let table: [(&str, &[i64]); 3] = [("s1", &[0, 2]), ("s2", &[1]), ("s3", &[])];
    for (server, led) in table {
        let mut opened = steady();
        opened.observe(server, false);
        // One of two is no majority: the other one is waited for, however long it takes.
        opened.pass(60_000);
        opened.office.time_passed(&mut opened.context);
        assert_eq!(elected(&opened), [0; 0], "{server}");
        opened.observe(server, true);
        opened.answer_calls();
        assert_eq!(elected(&opened), led, "{server}");
    }
}

#[test]
fn where_a_watch_broke_every_shard_on_the_server_is_verified_and_its_followers_looked_at() {
    let table: [(&str, &[&str], &[&str]); 3] = [
        (
            "s1",
            &[
                "s1 GetStatus of 0",
                "s2 GetStatus of 1",
                "s1 GetStatus of 2",
            ],
            &["s1 GetStatus of 1"],
        ),
        (
            "s2",
            &["s1 GetStatus of 0", "s2 GetStatus of 1"],
            &["s2 GetStatus of 0"],
        ),
        ("s3", &["s1 GetStatus of 2"], &["s3 GetStatus of 2"]),
    ];
    for (server, leaders, followers) in table {
        let mut opened = steady();
        let watch = opened.watches[&ServerId(server.into())];
        let gone = error(CallErrorKind::Unreachable);
        opened.office.watch_ended(watch, &gone, &mut opened.context);
        assert_eq!(opened.drain(), [format!("{server} CheckHealth")]);
        assert_eq!(opened.answer_next(), leaders, "{server}");
        let then = opened.answer_calls();
        let asked = only(&then, &format!("{server} GetStatus"));
        assert_eq!(asked, followers, "{server}");
    }
}

#[test]
fn an_open_watch_that_says_again_that_it_serves_is_no_news() {
    let mut opened = steady();
    assert_eq!(opened.observe("s1", true), [""; 0]);
}

#[test]
fn a_shard_is_elected_as_soon_as_a_majority_of_its_own_members_runs() {
    let leaderless = |servers: &[&str]| ShardMetadata {
        leader: None,
        status: ShardStatus::Election,
        ..led_by(servers)
    };
    let stored = status(vec![leaderless(&["s1", "s2", "s3"]), leaderless(&["s3"])]);
    let mut opened = Opened::on(stored, Some(&configuration(&[("n", 2)], &SERVERS)));
    opened.drain();
    let table: [(&str, &[i64]); 3] = [("s1", &[]), ("s2", &[0]), ("s3", &[0, 1])];
    for (server, expected) in table {
        opened.answer_calls_of(server);
        assert_eq!(elected(&opened), expected, "after {server}");
    }
}

#[test]
fn an_election_is_told_to_the_ensemble_only_when_it_is_stored() {
    let stored = status(vec![ShardMetadata {
        leader: None,
        beginnings: Beginnings::of_new(),
        ..led_by(&["s1"])
    }]);
    let mut opened = Opened::on(stored, Some(&configuration(&[("n", 1)], &SERVERS)));
    let asked = opened.answer_calls();
    assert_eq!(elected(&opened), [0]);
    assert_eq!(having(&asked, "NewTerm"), [""; 0]);
    assert_eq!(having(&opened.store(), "NewTerm"), ["s1 NewTerm"]);
    assert_eq!(opened.office.steady(), (0, 1));
    assert_eq!(
        having(&opened.answer_calls(), "BecomeLeader"),
        ["s1 BecomeLeader"]
    );
    opened.store();
    assert_eq!(opened.office.steady(), (1, 1));
}
