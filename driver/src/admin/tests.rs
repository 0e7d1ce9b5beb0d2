//! The methods, against a configuration in memory.

mod audited;
mod forgotten;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::select_all;
use stepdown_backends::memory::MemoryCluster;
use stepdown_backends::{
    Backend, ConfigurationStore, ConfigurationStoreError, Leadership, LeadershipReport,
    PublicAddress, StoredConfiguration,
};
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, Role, ServerState, Tenure, Version};
use stepdown_wire::error::{COORDINATOR_LEADER, Reason, info_of, reason_of};
use stepdown_wire::operator::get_plan_request::Supposed;
use stepdown_wire::operator::operator_server::Operator;
use stepdown_wire::operator::{GetPlanRequest, SetBalancerRequest};
use stepdown_wire::port::Peer;
use stepdown_wire::v1;
use stepdown_wire::v1::oxia_admin_server::OxiaAdmin;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tonic::{Code, Request, Status};

use super::service::Admin;
use super::{Access, Parts, Protection};
use crate::audit::Audit;
use crate::audit::tests::Text;
use crate::auth::{Caller, Policy};
use crate::configuration::Judged;
use crate::event_loop::{ServerView, View, operator};
use crate::observe::Metrics;

const LIMIT: Duration = Duration::from_secs(20);
const CONFIGURATION: &str = "\
namespaces: [{name: default, initialShardCount: 1, replicationFactor: 1}]
servers:
- {name: s1, public: 'localhost:1', internal: 'localhost:2'}
- {name: s2, public: 'localhost:3', internal: 'localhost:4'}
coordinators:
- {name: a, publicAddress: 'a:6651'}
- {name: b, publicAddress: 'b:6651'}
";
const STATUS: &str = "\
namespaces: {default: {replicationFactor: 1, shards: {0: {status: 1, term: 3}}}}
";

struct World {
    memory: MemoryCluster,
    backend: Backend,
    judged: Judged,
    view: watch::Sender<View>,
    metrics: Metrics,
    log: Text,
    audit: Audit,
}

impl World {
    async fn new() -> Self {
        Self::with(Some(CONFIGURATION)).await
    }

    async fn with(text: Option<&str>) -> Self {
        let memory = MemoryCluster::new();
        memory.set_configuration(text.map(str::to_owned));
        let backend = memory.backend("a");
        let metrics = Metrics::new().unwrap();
        let log = Text::default();
        let judged = Judged::new(&*backend.configuration, metrics.documents.clone());
        let world = Self {
            memory,
            backend,
            judged,
            view: watch::Sender::default(),
            metrics,
            audit: log.audit(),
            log,
        };
        if text.is_some() {
            let mut in_force = world.judged.in_force();
            let read = in_force.wait_for(Option::is_some);
            timeout(LIMIT, read).await.unwrap().unwrap();
        }
        world.lead(Role::Leader);
        world
    }

    fn lead(&self, role: Role) {
        let server = ServerView {
            state: ServerState::Running,
            features: BTreeSet::new(),
        };
        let status = ClusterStatus::decode(STATUS).unwrap();
        self.view.send_replace(View {
            role,
            tenure: Tenure(1),
            epoch: Some(Epoch(7)),
            status: (role == Role::Leader).then(|| Arc::new(status)),
            servers: Arc::new(BTreeMap::from([(
                stepdown_core::ServerId("s1".into()),
                server,
            )])),
        });
    }

    fn admin(&self) -> Admin {
        self.admin_with(
            self.backend.configuration_store.clone(),
            Protection::Loopback,
        )
    }

    fn admin_with(&self, store: Arc<dyn ConfigurationStore>, protection: Protection) -> Admin {
        Admin::new(self.parts(store, Access::new(Policy::default(), protection)))
    }

    fn parts(&self, store: Arc<dyn ConfigurationStore>, access: Access) -> Parts {
        Parts {
            name: "a".into(),
            public_address: None,
            view: self.view.subscribe(),
            operator: operator().0,
            leadership: self.backend.leadership.clone(),
            read: self.backend.configuration.watch(),
            in_force: self.judged.in_force(),
            readings: self.judged.readings(),
            store,
            access,
            audit: self.audit.clone(),
            runtime: Handle::current(),
            requests: self.metrics.admin.clone(),
        }
    }

    async fn text(&self) -> String {
        let stored = self.backend.configuration_store.load().await.unwrap();
        stored.text.unwrap_or_default()
    }
}

