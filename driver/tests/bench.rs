//! `stepdown bench outage` as a process, with all the processes it starts.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use support::{assert_refused, children_of, signal, succeeded, text, until};

mod support;

fn outage(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepdown"));
    command
        .args(["bench", "outage"])
        .args(words)
        .stdin(Stdio::null());
    command
}

fn run(words: &[&str]) -> Output {
    outage(words).output().expect("it runs")
}

#[test]
fn an_outage_is_measured_to_its_end() {
    let output = run(&["--shards=3", "--outage=2s"]);
    let shown = succeeded(&output);
    let labels: Vec<_> = shown
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(label, _)| label.trim())
        .collect();
    let expected = [
        "shards",
        "one killed, all led again",
        "a second one killed, for",
        "stores of the status",
        "greatest rise of a term",
        "lines logged",
        "both serve, all led again",
    ];
    assert_eq!(labels, expected, "{shown}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    for (words, told) in [
        (
            &["--data-server-binary=/nowhere/oxia"][..],
            "--data-server-binary /nowhere/oxia can't be read",
        ),
        (&["--data-server-binary=/"], "/ is no file: give the path"),
        (&["--data-server-args=-l warn"], "--data-server-binary"),
        (&["--shards=0"], "--shards"),
        (&["--outage=soon"], "'soon' is not a duration"),
    ] {
        let output = run(words);
        assert_refused(&output, told);
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn a_program_that_is_no_data_server_fails_the_bench_and_its_log_is_kept() {
    let output = run(&["--data-server-binary=/bin/true", "--shards=1"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    // Each of the three ends at once; which is seen first is up to the system.
    let (before, _) = shown.split_once(" ended unasked").expect(&shown);
    let name = before.rsplit(' ').next().expect("a name");
    assert!(name.starts_with("server-"), "{shown}");
    let (_, dir) = shown.split_once("are kept in ").expect("a directory");
    let dir = std::path::Path::new(dir.trim());
    assert!(dir.join(name).with_extension("log").exists());
    std::fs::remove_dir_all(dir).expect("it can be removed");
}

#[test]
fn every_process_ends_with_an_interrupted_bench() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bench = outage(&["--shards=1", "--outage=1h", "--dir"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let output = bench.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("one killed")));
    assert!(!children_of(dir.path()).is_empty());
    signal("INT", bench.id());
    assert_eq!(bench.wait().expect("it ends").code(), Some(1));
    until("no child", || children_of(dir.path()).is_empty());
}
