//! Data servers are given up, and that is written down.

use serde_json::json;
use stepdown_core::ServerId;
use stepdown_wire::operator::{ForgetDataServerRequest, ForgetDataServerResponse};
use tokio::sync::oneshot;

use super::audited::{Leaving, lines};
use super::*;
use crate::event_loop::Request as Asking;
use crate::observe::LogFormat;

const GONE: &str = "\
namespaces: {default: {replicationFactor: 1, shards: {0: {status: 1, pendingDeleteShardNodes: [
  {name: s9, public: 'localhost:8', internal: 'localhost:9'}]}}}}
";

/// What the machine is asked.
type Asked = mpsc::Receiver<Asking>;

impl World {
    /// An admin of one whose shard waits for `s9`, and what comes to the machine.
    fn forgetting(&self) -> (Arc<Admin>, Asked) {
        self.has(GONE);
        let (operator, asked) = operator();
        let store = self.backend.configuration_store.clone();
        let access = Access::new(Policy::default(), Protection::Loopback);
        let admin = Admin::new(Parts {
            operator,
            ..self.parts(store, access)
        });
        (Arc::new(admin), asked)
    }

    fn has(&self, status: &str) {
        let status = Arc::new(ClusterStatus::decode(status).unwrap());
        self.view.send_modify(|view| view.status = Some(status));
    }
}

async fn forget(admin: &Admin) -> Result<ForgetDataServerResponse, Status> {
    let request = ForgetDataServerRequest {
        data_server: "s9".to_owned(),
    };
    let answer = admin.forget_data_server(asked(request)).await?;
    Ok(answer.into_inner())
}

/// Whom the machine is asked to give up, and where that is answered.
async fn given_up(asked: &mut Asked) -> (ServerId, oneshot::Sender<()>) {
    match timeout(LIMIT, asked.recv()).await.unwrap() {
        Some(Asking::GiveUp(server, answer)) => (server, answer),
        Some(Asking::HeldBack(_) | Asking::Survey(_)) | None => {
            panic!("it is not asked to give anybody up")
        }
    }
}

#[tokio::test]
async fn a_data_server_is_given_up_though_whoever_asked_has_gone() {
    let world = World::new().await;
    let (admin, mut asked) = world.forgetting();
    let mut forgotten = Box::pin(forget(&admin));
    assert!((&mut forgotten).now_or_never().is_none());
    drop(forgotten);
    let (server, answer) = given_up(&mut asked).await;
    assert_eq!(&*server.0, "s9");
    answer.send(()).unwrap();
    let lines = lines(&world, 2).await;
    assert_eq!(lines[0]["before"], json!({"shards that wait for it": 1}));
    assert_eq!(lines[1]["outcome"], "done");
}

#[tokio::test]
async fn how_many_shards_wait_still_is_told() {
    let world = World::new().await;
    let (admin, mut asked) = world.forgetting();
    let machine = async {
        let (_, answer) = given_up(&mut asked).await;
        world.has(STATUS);
        answer.send(()).unwrap();
    };
    let (forgotten, ()) = tokio::join!(forget(&admin), machine);
    let expected = ForgetDataServerResponse { shards: 1, left: 0 };
    assert_eq!(forgotten.unwrap(), expected);
}

#[tokio::test]
async fn one_that_was_not_given_up_is_not_said_to_be() {
    let world = World::new().await;
    let (admin, mut asked) = world.forgetting();
    let machine = async { drop(given_up(&mut asked).await) };
    let (forgotten, ()) = tokio::join!(forget(&admin), machine);
    let refused = forgotten.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("was not given up"), "{refused}");
    assert_eq!(lines(&world, 2).await[1]["outcome"], "failed");
}

#[tokio::test]
async fn who_leaves_office_once_one_was_given_up_sends_nobody_to_another_for_that() {
    let world = World::new().await;
    let (admin, mut asked) = world.forgetting();
    let machine = async {
        let (_, answer) = given_up(&mut asked).await;
        world.lead(Role::Candidate);
        answer.send(()).unwrap();
    };
    let (forgotten, ()) = tokio::join!(forget(&admin), machine);
    let told = forgotten.unwrap_err();
    assert_eq!(told.code(), Code::Unavailable);
    assert_eq!(reason_of(&told), None);
    assert!(told.message().starts_with("s9 was given up"), "{told}");
    assert_eq!(lines(&world, 2).await[1]["outcome"], "done");
}

#[tokio::test]
async fn who_leaves_office_while_it_is_written_down_gives_nobody_up() {
    let mut world = World::new().await;
    let log = Leaving(world.view.clone(), world.log.clone());
    world.audit = Audit::with_log(Box::new(log), LogFormat::Json, None).unwrap();
    let (admin, mut asked) = world.forgetting();
    let elsewhere = forget(&admin).await.unwrap_err();
    assert_eq!(reason_of(&elsewhere), Some(Reason::NotInitialized));
    assert!(asked.try_recv().is_err());
    assert_eq!(lines(&world, 2).await[1]["outcome"], "failed");
}

#[tokio::test]
async fn whoever_answers_is_not_given_up_unless_another_one_has_its_address_by_now() {
    let world = World::new().await;
    let (admin, mut asked) = world.forgetting();
    let running = ServerView {
        state: ServerState::Draining,
        features: BTreeSet::new(),
    };
    world.view.send_modify(|view| {
        view.servers = Arc::new(BTreeMap::from([(ServerId("s9".into()), running)]));
    });
    let refused = forget(&admin).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("s9 runs"), "{refused}");
    // That is where s1 is, which does not have this shard: what was left there can be deleted.
    let there = GONE.replace("localhost:9", "localhost:2");
    world.has(&there);
    let refused = forget(&admin).await.unwrap_err();
    let in_its_place = "s1 has the address of s9 by now";
    assert!(refused.message().starts_with(in_its_place), "{refused}");
    let keeps =
        "ensemble: [{name: s1, public: 'localhost:1', internal: 'localhost:2'}], pendingDelete";
    world.has(&there.replace("pendingDelete", keeps));
    let machine = async {
        let (_, answer) = given_up(&mut asked).await;
        world.has(STATUS);
        answer.send(()).unwrap();
    };
    let (forgotten, ()) = tokio::join!(forget(&admin), machine);
    assert_eq!(forgotten.unwrap().left, 0);
}