/// Somebody asks for it of whom nothing is known.
fn asked<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let caller = Caller::of_peer(Peer::default());
    request.extensions_mut().insert(caller);
    request
}

fn namespace(name: &str) -> v1::Namespace {
    v1::Namespace {
        name: name.to_owned(),
        initial_shard_count: 2,
        replication_factor: 1,
        key_sorting: "natural".to_owned(),
        ..v1::Namespace::default()
    }
}

async fn create(admin: &Admin, name: &str) -> Result<v1::Namespace, Status> {
    let request = v1::CreateNamespaceRequest {
        namespace: Some(namespace(name)),
    };
    let answer = admin.create_namespace(asked(request)).await?;
    Ok(answer.into_inner().namespace.unwrap())
}

async fn delete(admin: &Admin, name: &str) -> Result<v1::Namespace, Status> {
    let request = v1::DeleteNamespaceRequest {
        namespace: name.to_owned(),
    };
    let answer = admin.delete_namespace(asked(request)).await?;
    Ok(answer.into_inner().namespace.unwrap())
}

async fn names(admin: &Admin) -> Vec<String> {
    let request = asked(v1::ListNamespacesRequest {});
    let answer = admin.list_namespaces(request).await.unwrap().into_inner();
    let views = answer.namespaces.into_iter();
    views.map(|view| view.namespace.unwrap().name).collect()
}

#[tokio::test]
async fn what_is_configured_is_shown_with_what_is_so() {
    let world = World::new().await;
    let admin = world.admin();
    let request = asked(v1::ListDataServersRequest {});
    let servers = admin.list_data_servers(request).await.unwrap().into_inner();
    let states: Vec<_> = servers
        .data_servers
        .iter()
        .map(|view| {
            let status = view.data_server_status.as_ref().unwrap();
            let identity = view
                .data_server
                .as_ref()
                .unwrap()
                .identity
                .as_ref()
                .unwrap();
            (identity.name.as_deref().unwrap(), status.state())
        })
        .collect();
    let (running, unseen) = (
        v1::DataServerState::Running,
        v1::DataServerState::Unavailable,
    );
    assert_eq!(states, [("s1", running), ("s2", unseen)]);
    let request = v1::GetNamespaceRequest {
        namespace: "default".to_owned(),
    };
    let view = admin.get_namespace(asked(request)).await.unwrap();
    let view = view.into_inner().namespace.unwrap();
    assert_eq!(view.namespace_status.unwrap().shards[&0].term, 3);
    for (name, code) in [("nope", Code::NotFound), ("", Code::InvalidArgument)] {
        let namespace = name.to_owned();
        let request = asked(v1::GetNamespaceRequest { namespace });
        assert_eq!(admin.get_namespace(request).await.unwrap_err().code(), code);
        let data_server = name.to_owned();
        let request = asked(v1::GetDataServerRequest { data_server });
        assert_eq!(
            admin.get_data_server(request).await.unwrap_err().code(),
            code
        );
    }
}

#[tokio::test]
async fn what_was_changed_is_stored_and_seen_at_once() {
    let world = World::new().await;
    let admin = world.admin();
    assert_eq!(create(&admin, "orders").await.unwrap(), namespace("orders"));
    assert_eq!(names(&admin).await, ["default", "orders"]);
    assert!(world.text().await.contains("name: orders\n"));
    let twice = create(&admin, "orders").await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    assert_eq!(twice.message(), "namespace \"orders\" already exists");
    assert_eq!(delete(&admin, "orders").await.unwrap(), namespace("orders"));
    assert_eq!(names(&admin).await, ["default"]);
    let metrics = world.metrics.text().unwrap();
    for line in [
        "stepdown_admin_requests_total{code=\"OK\",method=\"CreateNamespace\"} 1\n",
        "stepdown_admin_requests_total{code=\"AlreadyExists\",method=\"CreateNamespace\"} 1\n",
        "stepdown_admin_requests_total{code=\"OK\",method=\"PatchDataServer\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_out_is_made_anew_only_once_it_is_being_deleted() {
    let world = World::new().await;
    let admin = world.admin();
    let there = |state: u32| {
        let text = format!(
            "namespaces: {{orders: {{replicationFactor: 1, shards: {{0: {{status: {state}}}}}}}}}"
        );
        let status = Arc::new(ClusterStatus::decode(&text).unwrap());
        world.view.send_modify(|view| view.status = Some(status));
    };
    there(1);
    let refused = create(&admin, "orders").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("not being deleted yet"),
        "{refused}"
    );
    assert_eq!(world.text().await, CONFIGURATION);
    // What is written down takes a thread its time.
    tokio::time::resume();
    let mut made = Box::pin(create(&admin, "orders"));
    let soon = tokio::time::timeout(Duration::from_millis(100), &mut made);
    assert!(soon.await.is_err(), "it waits for the deletion");
    there(3);
    made.await.unwrap();
}

