//! What a change has for an effect, as a coordinator tells it.

use std::net::TcpListener;

use stepdown_wire::operator::get_plan_request::Supposed;
use stepdown_wire::operator::{NamespaceRefused, Plan, ServerShards};
use stepdown_wire::v1::{Namespace, NamespaceView};
use tonic::Status;

use super::fake::Fake;
use super::run;
use crate::cli::Cli;

const CREATE: &str = "namespace create orders --initial-shards=1 --replication-factor=1";
const DELETE: &str = "namespace delete orders";
const ADD: &str = "data-server create s9 --public=a:1 --internal=a:2";
const DRAIN: &str = "data-server delete s9";

fn denied() -> Result<Plan, Status> {
    Err(Status::permission_denied("no rule allows it"))
}

fn drained(name: &str, shards: u32) -> Plan {
    let server = ServerShards {
        server: name.to_owned(),
        shards,
        ..ServerShards::default()
    };
    Plan {
        servers: vec![server],
        ..Plan::default()
    }
}

#[tokio::test]
async fn a_change_that_could_not_be_waited_for_is_not_made() {
    for refusal in [denied(), Err(Status::unimplemented("no such service"))] {
        let fake = Fake::planning([refusal.clone()]);
        let open = fake.open().await;
        for change in [CREATE, DELETE, ADD, DRAIN] {
            let told = run(&open.public, &format!("{change} --wait")).await;
            let told = told.unwrap_err().to_string();
            let refusal = refusal.as_ref().unwrap_err();
            assert!(told.ends_with(refusal.message()), "{change}: {told}");
        }
        assert_eq!(fake.calls(), [""; 0]);
        open.ports.close().await;
    }
}

#[tokio::test]
async fn a_change_that_was_made_is_said_to_be_where_nobody_may_look_afterwards() {
    for (change, call) in [
        (CREATE, "create_namespace"),
        (DELETE, "delete_namespace"),
        (ADD, "create_data_server"),
        (DRAIN, "delete_data_server"),
    ] {
        let fake = Fake::planning([Ok(Plan::default()), denied()]);
        let open = fake.open().await;
        let told = run(&open.public, &format!("{change} --wait")).await;
        let told = told.unwrap_err().to_string();
        let expected = format!(
            "the change was made, but can't be waited for: {}: PermissionDenied: no rule allows it",
            open.public
        );
        assert_eq!(told, expected);
        assert_eq!(fake.calls(), [call]);
        open.ports.close().await;
    }
}

#[tokio::test]
async fn a_namespace_is_asked_about_by_name_so_that_leave_to_look_at_it_is_enough() {
    let fake = Fake::planning([Ok(Plan::default())]);
    let open = fake.open().await;
    for words in [
        &format!("{CREATE} --dry-run"),
        &format!("{DELETE} --dry-run"),
        "namespace patch orders --replication-factor=2 --dry-run",
    ] {
        run(&open.public, words).await.unwrap();
    }
    assert_eq!(fake.calls(), [""; 0]);
    run(&open.public, &format!("{DELETE} --wait"))
        .await
        .unwrap();
    assert!(fake.asked().iter().all(|it| it.namespace == "orders"));
    let supposed: Vec<_> = fake.asked().into_iter().map(|it| it.supposed).collect();
    assert!(
        matches!(
            supposed.as_slice(),
            [
                Some(Supposed::CreateNamespace(_)),
                Some(Supposed::DeleteNamespace(_)),
                Some(Supposed::PatchNamespace(_)),
                None,
                None
            ]
        ),
        "{supposed:?}"
    );
    run(&open.public, &format!("{DRAIN} --dry-run"))
        .await
        .unwrap();
    assert_eq!(fake.asked().last().unwrap().namespace, "");
    open.ports.close().await;
}

#[tokio::test]
async fn why_a_namespace_cannot_be_made_is_said_when_it_was_waited_for_in_vain() {
    let refused = NamespaceRefused {
        namespace: "orders".to_owned(),
        reason: "2 servers run, and 3 are needed".to_owned(),
    };
    let plan = Plan {
        refused: vec![refused],
        ..Plan::default()
    };
    let fake = Fake::planning([Ok(plan)]);
    let open = fake.open().await;
    let told = run(&open.public, &format!("{CREATE} --wait=0s")).await;
    assert_eq!(
        told.unwrap_err().to_string(),
        "after 0ns (--wait) orders can't be made: 2 servers run, and 3 are needed; it goes on all the same"
    );
    assert_eq!(fake.calls(), ["create_namespace"]);
    open.ports.close().await;
}

