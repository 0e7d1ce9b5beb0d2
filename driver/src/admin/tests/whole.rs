//! The methods of one that plans, where no data server answers.

use stepdown_core::{Options, ProcessId, Timing};
use stepdown_wire::operator::Plan;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::data_servers::CallOptions;
use crate::event_loop::{self, Coordinator};

/// Two of them go where only `default` is kept.
const THREE: &str = "\
namespaces:
- {name: default, initialShardCount: 1, replicationFactor: 1}
- {name: orders, initialShardCount: 2, replicationFactor: 1}
- {name: payments, initialShardCount: 3, replicationFactor: 1}
servers:
- {name: s1, public: 'localhost:1', internal: 'localhost:2'}
- {name: s2, public: 'localhost:3', internal: 'localhost:4'}
";

struct Whole {
    world: World,
    admin: Admin,
    stop: CancellationToken,
    run: JoinHandle<()>,
}

impl Whole {
    async fn start(text: &str) -> Self {
        let world = World::with(Some(text)).await;
        let namespaces = text.matches("- {name: ").count() - 2;
        let stop = CancellationToken::new();
        let coordinator = Coordinator {
            options: Options {
                process: ProcessId(1),
                seed: 1,
                timing: Timing::default(),
            },
            backend: world.memory.backend("a"),
            configuration: world.judged.readings(),
            servers: CallOptions::default(),
            drain: Duration::from_secs(3),
            reports: Arc::new(|_| {}),
            stop: stop.clone(),
        };
        let (asked, run) = coordinator.run();
        let event_loop::Asked { mut view, operator } = asked;
        let run = tokio::spawn(run);
        let store = world.backend.configuration_store.clone();
        let access = Access::new(Policy::default(), Protection::Loopback);
        let admin = Admin::new(Parts {
            view: view.clone(),
            operator,
            ..world.parts(store, access)
        });
        let has_all = |view: &View| {
            let status = view.status.as_ref();
            status.is_some_and(|it| it.namespaces.len() == namespaces)
        };
        timeout(LIMIT, view.wait_for(has_all))
            .await
            .unwrap()
            .unwrap();
        Self {
            world,
            admin,
            stop,
            run,
        }
    }

    async fn plan(&self, namespace: &str, supposed: Option<Supposed>) -> Result<Plan, Status> {
        let request = GetPlanRequest {
            supposed,
            namespace: namespace.to_owned(),
        };
        Ok(self.admin.get_plan(asked(request)).await?.into_inner())
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(LIMIT, self.run).await.unwrap().unwrap();
    }
}

fn creation(name: &str) -> Supposed {
    Supposed::CreateNamespace(v1::CreateNamespaceRequest {
        namespace: Some(namespace(name)),
    })
}

#[tokio::test]
async fn a_plan_of_one_namespace_is_about_nothing_else() {
    let whole = Whole::start(THREE).await;
    let names = |plan: &Plan| -> Vec<String> {
        let namespaces = plan.namespaces.iter();
        namespaces.map(|it| it.namespace.clone()).collect()
    };
    let all = whole.plan("", None).await.unwrap();
    assert_eq!(names(&all), ["default", "orders", "payments"]);
    assert_eq!(all.servers.len(), 2);
    let one = whole.plan("orders", None).await.unwrap();
    assert_eq!(names(&one), ["orders"]);
    assert_eq!(one.servers.len(), 0);
    let made = whole.plan("n", Some(creation("n"))).await.unwrap();
    assert_eq!((names(&made).len(), made.made.len()), (0, 1));
    whole.end().await;
}

#[tokio::test]
async fn nothing_is_built_on_what_others_have_written_while_it_is_held_back() {
    let whole = Whole::start(THREE).await;
    let text = one();
    whole.world.memory.set_configuration(Some(text.clone()));
    let mut in_force = whole.world.judged.in_force();
    let read = in_force.wait_for(|it| it.iter().any(|it| it.namespaces.len() == 1));
    timeout(LIMIT, read).await.unwrap().unwrap();
    let refused = create(&whole.admin, "n").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("held back"), "{refused}");
    assert_eq!(whole.world.text().await, text);
    let supposed = whole.plan("", Some(creation("n"))).await.unwrap_err();
    assert_eq!(supposed.message(), refused.message());
    // It would come in the place of what is held back.
    let supposed = Supposed::Configuration(THREE.to_owned());
    whole.plan("", Some(supposed)).await.unwrap();
    whole.end().await;
}

#[tokio::test]
async fn what_is_held_back_is_told_and_let_go_where_what_came_after_it_can_not_be_dialled() {
    let whole = Whole::start(THREE).await;
    let told = async |is_held: bool| {
        let until = async {
            loop {
                let plan = whole.plan("", None).await.unwrap();
                if plan.held_back.is_some() == is_held {
                    return plan.held_back;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, until).await.unwrap()
    };
    whole.world.memory.set_configuration(Some(one()));
    let held = told(true).await.unwrap();
    assert_eq!(held.namespaces, ["orders", "payments"]);
    let undialled = THREE.replace("localhost:3", "localhost");
    whole.world.memory.set_configuration(Some(undialled));
    told(false).await;
    whole.end().await;
}

#[tokio::test]
async fn one_change_after_the_other_is_made_though_the_first_is_held_back() {
    let whole = Whole::start(&one()).await;
    delete(&whole.admin, "default").await.unwrap();
    create(&whole.admin, "n").await.unwrap();
    let refused = create(&whole.admin, "default").await.unwrap_err();
    assert!(
        refused.message().contains("not being deleted yet"),
        "{refused}"
    );
    let supposed = whole.plan("", Some(creation("default"))).await;
    assert_eq!(supposed.unwrap_err().message(), refused.message());
    whole.end().await;
}

#[tokio::test]
async fn who_is_configured_is_not_given_up_and_who_is_not_and_does_not_answer_is() {
    let whole = Whole::start(THREE).await;
    let give_up = async || {
        let gone = stepdown_core::ServerId("s2".into());
        whole.admin.operator.give_up(gone).await
    };
    assert!(!give_up().await);
    let request = v1::DeleteDataServerRequest {
        data_server: "s2".to_owned(),
    };
    whole
        .admin
        .delete_data_server(asked(request))
        .await
        .unwrap();
    let given_up = async {
        while !give_up().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, given_up).await.unwrap();
    whole.end().await;
}

/// With `default` alone.
fn one() -> String {
    let (before, after) = THREE.split_once("- {name: orders").unwrap();
    let (_, servers) = after.split_once("servers:").unwrap();
    format!("{before}servers:{servers}")
}