#[tokio::test]
async fn more_replicas_than_a_coordinator_has_room_for_are_not_asked_for() {
    let servers = (1..=65).map(|it| {
        let internal = it + 100;
        format!("- {{name: s{it}, public: 'localhost:{it}', internal: 'localhost:{internal}'}}\n")
    });
    let text = format!(
        "namespaces: [{{name: default, initialShardCount: 1, replicationFactor: 65}}]\nservers:\n{}",
        servers.collect::<String>()
    );
    let world = World::with(Some(&text)).await;
    let admin = world.admin();
    let factor = async |replication_factor| {
        let namespace = v1::Namespace {
            replication_factor,
            ..namespace("orders")
        };
        let request = v1::CreateNamespaceRequest {
            namespace: Some(namespace),
        };
        admin.create_namespace(asked(request)).await.map(drop)
    };
    let refused = factor(65).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("64 is the most"), "{refused}");
    // That there is one with more already keeps nobody from anything.
    factor(64).await.unwrap();
}

#[tokio::test]
async fn eight_admins_at_once_lose_nothing() {
    let world = World::new().await;
    // Two coordinators, each with its own turns.
    let admins = Arc::new([world.admin(), world.admin()]);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let admins = admins.clone();
        tasks.spawn(async move {
            let admin = &admins[number % 2];
            loop {
                match create(admin, &format!("n{number}")).await {
                    Ok(_) => return,
                    Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
                }
            }
        });
    }
    while let Some(ended) = timeout(LIMIT, tasks.join_next()).await.unwrap() {
        ended.unwrap();
    }
    let text = world.text().await;
    for number in 0..8 {
        assert!(text.contains(&format!("name: n{number}\n")), "{text}");
    }
}

