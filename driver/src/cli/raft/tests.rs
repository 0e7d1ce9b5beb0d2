use std::ffi::OsString;

use stepdown_wire::raft::{
    ConfigurationVersion, MemberStatus, StatusResponse as Status, StatusVersion,
};

use super::gather::{Seen, View};
use super::{json, table};
use crate::cli::Cli;

fn reads(line: &str) -> bool {
    Cli::read(line.split_whitespace().map(OsString::from)).is_ok()
}

#[test]
fn each_action_is_told_what_it_needs() {
    for (line, is_read) in [
        (
            "raft status --raft-address a:1,b:1 --raft-address c:1",
            true,
        ),
        ("raft status --sconfig s.yaml -o json", true),
        ("raft status -o yaml", false),
        ("raft add a:1 --learner --timeout 5s", true),
        ("raft add", false),
        ("raft remove a", true),
        ("raft remove", false),
        ("raft transfer a", true),
        ("raft transfer", false),
        ("raft snapshot", true),
        ("raft export", true),
        ("raft export --status s.json --config c.yaml", true),
        ("raft export --raft-data-dir d", true),
        ("raft export --raft-data-dir d --raft-address a:1", false),
        ("raft import --raft-address a:1", false),
        ("raft import --status s.json --replace 3", true),
        ("raft import --status s.json --accept end", true),
        ("raft import --config c.yaml --accept end", false),
        ("raft import --config c.yaml --replace 3", false),
        ("raft import --config c.yaml", true),
        ("raft", false),
    ] {
        assert_eq!(reads(&format!("stepdown {line}")), is_read, "{line}");
    }
}

fn member(node: u64, name: &str, matched: Option<u64>) -> MemberStatus {
    MemberStatus {
        node,
        name: name.to_owned(),
        address: format!("{name}:6661"),
        votes: true,
        matched,
    }
}

/// Node 1 leads; 2 is behind; 3 does not answer.
fn seen() -> View {
    let members = [
        member(1, "a", Some(1_042)),
        member(2, "b", Some(1_000)),
        member(3, "c", None),
    ];
    let best = Status {
        node: 1,
        name: "a".to_owned(),
        address: "a:6661".to_owned(),
        cluster: "0a".to_owned(),
        term: 4,
        leader: Some(1),
        serves: true,
        last: Some(1_042),
        applied: Some(1_042),
        snapshot: Some(1_000),
        quorum_millis: Some(12),
        file_bytes: Some(1 << 20),
        log_bytes: 900,
        members: members.to_vec(),
        status: Some(StatusVersion {
            version: 12,
            epoch: 3,
            bytes: 8_192,
            shards: 10,
        }),
        configuration: Some(ConfigurationVersion {
            version: 2,
            bytes: Some(341),
        }),
        ..Status::default()
    };
    let other = Status {
        node: 2,
        applied: Some(999),
        refused: [("twin".to_owned(), 2)].into(),
        ..best.clone()
    };
    let statuses = [Ok(best.clone()), Ok(other), Err("no answer".to_owned())];
    let seen = members.into_iter().zip(statuses);
    View {
        best,
        members: seen
            .map(|(member, status)| Seen { member, status })
            .collect(),
    }
}

#[test]
fn the_table_shows_how_far_each_is_and_who_does_not_answer() {
    let expected = "\
cluster        0a
leader         a at a:6661, in term 4; a majority answers it within 12 ms
status         version 12, epoch 3, shards 10, 8.0 KiB
configuration  version 2, 341 B

MEMBER  ADDRESS  NODE  ROLE    MATCHED  LAG  APPLIED  SNAPSHOT  FILE     LOG
a       a:6661   1     leader  1042     0    1042     1000      1.0 MiB  900 B
b       b:6661   2     voter   1000     42   999      1000      1.0 MiB  900 B
c       c:6661   3     voter   -        -    -        -         -        -

b has refused messages of strangers: 2 twin; its log says whose
c does not answer: no answer
";
    assert_eq!(table::view(&seen()), expected);
}

#[test]
fn programs_are_told_the_same() {
    let json = json::view(&seen());
    assert_eq!(json["leader"]["node"], "1");
    assert_eq!(json["leader"]["serves"], true);
    assert_eq!(json["quorumMilliseconds"], 12);
    assert_eq!(json["members"][1]["lag"], 42);
    assert_eq!(json["members"][1]["answer"]["applied"], 999);
    assert_eq!(json["members"][2]["error"], "no answer");
    assert_eq!(json["status"]["version"], 12);
}

#[test]
fn a_cluster_whose_leader_is_silent_is_not_well() {
    let mut view = seen();
    assert!(view.is_led());
    view.best.node = 2;
    view.members[0].status = Err("no answer".to_owned());
    assert!(!view.is_led());
    assert!(table::view(&view).contains("in term 4, but it does not answer"));
    view.best.leader = None;
    assert!(!view.is_led());
    assert!(table::view(&view).contains("none is known to a:6661"));
    view.members.clear();
    assert!(table::view(&view).contains("stepdown raft add a:6661"));
}
