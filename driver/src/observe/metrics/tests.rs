use std::sync::Arc;
use std::time::Duration;

use stepdown_core::{Cause, Epoch, ServerId, ServerState, ShardId, StoreResult, Tenure, Term};

use super::*;

pub(super) fn shard_report(namespace: &str, shard: i64) -> (Arc<str>, ShardId) {
    (Arc::from(namespace), ShardId(shard))
}

pub(super) fn elected(shard: i64, millis: u64) -> Report {
    let (namespace, shard) = shard_report("ns", shard);
    Report::Elected {
        namespace,
        shard,
        term: Term(3),
        leader: ServerId("a:1".into()),
        took: Duration::from_millis(millis),
    }
}

pub(super) fn accepted(shard: i64, term: i64) -> Report {
    let (namespace, shard) = shard_report("ns", shard);
    Report::ShardAccepted {
        namespace,
        shard,
        term: Term(term),
        leader: None,
    }
}

pub(super) fn server(state: ServerState) -> Report {
    Report::ServerChanged {
        server: ServerId("s1".into()),
        state,
        reason: String::new(),
    }
}

pub(super) fn role(from: Role, to: Role, cause: Option<Cause>) -> Report {
    Report::RoleChanged {
        tenure: Tenure(1),
        from,
        to,
        cause,
        reason: String::new(),
        took: (from == Role::SteppingDown).then(|| Duration::from_millis(3)),
        epoch: Some(Epoch(9)),
    }
}