#[tokio::test]
async fn nobody_is_waited_for_at_an_address_where_nobody_has_ever_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    for words in [
        "data-server drain-status s1 --wait",
        &format!("{CREATE} --wait"),
    ] {
        let told = run(&address, words).await.unwrap_err().to_string();
        assert!(told.starts_with(&address), "{told}");
        assert!(told.contains("refused"), "{told}");
    }
}

#[tokio::test]
async fn who_has_answered_before_is_waited_for() {
    let away = Err(Status::unavailable("it is just being started"));
    let plans = [Ok(drained("s1", 1)), away, Ok(Plan::default())];
    let fake = Fake::planning(plans);
    let open = fake.open().await;
    let words = "data-server drain-status s1 --wait";
    let told = run(&open.public, words).await.unwrap();
    assert!(told.contains("has nothing of any shard"), "{told}");
    open.ports.close().await;
}

#[tokio::test]
async fn a_look_that_nobody_answers_ends_when_the_waiting_does() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let words = "--timeout=1h data-server drain-status s1 --wait=10ms";
    let told = run(&address, words).await.unwrap_err().to_string();
    assert_eq!(
        told,
        "after 10ms (--wait) no coordinator has answered; it goes on all the same"
    );
}

#[tokio::test]
async fn a_data_server_that_was_never_there_has_not_been_drained() {
    let fake = Fake::planning([Ok(drained("s1", 1)), Ok(Plan::default())]);
    let open = fake.open().await;
    let told = run(&open.public, "data-server drain-status s1 --wait").await;
    assert!(told.is_ok(), "{told:?}");
    let told = run(&open.public, "data-server drain-status s7").await;
    assert!(told.unwrap().starts_with("No data server s7 is known"));
    let told = run(&open.public, "data-server drain-status s7 --wait").await;
    let told = told.unwrap_err().to_string();
    assert!(told.starts_with("there is no data server s7"), "{told}");
    open.ports.close().await;
}

#[test]
fn a_change_is_not_waited_for_that_is_not_made() {
    for change in [CREATE, DELETE, ADD, DRAIN] {
        let words = format!("stepdown admin {change} --dry-run --wait");
        let refused = Cli::read(words.split(' ').map(Into::into));
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("cannot be used with"), "{told}");
    }
}

#[tokio::test]
async fn a_list_of_namespaces_may_be_as_long_as_a_plan() {
    let namespace = Namespace {
        name: "n".repeat(5 << 20),
        ..Namespace::default()
    };
    let view = NamespaceView {
        namespace: Some(namespace),
        ..NamespaceView::default()
    };
    let open = Fake::with_namespaces(vec![view]).open().await;
    let told = run(&open.public, "namespace list").await.unwrap();
    assert!(told.len() > 5 << 20);
    open.ports.close().await;
}

#[tokio::test]
async fn words_of_a_coordinator_are_printed_without_what_a_terminal_obeys() {
    let refused = Err(Status::permission_denied("\x1b[2Jno"));
    let plan = drained("s1\x1b]0;x\x07", 1);
    let fake = Fake::planning([Ok(plan), refused]);
    let open = fake.open().await;
    let words = "data-server drain-status";
    let told = run(&open.public, words).await.unwrap();
    assert!(told.contains("s1]0;x "), "{told}");
    let told = run(&open.public, words).await.unwrap_err().to_string();
    assert!(told.ends_with("PermissionDenied: [2Jno"), "{told:?}");
    open.ports.close().await;
}

#[tokio::test]
async fn a_balancer_whose_limits_nobody_knows_is_only_said_to_be_paused_or_on() {
    let fake = Fake::planning([]);
    let open = fake.open().await;
    let told = run(&open.public, "balancer resume").await.unwrap();
    assert_eq!(told, "The balancer is on.\n");
    let told = run(&open.public, "balancer pause").await.unwrap();
    assert!(told.starts_with("The balancer is paused: "), "{told}");
    assert!(!told.contains(" at most 0"), "{told}");
    open.ports.close().await;
}

#[tokio::test]
async fn a_change_that_a_broken_connection_leaves_open_is_to_be_looked_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let broken = async {
        let (stream, _) = listener.accept().await.unwrap();
        // The preface, and the call.
        let mut read = 0;
        while read < 60 {
            stream.readable().await.unwrap();
            read += stream.try_read(&mut [0; 4096]).unwrap_or(0);
        }
    };
    let (told, ()) = tokio::join!(run(&address, DELETE), broken);
    let told = told.unwrap_err().to_string();
    assert!(
        told.ends_with("; if it was a change, look before you try again"),
        "{told}"
    );
}
