//! `stepdown sandbox` as a process, with all the processes it starts.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use stepdown_sandbox::cluster::{
    Cluster, ClusterOptions, DataServerKind, Metadata, NamespaceOptions, SandboxError,
};

use support::{assert_refused, children_of, signal, succeeded, text, until};

mod support;

fn sandbox(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stepdown"))
        .arg("sandbox")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

/// The number before `what` in the summary.
fn number(summary: &str, what: &str) -> u64 {
    let (before, _) = summary.split_once(what).expect(what);
    let word = before.split_whitespace().next_back();
    word.and_then(|it| it.parse().ok()).expect(what)
}

#[test]
fn a_conflict_and_killed_processes_lose_nothing_and_end_nothing_else() {
    nothing_is_lost_around("file");
}

#[test]
fn nothing_is_lost_either_where_the_coordinators_keep_the_documents() {
    nothing_is_lost_around("raft");
}

fn nothing_is_lost_around(metadata: &str) {
    let output = sandbox(&[
        "--metadata",
        metadata,
        "--script",
        "conflict,kill-leader,kill-data-server",
        "--shards=4",
        "--timeout=240s",
    ]);
    let shown = succeeded(&output);
    for line in [
        "  conflicts             1\n",
        "  step-downs            1\n",
        "met a conflict and stepped down; it is a candidate again\n",
        "  elections             4 when the shards were made, ",
        "  processes             2 killed by us, 0 ended unasked\n",
        "All is well.\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let acknowledged = number(&shown, " acknowledged, ");
    assert!(acknowledged > 0, "{shown}");
    assert_eq!(number(&shown, " verified, "), acknowledged, "{shown}");
    assert_eq!(number(&shown, " lost"), 0, "{shown}");
    assert!(!shown.contains('\x1b'), "{shown}");
}

#[test]
fn servers_and_a_namespace_come_and_go_and_nothing_is_lost() {
    let output = sandbox(&[
        "--script=add-data-server,drain-data-server,add-namespace,delete-namespace",
        "--shards=2",
        "--coordinators=1",
        "--timeout=240s",
    ]);
    let shown = succeeded(&output);
    for line in [
        "server-4 has its share\n",
        "it is asked to end\n",
        " has ended\n",
        "default-2 is made\n",
        "default-2 is deleted\n",
        "  processes             0 killed by us, 0 ended unasked\n",
        "All is well.\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let acknowledged = number(&shown, " acknowledged, ");
    let deleted = number(&shown, " entries of default-2 are there");
    assert!(deleted > 0 && deleted < acknowledged, "{shown}");
}

#[test]
fn a_server_that_is_needed_and_a_namespace_that_is_not_there_are_refused_by_the_name_of_the_step() {
    for (words, refused) in [
        (
            &["--script=drain-data-server", "--metadata=raft"][..],
            "drain-data-server: too few data servers would be left",
        ),
        (
            &["--script=drain-data-server", "--replication-factor=2"],
            "drain-data-server: shards of fewer than 3 replicas are not moved",
        ),
        (
            &["--script=delete-namespace"],
            "delete-namespace: there is no second namespace",
        ),
    ] {
        let mut all = vec!["--shards=1", "--coordinators=1"];
        all.extend(words);
        let output = sandbox(&all);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{shown}");
        let told = format!("  failure               {refused}");
        assert!(shown.contains(&told), "{told}\n{shown}");
        assert!(!shown.contains("out of the configuration"), "{shown}");
    }
}

#[test]
fn what_is_waited_for_is_told_and_the_files_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = dir.path().join("files");
    let files = files.to_str().expect("a name");
    let output = sandbox(&[
        "--script=wait=1s",
        "--shards=2",
        "--timeout=0s",
        "--dir",
        files,
    ]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("  failure               waited 0 s for "),
        "{shown}"
    );
    assert!(shown.ends_with("Not all is well.\n"), "{shown}");
    assert!(Path::new(files).join("coordinator-1.log").exists());

    let again = sandbox(&["--dir", files]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("it is not empty"));
}

#[test]
fn one_data_server_is_enough_for_a_cluster_whose_metrics_are_told() {
    let words = [
        "--data-servers=1",
        "--coordinators=1",
        "--shards=1",
        "--duration=1s",
    ];
    let output = sandbox(&words);
    let shown = succeeded(&output);
    assert!(
        shown.contains("coordinator-1 has its metrics at http://127.0.0.1:"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_is_refused() {
    for (words, told) in [
        (
            &["--script=explode"][..],
            "'explode' is no step: use conflict,",
        ),
        (&["--replication-factor=4"], "more than --data-servers 3"),
        (&["--shards=0"], "--shards"),
    ] {
        assert_refused(&sandbox(words), told);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn children_die_with_a_killed_parent() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut parent = Command::new(env!("CARGO_BIN_EXE_stepdown"))
        .args(["sandbox", "--shards=1", "--dir"])
        .arg(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let children = || children_of(dir.path());
    until("six children", || children().len() == 6);
    parent.kill().expect("it can be killed");
    parent.wait().expect("it ends");
    until("no child", || children().is_empty());
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_somebody_else_kills_is_told_and_makes_the_run_bad() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut parent = Command::new(env!("CARGO_BIN_EXE_stepdown"))
        .args(["sandbox", "--shards=2", "--dir"])
        .arg(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let output = parent.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut line = |what: &str| {
        let found = lines.find(|it| it.contains(what));
        found.unwrap_or_else(|| panic!("no line has '{what}'"))
    };
    line("every shard has a leader");
    let data = dir.path().join("server-2");
    let server = *children_of(&data).first().expect("a server");
    signal("KILL", server);
    assert!(line("ended unasked").contains("server-2 ended unasked: signal: 9"));
    signal("INT", parent.id());
    assert!(line("processes  ").ends_with(" 0 killed by us, 1 ended unasked"));
    line("Not all is well.");
    assert_eq!(parent.wait().expect("it ends").code(), Some(1));
}

#[tokio::test]
async fn a_process_that_ends_unasked_is_noticed() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut cluster = Cluster::start(&ClusterOptions {
        program: env!("CARGO_BIN_EXE_stepdown").into(),
        dir: dir.path().to_path_buf(),
        metadata: Metadata::File,
        coordinators: 1,
        data_servers: 1,
        data_server_kind: DataServerKind::Sandbox,
        unlisted: std::collections::BTreeSet::new(),
        namespaces: vec![NamespaceOptions {
            name: "default".to_owned(),
            shards: 1,
            replication_factor: 1,
        }],
        coordinator_words: Vec::new(),
    })
    .expect("it starts");
    let within = Duration::from_secs(60);
    cluster.wait_until_ready(within).await.expect("it is ready");
    let server = cluster.data_servers.first().expect("a server");
    server.process().terminate().expect("it can be asked");
    until("its end", || match cluster.check_alive() {
        Ok(()) => false,
        Err(SandboxError::Ended { name, .. }) => name == "server-1",
        Err(error) => panic!("{error}"),
    });
}
