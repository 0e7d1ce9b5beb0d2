//! Who may change what over a real port, and what is written down of it.

use std::io;

use serde_json::{Value, json};
use stepdown_wire::v1::oxia_admin_client::OxiaAdminClient;
use tonic::transport::Channel;

use super::*;
use crate::admin;
use crate::audit::tests::Broken;
use crate::auth::tests::TestIssuer;
use crate::auth::tests::signer::{Signer, good};
use crate::auth::{Rule, Subject, Verb};
use crate::observe::LogFormat;
use crate::ports::tests::{Open, channel, options, start_with};

/// The admin API on a port of these options.
async fn open(world: &World, yaml: &str) -> (Open, OxiaAdminClient<Channel>) {
    let options = options(yaml);
    let protection = Protection::of(&options, true);
    let access = Access::new(Policy::new(options.public.authorization), protection);
    let store = world.backend.configuration_store.clone();
    let open = start_with(yaml, admin::routes(world.parts(store, access))).await;
    let client = OxiaAdminClient::new(channel(&open.public).await);
    (open, client)
}

fn by<T>(token: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
    }
    request
}

fn creation(name: &str) -> v1::CreateNamespaceRequest {
    v1::CreateNamespaceRequest {
        namespace: Some(namespace(name)),
    }
}