/// The samples whose names start so, without comments.
fn samples(metrics: &Metrics, prefix: &str) -> Vec<String> {
    let text = metrics.text().expect("text");
    text.lines()
        .filter(|line| line.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

const SCOPE: &str = r#"otel_scope_name="oxia",otel_scope_schema_url="",otel_scope_version="""#;

#[test]
fn series_by_shard_and_server_have_both_spellings_and_upstreams_labels() {
    let metrics = Metrics::new().expect("unique names");
    metrics.report(&accepted(7, 4));
    let (namespace, shard) = shard_report("ns", 7);
    metrics.report(&Report::ElectionFailed {
        namespace,
        shard,
        term: Term(3),
        reason: String::new(),
        retry_after: Duration::ZERO,
    });
    metrics.report(&server(ServerState::Unavailable));
    metrics.report(&server(ServerState::Running));
    let mut expected = vec![
        format!(
            r#"oxia_coordinator_leader_election_failed_count_total{{{SCOPE},oxia_namespace="ns",shard="7"}} 1"#
        ),
        format!(
            r#"oxia_coordinator_leader_election_failed_total{{{SCOPE},oxia_namespace="ns",shard="7"}} 1"#
        ),
        format!(
            r#"oxia_coordinator_node_health_checks_failed_count_total{{data_server="s1",node="s1",{SCOPE}}} 1"#
        ),
        format!(
            r#"oxia_coordinator_node_health_checks_failed_total{{data_server="s1",node="s1",{SCOPE}}} 1"#
        ),
        format!(r#"oxia_coordinator_node_running{{data_server="s1",node="s1",{SCOPE}}} 1"#),
        format!(r#"oxia_coordinator_node_running_count{{data_server="s1",node="s1",{SCOPE}}} 1"#),
        format!(r#"oxia_coordinator_term{{{SCOPE},oxia_namespace="ns",shard="7"}} 4"#),
        format!(r#"oxia_coordinator_term_count{{{SCOPE},oxia_namespace="ns",shard="7"}} 4"#),
    ];
    expected.sort();
    let mut seen: Vec<String> = samples(&metrics, "oxia_")
        .into_iter()
        .filter(|line| !line.contains("_metadata_"))
        .collect();
    seen.sort();
    assert_eq!(seen, expected);
}

#[test]
fn latencies_are_histograms_in_upstreams_buckets() {
    let metrics = Metrics::new().expect("unique names");
    metrics.report(&elected(7, 3));
    metrics.report(&elected(7, 100_000));
    let lines = samples(
        &metrics,
        "oxia_coordinator_leader_election_latency_milliseconds",
    );
    let bounds: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split("le=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(
        bounds,
        [
            "0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "200", "500", "1000",
            "2000", "5000", "10000", "20000", "50000", "+Inf"
        ]
    );
    let ends: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(&ends[..6], ["0", "0", "0", "0", "0", "1"]);
    assert_eq!(&ends[17..], ["1", "2", "100003", "2"]);
}

#[test]
fn nothing_is_said_about_shards_and_servers_before_and_after_office() {
    let metrics = Metrics::new().expect("unique names");
    assert!(samples(&metrics, "oxia_coordinator_term").is_empty());
    metrics.report(&accepted(7, 4));
    metrics.report(&server(ServerState::Running));
    metrics.report(&elected(7, 3));
    metrics.report(&role(
        Role::Leader,
        Role::SteppingDown,
        Some(Cause::Conflict),
    ));
    assert!(samples(&metrics, "oxia_coordinator_term").is_empty());
    assert!(samples(&metrics, "oxia_coordinator_node").is_empty());
    assert!(!samples(&metrics, "oxia_coordinator_leader_election_latency").is_empty());
}

#[test]
fn a_server_that_is_gone_has_no_series() {
    let metrics = Metrics::new().expect("unique names");
    metrics.report(&server(ServerState::Unavailable));
    metrics.report(&Report::ServerForgotten {
        server: ServerId("s1".into()),
    });
    assert!(samples(&metrics, "oxia_coordinator_node").is_empty());
}

#[test]
fn a_large_cluster_shares_histograms_but_every_shard_shows_its_term() {
    let metrics = Metrics::new().expect("unique names");
    for shard in 0..1_100 {
        metrics.report(&elected(shard, 1));
        metrics.report(&accepted(shard, 1));
    }
    let counts = samples(
        &metrics,
        "oxia_coordinator_leader_election_latency_milliseconds_count",
    );
    assert_eq!(counts.len(), 1_001);
    let other = counts.iter().find(|line| line.contains(r#"shard="other""#));
    assert!(
        other.is_some_and(|line| line.ends_with(" 100")),
        "{other:?}"
    );
    assert_eq!(samples(&metrics, "oxia_coordinator_term{").len(), 1_100);
}

#[test]
fn histograms_of_each_shard_can_be_switched_off_and_their_sum_stays() {
    let metrics = Metrics::with_shard_histograms(false).expect("unique names");
    for shard in 0..3 {
        metrics.report(&elected(shard, 3));
        metrics.report(&accepted(shard, 4));
    }
    let name = "oxia_coordinator_leader_election_latency_milliseconds_count";
    let counts = samples(&metrics, name);
    assert!(
        matches!(&counts[..], [all] if all.contains(r#"shard="other""#) && all.ends_with(" 3")),
        "{counts:?}"
    );
    assert_eq!(samples(&metrics, "oxia_coordinator_term{").len(), 3);
}

#[test]
fn a_blocked_shard_shows_until_it_goes_on() {
    let metrics = Metrics::new().expect("unique names");
    let (namespace, shard) = shard_report("ns", 7);
    metrics.report(&Report::ShardBlocked {
        namespace,
        shard,
        reason: String::new(),
    });
    assert_eq!(samples(&metrics, "stepdown_shard_blocked").len(), 1);
    metrics.report(&elected(7, 3));
    assert!(samples(&metrics, "stepdown_shard_blocked").is_empty());
}

#[test]
fn a_blocked_shard_that_is_led_shows_until_a_majority_is_in_sync() {
    let metrics = Metrics::new().expect("unique names");
    let (namespace, shard) = shard_report("ns", 7);
    metrics.report(&Report::ShardBlocked {
        namespace: namespace.clone(),
        shard,
        reason: String::new(),
    });
    for (in_sync, shown) in [(1, 1), (2, 0)] {
        metrics.report(&Report::ShardVerified {
            namespace: namespace.clone(),
            shard,
        });
        metrics.report(&Report::ShardInSync {
            namespace: namespace.clone(),
            shard,
            in_sync,
            replicas: 3,
        });
        assert_eq!(samples(&metrics, "stepdown_shard_blocked").len(), shown);
    }
}

#[test]
fn what_is_counted_begins_at_0_so_that_the_first_event_is_seen() {
    let metrics = Metrics::new().expect("unique names");
    metrics.report(&accepted(7, 4));
    metrics.report(&server(ServerState::Running));
    for counter in [
        "oxia_coordinator_leader_election_failed_total",
        "oxia_coordinator_node_health_checks_failed_total",
        "stepdown_data_server_emptied_total",
        "stepdown_data_server_nonsense_total",
    ] {
        let samples = samples(&metrics, counter);
        assert_eq!(samples.len(), 1, "{counter}");
        assert!(samples[0].ends_with(" 0"), "{samples:?}");
    }
    for (counter, series) in [
        ("stepdown_shards_moved_total", 1),
        ("stepdown_moves_refused_total", 1),
        ("stepdown_shards_stuck_total", 1),
        ("stepdown_leaders_handed_total", 1),
        ("stepdown_shards_deleted_total", 1),
        ("stepdown_deletions_held_total", 1),
        ("stepdown_transitions_total", 16),
        ("stepdown_stores_total", 8),
        ("grpc_client_handled_total", 12 * 17),
    ] {
        let samples = samples(&metrics, counter);
        assert_eq!(samples.len(), series, "{counter}");
        assert!(samples.iter().all(|it| it.ends_with(" 0")), "{samples:?}");
    }
}

#[test]
fn a_server_that_is_no_longer_configured_runs_as_long_as_it_answers() {
    let metrics = Metrics::new().expect("unique names");
    for (state, running) in [
        (ServerState::Draining, " 1"),
        (ServerState::Unavailable, " 0"),
        (ServerState::Draining, " 1"),
    ] {
        metrics.report(&server(state));
        let shown = samples(&metrics, "oxia_coordinator_node_running{");
        assert!(shown[0].ends_with(running), "{state:?}: {shown:?}");
    }
}

#[test]
fn a_server_is_suspect_from_when_it_is_silent_until_it_answers_or_is_unavailable() {
    let metrics = Metrics::new().expect("unique names");
    let (id, silent_for) = (ServerId("s1".into()), Duration::from_secs(4));
    let silent = Report::ServerSilent {
        server: id.clone(),
        silent_for,
        reason: String::new(),
    };
    let answers = Report::ServerAnswers {
        server: id,
        silent_for,
    };
    for (report, value) in [
        (server(ServerState::Running), 0),
        (silent.clone(), 1),
        (server(ServerState::Draining), 1),
        (answers, 0),
        (silent, 1),
        (server(ServerState::Unavailable), 0),
        (server(ServerState::Running), 0),
    ] {
        metrics.report(&report);
        let expected =
            format!(r#"stepdown_data_server_suspect{{data_server="s1",{SCOPE}}} {value}"#);
        let shown = samples(&metrics, "stepdown_data_server_suspect");
        assert_eq!(shown, [expected], "{report:?}");
    }
}

#[test]
fn the_status_is_unreadable_only_as_long_as_leadership_is_kept() {
    let metrics = Metrics::new().expect("unique names");
    let shown = || samples(&metrics, "stepdown_status_unreadable");
    let reason = String::new();
    metrics.report(&Report::StatusUnreadable { reason });
    assert_eq!(shown(), ["stepdown_status_unreadable 1"]);
    let cause = Some(Cause::NotInOffice);
    metrics.report(&role(Role::Candidate, Role::SteppingDown, cause));
    assert_eq!(shown(), ["stepdown_status_unreadable 0"]);
}

#[test]
fn a_shard_shows_how_many_replicas_are_in_sync_and_of_how_many() {
    let metrics = Metrics::new().expect("unique names");
    let (namespace, shard) = shard_report("ns", 7);
    metrics.report(&Report::ShardInSync {
        namespace,
        shard,
        in_sync: 2,
        replicas: 3,
    });
    for (name, value) in [("in_sync", "2"), ("replicas", "3")] {
        let name = format!("stepdown_shard_{name}");
        let expected = format!(r#"{name}{{{SCOPE},oxia_namespace="ns",shard="7"}} {value}"#);
        assert_eq!(samples(&metrics, &name), [expected]);
    }
}

#[test]
fn leadership_shows_role_transitions_conflicts_and_epoch() {
    let metrics = Metrics::new().expect("unique names");
    assert_eq!(
        samples(&metrics, "stepdown_role"),
        [
            r#"stepdown_role{role="candidate"} 1"#,
            r#"stepdown_role{role="leader"} 0"#,
            r#"stepdown_role{role="stepping_down"} 0"#,
        ]
    );
    metrics.report(&role(Role::Candidate, Role::Leader, None));
    metrics.report(&role(
        Role::Leader,
        Role::SteppingDown,
        Some(Cause::Conflict),
    ));
    metrics.report(&role(Role::SteppingDown, Role::Candidate, None));
    assert_eq!(
        samples(&metrics, "stepdown_conflicts_total"),
        ["stepdown_conflicts_total 1"]
    );
    assert_eq!(samples(&metrics, "stepdown_epoch"), ["stepdown_epoch 9"]);
    let mut transitions = samples(&metrics, "stepdown_transitions_total");
    transitions.retain(|it| !it.ends_with(" 0"));
    assert_eq!(
        transitions,
        [
            r#"stepdown_transitions_total{cause="",from="candidate",to="leader"} 1"#,
            r#"stepdown_transitions_total{cause="",from="stepping_down",to="candidate"} 1"#,
            r#"stepdown_transitions_total{cause="conflict",from="leader",to="stepping_down"} 1"#,
        ]
    );
    assert_eq!(
        samples(&metrics, "stepdown_step_down_duration_seconds_count"),
        ["stepdown_step_down_duration_seconds_count 1"]
    );
}

#[test]
fn stores_are_counted_by_outcome_and_timed_under_upstreams_name() {
    let metrics = Metrics::new().expect("unique names");
    metrics.report(&Report::StoreConcluded {
        outcome: StoreResult::TooLarge,
        changes: 12,
        took: Duration::from_millis(7),
        reason: String::new(),
    });
    metrics.documents.document_read(Duration::from_millis(2));
    metrics.documents.status_weighed(123);
    let mut stores = samples(&metrics, "stepdown_stores_total");
    stores.retain(|it| !it.ends_with(" 0"));
    assert_eq!(stores, [r#"stepdown_stores_total{outcome="too_large"} 1"#]);
    assert_eq!(
        samples(&metrics, "stepdown_store_changes_sum"),
        ["stepdown_store_changes_sum 12"]
    );
    for (name, value) in [
        ("store_latency_milliseconds_sum", "7"),
        ("get_latency_milliseconds_sum", "2"),
        ("size_bytes", "123"),
    ] {
        let name = format!("oxia_coordinator_metadata_{name}");
        assert_eq!(
            samples(&metrics, &name),
            [format!("{name}{{{SCOPE}}} {value}")]
        );
    }
}

#[test]
fn calls_show_from_the_start_with_gos_names() {
    let metrics = Metrics::new().expect("unique names");
    let handled = samples(&metrics, "grpc_server_handled_total");
    assert_eq!(handled.len(), 14 * 17);
    let line = r#"grpc_server_handled_total{grpc_code="Canceled",grpc_method="Watch",grpc_service="grpc.health.v1.Health",grpc_type="server_stream"} 0"#;
    assert!(handled.iter().any(|l| l == line));
}

#[test]
fn the_process_is_measured() {
    let metrics = Metrics::new().expect("unique names");
    for name in [
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    ] {
        assert_eq!(samples(&metrics, name).len(), 1, "{name}");
    }
}

#[test]
fn data_that_servers_have_lost_is_counted_and_stays_counted_out_of_office() {
    let metrics = Metrics::new().expect("unique names");
    for _ in 0..2 {
        metrics.report(&Report::ServerEmptied {
            server: ServerId("s1".into()),
            shards: 3,
        });
    }
    metrics.report(&role(
        Role::Leader,
        Role::SteppingDown,
        Some(Cause::Conflict),
    ));
    let samples = samples(&metrics, "stepdown_data_server_emptied_total");
    let expected = format!(r#"stepdown_data_server_emptied_total{{data_server="s1",{SCOPE}}} 2"#);
    assert_eq!(samples, [expected]);
}
