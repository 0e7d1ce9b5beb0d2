//! The admin API of a coordinator that is a process: by its own protocol, and by upstream's program
//! (`OXIA_BIN`), of which each command has to print what it prints of upstream's coordinator.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]
#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may panic like tests, and say what they skip"
)]

#[allow(dead_code, reason = "other tests need more of it")]
mod support;

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::rc::Rc;

use stepdown_wire::v1::oxia_admin_client::OxiaAdminClient;
use stepdown_wire::v1::{
    CreateNamespaceRequest, DeleteNamespaceRequest, ListNamespacesRequest, Namespace,
};
use support::{assert_refused, succeeded, text, until};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

/// Nobody serves there.
const CONFIGURATION: &str = "\
# By hand.
namespaces:
- name: default
  initialShardCount: 2
  replicationFactor: 1
servers:
- {name: s1, public: '127.0.0.1:11', internal: '127.0.0.1:12'}
- {name: s2, public: '127.0.0.1:13', internal: '127.0.0.1:14'}
";

struct Coordinator {
    child: Child,
    directory: Rc<TempDir>,
    address: String,
}

impl Coordinator {
    fn start(program: impl AsRef<OsStr>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("cluster.yaml"), CONFIGURATION).expect("a file");
        Self::start_in(Rc::new(directory), program, &[])
    }

    fn start_in(directory: Rc<TempDir>, program: impl AsRef<OsStr>, options: &[&str]) -> Self {
        let [internal, public, metrics] = free_addresses();
        let child = Command::new(program)
            .current_dir(directory.path())
            .args(["coordinator", "--conf=cluster.yaml"])
            .arg("--file-clusters-status-path=status.json")
            .args(["-i", &internal, "-p", &public, "-m", &metrics])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        Self {
            child,
            directory,
            address: public,
        }
    }

    fn stepdown() -> Self {
        Self::start(env!("CARGO_BIN_EXE_stepdown"))
    }

    /// One beside it, of this name.
    fn beside(&self, name: &str) -> Self {
        let options = format!("{name}.options.yaml");
        let path = self.directory.path().join(&options);
        fs::write(path, format!("metadata: {{name: {name}}}")).expect("a file");
        Self::start_in(self.directory.clone(), stepdown(), &["--sconfig", &options])
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).expect("a file")
    }

    async fn client(&self) -> OxiaAdminClient<Channel> {
        let address = format!("http://{}", self.address);
        let endpoint = Endpoint::from_shared(address).expect("an address");
        loop {
            if let Ok(channel) = endpoint.connect().await
                && let mut client = OxiaAdminClient::new(channel)
                && client
                    .list_namespaces(ListNamespacesRequest {})
                    .await
                    .is_ok()
            {
                return client;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three that nobody listens at.
fn free_addresses() -> [String; 3] {
    let bound = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    bound.map(|it| it.local_addr().expect("an address").to_string())
}

#[tokio::test]
async fn a_namespace_that_is_asked_for_is_in_the_file_and_comes_into_being() {
    let coordinator = Coordinator::stepdown();
    let mut client = coordinator.client().await;
    let namespace = Namespace {
        name: "orders".to_owned(),
        initial_shard_count: 3,
        replication_factor: 2,
        key_sorting: "hierarchical".to_owned(),
        ..Namespace::default()
    };
    let request = CreateNamespaceRequest {
        namespace: Some(namespace.clone()),
    };
    let made = client.create_namespace(request).await.expect("it is made");
    assert_eq!(made.into_inner().namespace, Some(namespace));
    let file = coordinator.file("cluster.yaml");
    assert!(file.contains("name: orders\n"), "{file}");
    assert_eq!(coordinator.file("cluster.yaml.before-admin"), CONFIGURATION);
    until("the shards are there", || {
        coordinator.file("status.json").contains("orders:")
    });
    let request = DeleteNamespaceRequest {
        namespace: "orders".to_owned(),
    };
    client.delete_namespace(request).await.expect("it is gone");
    let file = coordinator.file("cluster.yaml");
    assert!(!file.contains("orders"), "{file}");
}

/// The program itself.
fn stepdown() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_stepdown"))
}

#[test]
fn the_command_shows_and_changes_what_is_configured() {
    let coordinator = Coordinator::stepdown();
    let ask = |words: &[&str]| admin(stepdown(), &coordinator, words);
    until("it leads", || ask(&["namespace", "list"]).status.success());
    let made = succeeded(&ask(&[
        "namespace",
        "create",
        "orders",
        "--initial-shards=3",
        "--replication-factor=2",
    ]));
    assert_eq!(
        made,
        "NAME    INITIAL_SHARDS  REPLICATION_FACTOR\norders  3               2\n"
    );
    assert_refused(
        &ask(&["namespace", "patch", "orders", "--replication-factor=9"]),
        "only 2 servers are configured",
    );
    let json = succeeded(&ask(&["namespace", "get", "orders", "-o=json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let sorting = json.pointer("/namespace/key_sorting");
    assert_eq!(sorting.and_then(|it| it.as_str()), Some("hierarchical"));
    succeeded(&ask(&["data-server", "patch", "s2", "--label", "zone=b"]));
    let listed = succeeded(&ask(&["data-server", "list"]));
    assert!(
        listed.contains("DATA_SERVER_STATE_UNAVAILABLE  zone=b\n"),
        "{listed}"
    );
    let yaml = succeeded(&ask(&["data-server", "get", "s1", "-o=yaml"]));
    assert!(yaml.contains("internal: \"127.0.0.1:12\"\n"), "{yaml}");
    succeeded(&ask(&["namespace", "delete", "orders"]));
    assert_refused(&ask(&["namespace", "get", "orders"]), "NotFound");
}

#[test]
fn a_standby_sends_whoever_asks_it_to_the_leader_though_no_coordinators_are_listed() {
    let leader = Coordinator::stepdown();
    let list = ["namespace", "list"];
    until("it leads", || {
        admin(stepdown(), &leader, &list).status.success()
    });
    let standby = leader.beside("standby");
    until("the standby knows who leads", || {
        admin(stepdown(), &standby, &list).status.success()
    });
    let create = "namespace create orders --initial-shards=3 --replication-factor=1";
    let create: Vec<_> = create.split(' ').collect();
    succeeded(&admin(stepdown(), &standby, &create));
    assert!(leader.file("cluster.yaml").contains("name: orders\n"));
    let Some(oxia) = oxia() else { return };
    let [asked, told] =
        [&leader, &standby].map(|it| shown(&admin(&oxia, it, &["namespace", "get"])));
    assert!(told.contains("orders"), "{told}");
    assert_eq!(asked, told);
}

/// Upstream's program, if it is named.
fn oxia() -> Option<PathBuf> {
    let path = std::env::var_os("OXIA_BIN").map(PathBuf::from);
    if path.is_none() {
        eprintln!("A test with upstream's program is SKIPPED, NOT TESTED: set OXIA_BIN");
    }
    path
}

fn admin(program: &Path, coordinator: &Coordinator, words: &[&str]) -> Output {
    Command::new(program)
        .args(["admin", "--admin-address", &coordinator.address])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

/// What is printed, without what depends on how far elections are.
fn shown(output: &Output) -> String {
    let all = text(&output.stdout) + &text(&output.stderr);
    let is_steady = |line: &&str| {
        let key = line.trim_start().trim_start_matches('"');
        !key.starts_with("term") && !key.starts_with("status")
    };
    let lines: Vec<_> = all.lines().filter(is_steady).collect();
    format!("{:?}\n{}", output.status.code(), lines.join("\n"))
}

/// On which of the two servers a shard is, each may choose.
fn on_one_server(shown: &str) -> String {
    let same = [("s2", "s1"), (":13", ":11"), (":14", ":12")];
    let on_one = |shown: String, (other, one): &(&str, &str)| shown.replace(other, one);
    same.iter().fold(shown.to_owned(), on_one)
}

/// In this order: each works on what those before it have left.
const COMMANDS: &[&str] = &[
    "namespace get",
    "namespace get default",
    "namespace get default -o json",
    "namespace get default -o yaml",
    "namespace get nope",
    "dataserver get",
    "dataserver get s1",
    "dataserver get s1 -o json",
    "dataserver get s1 -o yaml",
    "dataserver get nope",
    "dataserver create s3 --public 127.0.0.1:15 --internal 127.0.0.1:16 --label zone=a",
    "dataserver create s3 --public 127.0.0.1:15 --internal 127.0.0.1:16",
    "dataserver get s3 -o json",
    "dataserver patch s3 --public 127.0.0.1:17",
    "dataserver patch s3 --label zone=b --label rack=r -o json",
    "dataserver patch nope --public 127.0.0.1:17",
    "namespace create n1 --initial-shards 2 --replication-factor 1",
    "namespace create n1 --initial-shards 2 --replication-factor 1",
    "namespace create n2 --initial-shards 2 --replication-factor 3 --key-sorting natural -o json",
    "namespace create n3 --initial-shards 2 --replication-factor 9",
    "namespace create n4 --initial-shards 1 --replication-factor 1 --notifications=false -o yaml",
    "namespace patch n1 --replication-factor 2",
    "namespace patch n1 --replication-factor 9",
    "namespace patch n1 --notifications=false -o json",
    "namespace patch nope --replication-factor 1",
    "dataserver delete s3",
    "namespace delete n2",
    "dataserver delete s3",
    "dataserver delete nope",
    "namespace delete n1",
    "namespace delete n4",
    "namespace delete nope",
    "namespace get",
    "dataserver get",
];

#[test]
fn upstreams_program_prints_of_it_what_it_prints_of_upstreams_coordinator() {
    let Some(oxia) = oxia() else { return };
    let (ours, theirs) = (Coordinator::stepdown(), Coordinator::start(&oxia));
    for coordinator in [&ours, &theirs] {
        until("it leads", || {
            admin(&oxia, coordinator, &["namespace", "get"])
                .status
                .success()
        });
    }
    for command in COMMANDS {
        let words: Vec<_> = command.split(' ').collect();
        let [ours, theirs] = [&ours, &theirs].map(|it| {
            let shown = shown(&admin(&oxia, it, &words));
            match command.starts_with("namespace get default") {
                true => on_one_server(&shown),
                false => shown,
            }
        });
        assert_eq!(ours, theirs, "{command}");
    }
    // Here, and not there.
    let nonsense = [
        "dataserver",
        "create",
        "s9",
        "--public",
        "x",
        "--internal",
        "y",
    ];
    let refused = admin(&oxia, &ours, &nonsense);
    assert!(text(&refused.stderr).contains("servers[2].public"));
    let split = admin(&oxia, &ours, &["shard", "split", "--shard", "0"]);
    assert!(text(&split.stderr).contains("does not split shards"));
    let listed = succeeded(&admin(&oxia, &ours, &["dataserver", "get"]));
    assert!(!listed.contains("s9"), "{listed}");
}
