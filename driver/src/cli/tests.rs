use std::ffi::OsString;

use super::*;
use crate::options::LogLevel;

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(line.split_whitespace().map(OsString::from))
}

fn coordinator(line: &str) -> CoordinatorArgs {
    match read(line).expect("must parse").command {
        Command::Coordinator(args) => *args,
        other => panic!("not a coordinator: {other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    for line in [
        "stepdown -l debug -j coordinator",
        "stepdown coordinator --log-level=DEBUG --log-json",
        "stepdown coordinator -ldebug -j=true",
        "oxia --log-json=1 coordinator -l Debug",
    ] {
        let global = read(line).expect("must parse").global;
        assert_eq!(global.log_level, Some(LogLevel::Debug), "{line}");
        assert!(global.log_json, "{line}");
    }
    let global = read("stepdown coordinator").expect("must parse").global;
    assert_eq!(global.log_level, None);
    assert!(!global.log_json);
}

#[test]
fn a_loss_is_accepted_in_one_metadata_store() {
    for (line, is_read) in [
        ("stepdown accept-loss default 3 --status-file s.json", true),
        ("stepdown accept-loss default 3 --k8s-namespace oxia", true),
        ("stepdown accept-loss default 3", false),
        (
            "stepdown accept-loss default three --k8s-namespace oxia",
            false,
        ),
        (
            "stepdown accept-loss default 3 --k8s-namespace oxia --status-file s.json",
            false,
        ),
    ] {
        assert_eq!(read(line).is_ok(), is_read, "{line}");
    }
}

#[test]
fn booleans_are_spelled_as_go_spells_them() {
    for (word, expected) in [
        ("", None),
        ("--tls-client-auth", Some(true)),
        ("--tls-client-auth=true", Some(true)),
        ("--tls-client-auth=1", Some(true)),
        ("--tls-client-auth=T", Some(true)),
        ("--tls-client-auth=false", Some(false)),
        ("--tls-client-auth=0", Some(false)),
        ("--tls-client-auth=f", Some(false)),
    ] {
        let args = coordinator(&format!("stepdown coordinator {word}"));
        assert_eq!(args.tls.tls_client_auth, expected, "{word}");
    }
    assert!(read("stepdown coordinator --tls-client-auth=yes").is_err());
    assert!(read("stepdown coordinator --tls-client-auth false").is_err());
}

#[test]
fn short_flags_take_their_value_in_each_of_gos_ways() {
    for line in [
        "stepdown coordinator -i a:1 -p b:2 -m c:3 -f d",
        "stepdown coordinator -ia:1 -pb:2 -mc:3 -fd",
        "stepdown coordinator -i=a:1 -p=b:2 -m=c:3 -f=d",
        "stepdown coordinator -i x:0 --internal-addr=a:1 --public-addr b:2 --metrics-addr c:3 --conf d",
    ] {
        let args = coordinator(line);
        assert_eq!(args.internal_addr, "a:1", "{line}");
        assert_eq!(args.public_addr, "b:2", "{line}");
        assert_eq!(args.metrics_addr, "c:3", "{line}");
        assert_eq!(args.conf.as_deref(), Some("d"), "{line}");
    }
}

#[test]
fn raft_nodes_are_separated_by_commas_or_repeated() {
    let args = coordinator("oxia coordinator --raft-bootstrap-nodes a,b --raft-bootstrap-nodes=c");
    let nodes = args.raft.bootstrap_nodes.unwrap_or_default();
    assert_eq!(nodes, ["a", "b", "c"]);
}

#[test]
fn deprecated_flags_work_and_are_told() {
    assert_eq!(
        coordinator("oxia coordinator -f x --cconfig y")
            .deprecations()
            .len(),
        2
    );
    assert!(coordinator("oxia coordinator").deprecations().is_empty());
}

#[test]
fn the_charts_arguments_are_accepted() {
    let args = coordinator(
        "oxia coordinator --conf=configmap:ns/rel-coordinator --log-json --metadata=configmap --k8s-namespace=ns --k8s-configmap-name=rel-status --profile",
    );
    assert_eq!(args.metadata, "configmap");
    let args = coordinator(
        "oxia coordinator --sconfig=/oxia/conf/coordinator.yaml --cconfig=configmap:ns/rel-coordinator",
    );
    assert!(args.sconfig.is_some());
}

#[test]
fn a_usage_error_begins_as_upstreams_does() {
    for line in [
        "stepdown coordinator --bogus",
        "stepdown bogus",
        "stepdown -l loud coordinator",
    ] {
        let error = read(line).expect_err("must be refused");
        assert!(usage_error(&error).starts_with("Error: "), "{line}");
    }
    let error = read("stepdown -l loud coordinator").expect_err("must be refused");
    assert!(usage_error(&error).contains("unknown log level (loud)"));
}

#[test]
fn the_help_speaks_of_the_name_the_program_was_called_by() {
    for (line, usage) in [
        ("/oxia/bin/oxia --help", "Usage: oxia "),
        ("oxia coordinator --help", "Usage: oxia coordinator "),
        ("oxia health --help", "Usage: oxia health "),
        ("/usr/bin/stepdown health --help", "Usage: stepdown health "),
    ] {
        let help = read(line).expect_err("help ends parsing").to_string();
        assert!(help.contains(usage), "{line}: {help}");
    }
}
