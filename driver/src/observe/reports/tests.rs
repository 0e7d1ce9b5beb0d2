use stepdown_core::{Epoch, Role, ServerState, ShardId, Tenure, Term};

use super::super::logs::testkit::json_lines;
use super::*;

fn logged(report: &Report) -> serde_json::Value {
    let text = json_lines(|| log_report(report));
    serde_json::from_str(&text).expect("one line of JSON")
}

fn server(state: ServerState) -> Report {
    Report::ServerChanged {
        server: ServerId("s1".into()),
        state,
        reason: "why".to_owned(),
    }
}

fn left(to: Role, cause: Option<Cause>) -> Report {
    Report::RoleChanged {
        tenure: Tenure(1),
        from: Role::Leader,
        to,
        cause,
        reason: "why".to_owned(),
        took: Some(Duration::from_nanos(1_234_567)),
        epoch: Some(Epoch(9)),
    }
}

#[test]
fn losses_of_servers_and_of_leadership_are_warnings_and_what_is_meant_is_not() {
    for (report, level) in [
        (server(ServerState::Unavailable), "warn"),
        (server(ServerState::Running), "info"),
        (server(ServerState::Draining), "info"),
        (
            Report::ServerSilent {
                server: ServerId("s1".into()),
                silent_for: Duration::from_secs(4),
                reason: "why".to_owned(),
            },
            "warn",
        ),
        (
            Report::ServerAnswers {
                server: ServerId("s1".into()),
                silent_for: Duration::from_secs(4),
            },
            "info",
        ),
        (left(Role::SteppingDown, Some(Cause::Conflict)), "warn"),
        (
            left(Role::SteppingDown, Some(Cause::AuthorityExpired)),
            "warn",
        ),
        (left(Role::SteppingDown, Some(Cause::Shutdown)), "info"),
        (left(Role::Candidate, None), "info"),
    ] {
        assert_eq!(logged(&report)["level"], level, "{report:?}");
    }
}

#[test]
fn causes_and_states_have_the_words_of_the_metrics() {
    for cause in names::CAUSES {
        let line = logged(&left(Role::SteppingDown, Some(cause)));
        assert_eq!(line["cause"], names::cause(cause));
        assert_eq!(line["to"], "stepping_down");
    }
}

#[test]
fn times_are_in_milliseconds_which_their_keys_say_and_no_longer_than_microseconds() {
    let line = logged(&left(Role::Candidate, None));
    assert_eq!(line["took-ms"], 1.235);
    let failed = Report::ElectionFailed {
        namespace: "ns".into(),
        shard: ShardId(1),
        term: Term(2),
        reason: "why".to_owned(),
        retry_after: Duration::from_nanos(336_281_771),
    };
    assert_eq!(logged(&failed)["retry-after-ms"], 336.282);
}