/// Waits for so many lines.
pub(super) async fn lines(world: &World, number: usize) -> Vec<Value> {
    let all = async {
        loop {
            let lines = world.log.lines();
            if lines.len() >= number {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let lines = timeout(LIMIT, all).await.unwrap();
    assert_eq!(lines.len(), number);
    lines
}

#[tokio::test]
async fn a_change_is_written_down_before_and_after_with_who_made_it_and_never_their_token() {
    let world = World::new().await;
    let signer = Signer::ed25519("a");
    let issuer = TestIssuer::start(&[&signer]).await;
    let token = signer.token("EdDSA", &good(&issuer.url));
    let yaml = format!(
        r#"
server:
  public:
    bindAddress: 127.0.0.1:0
    auth: {{provider: oidc, providerParams: '{{"issuers": {{"{}": {{"allowedAudiences": "oxia"}}}}}}'}}
    authorization:
    - {{subjects: [{{claim: sub, value: alice}}], verbs: [read, write], namespaces: [orders]}}
"#,
        issuer.url
    );
    let (open, mut client) = open(&world, &yaml).await;
    let alice = Some(&*token);
    let nobody = client.create_namespace(by(None, creation("orders"))).await;
    assert_eq!(nobody.unwrap_err().code(), Code::Unauthenticated);
    for denied in [
        client
            .create_namespace(by(alice, creation("payments")))
            .await
            .map(drop),
        client
            .list_namespaces(by(alice, v1::ListNamespacesRequest {}))
            .await
            .map(drop),
        client
            .list_data_servers(by(alice, v1::ListDataServersRequest {}))
            .await
            .map(drop),
        client
            .delete_namespace(by(
                alice,
                v1::DeleteNamespaceRequest {
                    namespace: "orders".to_owned(),
                },
            ))
            .await
            .map(drop),
    ] {
        let denied = denied.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied, "{denied}");
        assert!(denied.message().starts_with("alice may not"), "{denied}");
    }
    assert_eq!(world.log.lines().len(), 0);
    assert_eq!(world.text().await, CONFIGURATION);

    client
        .create_namespace(by(alice, creation("orders")))
        .await
        .unwrap();
    assert!(world.text().await.contains("name: orders\n"));
    let lines = lines(&world, 2).await;
    for line in &lines {
        for (key, expected) in [
            ("action", json!("CreateNamespace")),
            ("target", json!("namespace orders")),
            ("before", Value::Null),
            ("epoch", json!(7)),
            ("how", json!("token")),
            ("issuer", json!(issuer.url)),
            ("request", lines[0]["request"].clone()),
            ("who", json!("alice")),
        ] {
            assert_eq!(line[key], expected, "{key}");
        }
        assert_eq!(line["after"]["initialShardCount"], 2);
        assert!(line["from"].as_str().unwrap().starts_with("127.0.0.1:"));
        for part in token.split('.') {
            assert!(!line.to_string().contains(part));
        }
    }
    assert_eq!(
        (&lines[0]["phase"], &lines[1]["phase"]),
        (&json!("begin"), &json!("end"))
    );
    assert_eq!(lines[1]["outcome"], "done");
    open.ports.close().await;
}

#[tokio::test]
async fn a_change_that_can_not_be_written_down_is_not_made_and_all_is_still_shown() {
    let mut world = World::new().await;
    world.audit = Audit::with_log(Box::new(Broken), LogFormat::Json, None).unwrap();
    let (open, mut client) = open(&world, "{}").await;
    let refused = client
        .create_namespace(creation("orders"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused.message().contains("can't be written down"),
        "{refused}"
    );
    assert_eq!(world.text().await, CONFIGURATION);
    let shown = client
        .list_namespaces(v1::ListNamespacesRequest {})
        .await
        .unwrap();
    assert_eq!(shown.into_inner().namespaces.len(), 1);
    open.ports.close().await;
}

#[tokio::test]
async fn what_came_of_a_change_is_written_down_as_far_as_it_is_known() {
    for (fault, tries, outcome) in [
        (Fault::Applied, 1, "done"),
        (Fault::Conflict, 6, "failed"),
        (Fault::Lost, 1, "unknown"),
    ] {
        let world = World::new().await;
        let made = create(&world.faulty(fault), "n").await;
        assert_eq!(made.is_ok(), outcome == "done");
        let lines = lines(&world, 2 * tries).await;
        for pair in lines.chunks(2) {
            assert_eq!(pair[0]["phase"], "begin");
            assert_eq!(pair[1]["phase"], "end");
            assert_eq!(pair[1]["outcome"], outcome);
            assert_eq!(pair[1].get("reason").is_some(), outcome == "failed");
        }
    }
}

#[tokio::test]
async fn a_change_comes_to_an_end_that_is_written_down_though_whoever_asked_has_gone() {
    let world = World::new().await;
    let hold = Arc::<Hold>::default();
    let admin = world.faulty(Fault::Held(hold.clone()));
    let mut change = Box::pin(create(&admin, "orders"));
    assert!((&mut change).now_or_never().is_none());
    drop(change);
    lines(&world, 1).await;
    hold.pass.notify_one();
    let lines = lines(&world, 2).await;
    assert_eq!(lines[1]["outcome"], "done");
    assert!(world.text().await.contains("name: orders\n"));
}

#[tokio::test]
async fn whoever_waits_long_is_told_that_nobody_knows_yet_and_the_change_goes_on() {
    let world = World::new().await;
    let hold = Arc::<Hold>::default();
    let admin = world.faulty(Fault::Held(hold.clone()));
    let mut change = Box::pin(create(&admin, "orders"));
    assert!((&mut change).now_or_never().is_none());
    hold.begun.notified().await;
    tokio::time::pause();
    let told = change.await.unwrap_err();
    assert_eq!(told.code(), Code::Unavailable);
    assert!(told.message().contains("not known yet whether"), "{told}");
    tokio::time::resume();
    hold.pass.notify_one();
    let lines = lines(&world, 2).await;
    assert_eq!(lines[1]["outcome"], "done");
    assert!(world.text().await.contains("name: orders\n"));
}

#[tokio::test]
async fn whose_rules_are_about_one_namespace_may_ask_for_a_plan_of_that_one() {
    let world = World::new().await;
    let policy = Policy::new(vec![Rule {
        subjects: vec![Subject::Certificate("operator".to_owned())],
        verbs: [Verb::Read].into(),
        namespaces: Some(["orders".to_owned()].into()),
    }]);
    let store = world.backend.configuration_store.clone();
    let admin = Admin::new(world.parts(store, Access::new(policy, Protection::Rules)));
    let ask = async |namespace: &str, supposed| {
        let mut request = Request::new(GetPlanRequest {
            supposed,
            namespace: namespace.to_owned(),
        });
        request.extensions_mut().insert(Caller::of_peer(Peer {
            names: ["operator".to_owned()].into_iter().collect(),
            ..Peer::default()
        }));
        admin.get_plan(request).await.unwrap_err().code()
    };
    // Nobody plans here.
    let let_in = Code::FailedPrecondition;
    for (namespace, supposed, code) in [
        ("", None, Code::PermissionDenied),
        ("payments", None, Code::PermissionDenied),
        ("orders", None, let_in),
        (
            "orders",
            Some(Supposed::CreateNamespace(creation("orders"))),
            let_in,
        ),
        (
            "orders",
            Some(Supposed::CreateNamespace(creation("payments"))),
            Code::InvalidArgument,
        ),
    ] {
        assert_eq!(ask(namespace, supposed).await, code, "{namespace}");
    }
}

/// A log during whose first line office is left.
pub(super) struct Leaving(pub(super) watch::Sender<View>, pub(super) Text);

impl io::Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_modify(|view| view.role = Role::Candidate);
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn who_leaves_office_while_a_change_is_written_down_does_not_make_it() {
    let mut world = World::new().await;
    let log = Leaving(world.view.clone(), world.log.clone());
    world.audit = Audit::with_log(Box::new(log), LogFormat::Json, None).unwrap();
    let elsewhere = create(&world.admin(), "orders").await.unwrap_err();
    assert_eq!(reason_of(&elsewhere), Some(Reason::NotInitialized));
    assert_eq!(world.text().await, CONFIGURATION);
    let lines = lines(&world, 2).await;
    assert_eq!(lines[1]["outcome"], "failed");
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_written_down() {
    let world = World::new().await;
    let request = v1::PatchNamespaceRequest {
        namespace: Some(v1::Namespace {
            name: "default".to_owned(),
            replication_factor: 1,
            ..v1::Namespace::default()
        }),
    };
    world.admin().patch_namespace(asked(request)).await.unwrap();
    assert_eq!(world.log.lines().len(), 0);
}
