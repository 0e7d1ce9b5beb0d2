//! The client side towards data servers, against real Oxia data servers (`OXIA_BIN`).
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may fail the test"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use stepdown::data_servers::{CallOptions, DataServers};
use stepdown_core::assign::{ShardAssignment, ShardAssignments};
use stepdown_core::call::{
    AddFollower, Answer, BecomeLeader, Binding, Call, CallErrorKind, EntryId, Feature, NewTerm,
    ReplicaRole,
};
use stepdown_core::cluster::{DataServerIdentity, HashRange, KeySorting};
use stepdown_core::{ShardId, Term};
use stepdown_tests::oxia::oxia;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_stream::StreamExt;

const OURS: &str = "0d9ed2b6-0000-4000-8000-8c8f6ed2e9f1";
const SHARD: ShardId = ShardId(7);

struct RealServer {
    process: Child,
    identity: DataServerIdentity,
    _log: BufReader<ChildStdout>,
    _dir: TempDir,
}

impl RealServer {
    fn start(oxia: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Command::new(oxia)
            .args(["server", "--log-json", "-p=127.0.0.1:0", "-i=127.0.0.1:0"])
            .args(["-m=127.0.0.1:0", "--wal-dir=wal", "--data-dir=db"])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stdout.take().unwrap());
        let mut address = |server: &str| loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "no {server} port");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["grpc-server"] == server {
                break Arc::from(line["bindAddress"].as_str().unwrap());
            }
        };
        let internal = address("internal");
        let public = address("public");
        Self {
            process,
            identity: DataServerIdentity {
                name: None,
                public,
                internal,
            },
            _log: log,
            _dir: dir,
        }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn cluster(instance_id: &str) -> DataServers {
    DataServers::new(CallOptions::default(), Arc::from(instance_id)).unwrap()
}

fn new_term(term: i64) -> Call {
    Call::NewTerm(NewTerm {
        namespace: Arc::from("default"),
        shard: SHARD,
        term: Term(term),
        enable_notifications: true,
        key_sorting: KeySorting::Hierarchical,
    })
}

async fn kind(servers: &DataServers, server: &RealServer, call: Call) -> CallErrorKind {
    let answer = servers.call(&server.identity, call).await;
    answer.unwrap_err().kind
}

#[tokio::test]
async fn a_real_server_is_bound_once_and_refuses_other_clusters() {
    let Some(oxia) = oxia() else { return };
    let server = RealServer::start(&oxia);
    let (ours, theirs) = (cluster(OURS), cluster("another-cluster"));
    assert_eq!(
        kind(&ours, &server, new_term(1)).await,
        CallErrorKind::NotInitialized
    );
    let health = ours.call(&server.identity, Call::CheckHealth).await;
    assert_eq!(health, Ok(Answer::Health { serving: true }));
    for (servers, binding) in [
        (&ours, Binding::Bound),
        (&ours, Binding::AlreadyBound),
        (&theirs, Binding::Mismatch),
    ] {
        let shaken = servers.call(&server.identity, Call::Handshake).await;
        let Ok(Answer::Handshaken { binding: heard, .. }) = shaken else {
            panic!("{shaken:?}");
        };
        assert_eq!(heard, binding);
    }
    assert_eq!(
        kind(&theirs, &server, new_term(1)).await,
        CallErrorKind::Refused
    );
    assert_eq!(
        kind(&ours, &server, Call::GetStatus { shard: SHARD }).await,
        CallErrorKind::NotMember
    );
}