#[tokio::test]
async fn what_can_not_be_put_in_force_is_refused_with_its_key_and_changes_nothing() {
    let world = World::new().await;
    let admin = world.admin();
    let server = |public: &str, internal: &str| v1::DataServer {
        identity: Some(v1::DataServerIdentity {
            name: Some("s3".to_owned()),
            public: public.to_owned(),
            internal: internal.to_owned(),
        }),
        metadata: None,
    };
    for (server, told) in [
        (server("nonsense", "localhost:6"), "servers[2].public"),
        (server("localhost:1", "localhost:6"), "servers[2].public"),
    ] {
        let data_server = Some(server);
        let request = asked(v1::CreateDataServerRequest { data_server });
        let refused = admin.create_data_server(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(told), "{refused}");
    }
    let request = asked(v1::CreateDataServerRequest { data_server: None });
    let refused = admin.create_data_server(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(world.text().await, CONFIGURATION);
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_stored() {
    let world = World::new().await;
    let request = v1::PatchNamespaceRequest {
        namespace: Some(v1::Namespace {
            name: "default".to_owned(),
            replication_factor: 1,
            ..v1::Namespace::default()
        }),
    };
    let admin = world.admin();
    admin.patch_namespace(asked(request)).await.unwrap();
    assert_eq!(world.text().await, CONFIGURATION);
}

#[tokio::test]
async fn who_does_not_lead_names_the_leader_if_he_can() {
    let world = World::new().await;
    let admin = world.admin();
    world.lead(Role::Candidate);
    let unknown = create(&admin, "n").await.unwrap_err();
    assert_eq!(reason_of(&unknown), Some(Reason::NotInitialized));
    assert_eq!(unknown.code(), Code::Unavailable);
    let other = world.memory.backend("b");
    let (reports, mut reported) = mpsc::channel(4);
    let _leads = tokio::spawn(async move { other.leadership.lead(reports).await });
    let won = timeout(LIMIT, reported.recv()).await.unwrap();
    assert!(matches!(won, Some(LeadershipReport::Won { .. })));
    let elsewhere = create(&admin, "n").await.unwrap_err();
    assert_eq!(reason_of(&elsewhere), Some(Reason::NodeIsNotLeader));
    assert_eq!(elsewhere.code(), Code::Aborted);
    assert_eq!(
        info_of(&elsewhere).unwrap().metadata[COORDINATOR_LEADER],
        "b:6651"
    );
    // A list that lacks one of them is not believed.
    let without = CONFIGURATION.replace("name: b", "name: c");
    world.memory.set_configuration(Some(without));
    let mut in_force = world.judged.in_force();
    let read = in_force.wait_for(|it| it.iter().any(|it| &*it.coordinators[1].name == "c"));
    timeout(LIMIT, read).await.unwrap().unwrap();
    let unknown = create(&admin, "n").await.unwrap_err();
    assert_eq!(reason_of(&unknown), Some(Reason::NotInitialized));
}

#[tokio::test]
async fn without_a_list_of_coordinators_leadership_tells_where_the_leader_is() {
    struct Told(Arc<dyn Leadership>);

    #[async_trait]
    impl Leadership for Told {
        async fn lead(&self, reports: mpsc::Sender<LeadershipReport>) {
            self.0.lead(reports).await;
        }

        async fn release(&self) {
            self.0.release().await;
        }

        fn leader(&self) -> Option<Arc<str>> {
            self.0.leader()
        }

        fn leader_address(&self, leader: &str) -> Option<PublicAddress> {
            PublicAddress::parse(&format!("{leader}:1"))
        }
    }

    let (without, _) = CONFIGURATION.split_once("coordinators:").unwrap();
    let world = World::with(Some(without)).await;
    world.lead(Role::Candidate);
    let other = world.memory.backend("b");
    let (reports, mut reported) = mpsc::channel(4);
    let _leads = tokio::spawn(async move { other.leadership.lead(reports).await });
    timeout(LIMIT, reported.recv()).await.unwrap();
    let store = world.backend.configuration_store.clone();
    let admin = |own| {
        let access = Access::new(Policy::default(), Protection::Loopback);
        Admin::new(Parts {
            public_address: PublicAddress::parse(own),
            leadership: Arc::new(Told(world.backend.leadership.clone())),
            ..world.parts(store.clone(), access)
        })
    };
    let elsewhere = create(&admin("a:1"), "n").await.unwrap_err();
    assert_eq!(
        info_of(&elsewhere).unwrap().metadata[COORDINATOR_LEADER],
        "b:1"
    );
    let here = create(&admin("b:1"), "n").await.unwrap_err();
    assert_eq!(reason_of(&here), Some(Reason::NotInitialized));
    let unknown = create(&world.admin(), "n").await.unwrap_err();
    assert_eq!(reason_of(&unknown), Some(Reason::NotInitialized));
}

#[tokio::test]
async fn where_nothing_keeps_strangers_away_nothing_is_changed_and_all_is_shown() {
    let world = World::new().await;
    let store = world.backend.configuration_store.clone();
    let admin = world.admin_with(store, Protection::None);
    let refused = delete(&admin, "default").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(names(&admin).await, ["default"]);
}

#[tokio::test]
async fn what_would_be_is_worked_out_for_nobody_unknown_where_nothing_keeps_strangers_away() {
    let world = World::new().await;
    let store = world.backend.configuration_store.clone();
    let admin = world.admin_with(store, Protection::None);
    let request = |supposed| {
        asked(GetPlanRequest {
            supposed,
            namespace: String::new(),
        })
    };
    let text = CONFIGURATION.to_owned();
    let supposed = request(Some(Supposed::Configuration(text)));
    let refused = admin.get_plan(supposed).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("worked out"), "{refused}");
    // Nobody plans here.
    let shown = admin.get_plan(request(None)).await.unwrap_err();
    assert_eq!(shown.code(), Code::FailedPrecondition, "{shown}");
}

#[tokio::test]
async fn whether_the_balancer_is_paused_is_told_though_nothing_else_is_known() {
    let world = World::new().await;
    let admin = world.admin();
    let request = asked(SetBalancerRequest { paused: true });
    let answer = admin.set_balancer(request).await.unwrap().into_inner();
    assert!(answer.balancer.unwrap().paused);
}

#[tokio::test]
async fn a_shard_is_not_split_and_that_is_said() {
    let world = World::new().await;
    let request = asked(v1::SplitShardRequest::default());
    let refused = world.admin().split_shard(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(refused.message().contains("does not split"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_built_on_a_document_that_is_not_in_force() {
    let world = World::new().await;
    let admin = world.admin();
    // As an editor leaves it for a moment, or as it was refused.
    for text in [
        None,
        Some(""),
        Some("namespaces: ["),
        Some("namespaces: [{name: x}]"),
    ] {
        world.memory.set_configuration(text.map(str::to_owned));
        let refused = create(&admin, "n").await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{text:?}");
        assert_eq!(world.text().await, text.unwrap_or_default());
    }
    world
        .memory
        .set_configuration(Some(CONFIGURATION.to_owned()));
    // What is written down takes a thread its time.
    tokio::time::resume();
    create(&admin, "n").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_first_configuration_can_be_made_where_the_cluster_has_nothing_yet() {
    let world = World::with(None).await;
    let admin = world.admin();
    let server = v1::DataServer {
        identity: Some(v1::DataServerIdentity {
            name: Some("s1".to_owned()),
            public: "localhost:1".to_owned(),
            internal: "localhost:2".to_owned(),
        }),
        metadata: None,
    };
    let request = || {
        asked(v1::CreateDataServerRequest {
            data_server: Some(server.clone()),
        })
    };
    // It has a namespace, whose configuration must be somewhere.
    let refused = admin.create_data_server(request()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    world
        .view
        .send_modify(|view| view.status = Some(Arc::default()));
    // What is written down takes a thread its time.
    tokio::time::resume();
    admin.create_data_server(request()).await.unwrap();
    assert!(world.text().await.contains("name: s1\n"));
}

/// A store whose writes end otherwise than they seem to.
struct Faulty {
    store: Arc<dyn ConfigurationStore>,
    fault: Fault,
}

enum Fault {
    /// Written, and nobody knows.
    Applied,
    Conflict,
    Lost,
    Held(Arc<Hold>),
}

/// Where writes wait.
#[derive(Default)]
struct Hold {
    /// Told when one begins to wait.
    begun: Notify,
    /// One goes on for each time that this is told.
    pass: Notify,
}

#[async_trait]
impl ConfigurationStore for Faulty {
    async fn load(&self) -> Result<StoredConfiguration, ConfigurationStoreError> {
        self.store.load().await
    }

    async fn store(
        &self,
        expected: &Version,
        text: String,
    ) -> Result<Version, ConfigurationStoreError> {
        let told = || "tested".to_owned();
        match &self.fault {
            Fault::Applied => {
                self.store.store(expected, text).await?;
                Err(ConfigurationStoreError::Unknown(told()))
            }
            Fault::Conflict => Err(ConfigurationStoreError::Conflict(told())),
            Fault::Lost => Err(ConfigurationStoreError::Unknown(told())),
            Fault::Held(hold) => {
                hold.begun.notify_one();
                hold.pass.notified().await;
                self.store.store(expected, text).await
            }
        }
    }
}

impl World {
    fn faulty(&self, fault: Fault) -> Admin {
        let store = self.backend.configuration_store.clone();
        self.admin_with(Arc::new(Faulty { store, fault }), Protection::Loopback)
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_looked_for() {
    let world = World::new().await;
    create(&world.faulty(Fault::Applied), "orders")
        .await
        .unwrap();
    assert!(world.text().await.contains("name: orders\n"));
    let lost = create(&world.faulty(Fault::Lost), "m").await.unwrap_err();
    assert_eq!(lost.code(), Code::Unavailable);
    assert!(lost.message().contains("not known whether"), "{lost}");
}

#[tokio::test]
async fn who_never_comes_first_is_told_so() {
    let world = World::new().await;
    let aborted = create(&world.faulty(Fault::Conflict), "n")
        .await
        .unwrap_err();
    assert_eq!(aborted.code(), Code::Aborted);
}

#[tokio::test]
async fn a_ninth_change_at_once_is_refused() {
    let world = World::new().await;
    let hold = Arc::<Hold>::default();
    let admin = world.faulty(Fault::Held(hold.clone()));
    let mut under_way = Vec::new();
    for number in 0..8 {
        let admin = &admin;
        let mut change = Box::pin(async move { create(admin, &format!("n{number}")).await });
        assert!((&mut change).now_or_never().is_none());
        under_way.push(change);
    }
    let refused = create(&admin, "ninth").await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    hold.pass.notify_one();
    let (first, ..) = timeout(LIMIT, select_all(under_way)).await.unwrap();
    assert_eq!(first.unwrap(), namespace("n0"));
}