#[tokio::test]
async fn real_servers_elect_a_leader_and_take_a_late_follower() {
    let Some(oxia) = oxia() else { return };
    let ensemble = [(); 3].map(|()| RealServer::start(&oxia));
    let [leader, follower, late] = &ensemble;
    let servers = cluster(OURS);
    for server in &ensemble {
        let shaken = servers.call(&server.identity, Call::Handshake).await;
        let Ok(Answer::Handshaken { features, .. }) = shaken else {
            panic!("{shaken:?}");
        };
        assert!(features.contains(&Feature(1)), "{features:?}");
    }
    for server in [leader, follower] {
        let fenced = servers.call(&server.identity, new_term(3)).await;
        assert_eq!(fenced, Ok(Answer::Fenced(EntryId::NONE)));
    }
    assert_eq!(
        kind(&servers, leader, new_term(2)).await,
        CallErrorKind::InvalidTerm
    );
    let head = EntryId::NONE;
    let lead = Call::BecomeLeader(BecomeLeader {
        namespace: Arc::from("default"),
        shard: SHARD,
        term: Term(3),
        replication_factor: 3,
        follower_maps: [(follower.identity.internal.clone(), head)].into(),
        features_supported: [Feature(1)].into(),
    });
    let led = servers.call(&leader.identity, lead.clone()).await;
    assert_eq!(led, Ok(Answer::BecameLeader));
    assert_eq!(
        kind(&servers, leader, lead).await,
        CallErrorKind::InvalidStatus
    );

    servers.call(&late.identity, new_term(3)).await.unwrap();
    let add = Call::AddFollower(AddFollower {
        namespace: Arc::from("default"),
        shard: SHARD,
        term: Term(3),
        follower: late.identity.internal.clone(),
        head,
    });
    for _ in 0..2 {
        let added = servers.call(&leader.identity, add.clone()).await;
        assert_eq!(added, Ok(Answer::FollowerAdded));
    }
    assert_eq!(
        kind(&servers, follower, add).await,
        CallErrorKind::NotLeader
    );
    let status = Call::GetStatus { shard: SHARD };
    let status = servers.call(&leader.identity, status).await;
    let Ok(Answer::Status(status)) = status else {
        panic!("{status:?}");
    };
    assert_eq!((status.term, status.role), (Term(3), ReplicaRole::Leader));
}

#[tokio::test]
async fn a_real_server_takes_assignments_and_its_death_ends_every_stream() {
    let Some(oxia) = oxia() else { return };
    let server = RealServer::start(&oxia);
    let servers = cluster(OURS);
    let assignment = ShardAssignment {
        shard: SHARD,
        leader: server.identity.public.clone(),
        hash_range: HashRange {
            min: 0,
            max: u32::MAX,
        },
    };
    let assignments = Arc::new(ShardAssignments {
        namespaces: [(Arc::from("default"), vec![assignment])].into(),
        allowed_authorities: [server.identity.public.clone()].into(),
    });
    let (_latest, receiver) = watch::channel(assignments);
    let unbound = servers.push(&server.identity, receiver.clone()).await;
    assert_eq!(unbound.kind, CallErrorKind::NotInitialized);

    let identity = server.identity.clone();
    servers.call(&identity, Call::Handshake).await.unwrap();
    let mut health = servers.watch_health(&identity);
    assert_eq!(health.next().await, Some(Ok(true)));
    let mut push = std::pin::pin!(servers.push(&identity, receiver));
    // A stream that the server accepts ends only with it.
    tokio::select! {
        end = &mut push => panic!("{end}"),
        () = ready(&oxia, &server) => {}
    }
    drop(server);
    assert_eq!(push.await.kind, CallErrorKind::Unreachable);
    let end = health.next().await.unwrap().unwrap_err();
    assert_eq!(end.kind, CallErrorKind::Unreachable);
    let dead = servers.call(&identity, Call::CheckHealth).await;
    assert_eq!(dead.unwrap_err().kind, CallErrorKind::Unreachable);
}

/// Waits until the server says that it has assignments.
async fn ready(oxia: &Path, server: &RealServer) {
    let (_, port) = server.identity.internal.rsplit_once(':').unwrap();
    let mut probe = tokio::process::Command::new(oxia);
    probe
        .args(["health", "--host=127.0.0.1", "--service=oxia-readiness"])
        .arg(format!("--port={port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for _ in 0..1_000 {
        if probe.status().await.unwrap().success() {
            return;
        }
    }
    panic!("assignments never arrived");
}
