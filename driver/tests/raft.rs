//! `stepdown raft` as a process, and the coordinators that it asks.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

use std::fs::{self, File, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use stepdown_sandbox::cluster::free_addresses;
use support::{assert_refused, text, until};

#[allow(dead_code, reason = "other tests use more of it")]
mod support;

const CONFIGURATION: &str = "\
namespaces:
  - name: default
    replicationFactor: 1
    initialShardCount: 2
servers:
  - public: 127.0.0.1:1
    internal: 127.0.0.1:2
";

/// Coordinators with a directory of their own each. They are killed when this is dropped.
struct Coordinators {
    dir: tempfile::TempDir,
    addresses: Vec<SocketAddr>,
    running: Vec<Child>,
}

impl Coordinators {
    /// As many as there are names, of which the first `forming` form a cluster.
    fn start(names: &[&str], forming: usize) -> Self {
        let mut this = Self {
            dir: tempfile::tempdir().expect("a directory"),
            addresses: free_addresses(names.len()).expect("free ports"),
            running: Vec::new(),
        };
        for (index, name) in names.iter().enumerate() {
            let forms = index < forming;
            let listed = this.listed(if forms { forming } else { 0 });
            let child = this.spawn(name, index, &listed);
            this.running.push(child);
        }
        this
    }

    fn spawn(&self, name: &str, index: usize, listed: &str) -> Child {
        let options = self.dir.path().join(format!("{name}.yaml"));
        fs::write(&options, format!("metadata: {{ name: {name} }}\n")).expect("written");
        let log = File::create(self.dir.path().join(format!("{name}.log"))).expect("a log");
        Command::new(env!("CARGO_BIN_EXE_stepdown"))
            .args(["coordinator", "--metadata=raft", "--sconfig"])
            .arg(options)
            .args(["-i=127.0.0.1:0", "-p=127.0.0.1:0", "-m=127.0.0.1:0"])
            .args(["--raft-address", &self.address(index)])
            .args(["--raft-bootstrap-nodes", listed])
            .arg("--raft-data-dir")
            .arg(self.data_dir(name))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("it runs")
    }

    fn address(&self, index: usize) -> String {
        self.addresses[index].to_string()
    }

    fn listed(&self, count: usize) -> String {
        let addresses = self.addresses.iter().take(count);
        addresses
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }

    fn data_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Asks them all.
    fn ask(&self, words: &[&str]) -> Output {
        let all = self.listed(self.addresses.len());
        stepdown(&[&["raft"], words, &["--raft-address", &all]].concat())
    }

    fn done(&self, words: &[&str]) -> String {
        let output = self.ask(words);
        let shown = text(&output.stdout);
        let failed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {shown}{failed}");
        shown
    }

    fn status(&self) -> serde_json::Value {
        let output = self.ask(&["status", "-o=json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn wait_until_one_serves(&self) {
        until("a coordinator leads", || {
            self.status()["leader"]["serves"] == true
        });
    }

    fn kill_all(&mut self) {
        for mut child in self.running.drain(..) {
            // It may have ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Coordinators {
    fn drop(&mut self) {
        self.kill_all();
    }
}

fn stepdown(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stepdown"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

/// Runs it while nothing may be written there. Nobody does where only root comes to the directory.
fn read_only(dir: &Path, stopped: &Path, words: &[&str]) -> Option<Output> {
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    };
    // Root may write everywhere, so somebody else has to do it, who need not reach the program.
    let is_root = fs::metadata(dir).expect("it is there").uid() == 0;
    let program = dir.join("stepdown");
    let original = env!("CARGO_BIN_EXE_stepdown");
    if fs::hard_link(original, &program).is_err() {
        fs::copy(original, &program).expect("there is room");
    }
    let run = |program: &Path, words: &[&str]| {
        let mut command = Command::new(program);
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        // Where the tests run, somebody else may not be able to.
        let run = command.args(words).current_dir("/").stdin(Stdio::null());
        run.output().expect("it runs")
    };
    mode(dir, 0o755);
    let reached = run(Path::new("test"), &["-x", path(&program)]);
    if !reached.status.success() {
        eprintln!(
            "Not tried: only root comes to {}; set TMPDIR to where others do",
            dir.display()
        );
        return None;
    }
    for file in fs::read_dir(stopped).expect("it is there") {
        mode(&file.expect("it is there").path(), 0o444);
    }
    mode(stopped, 0o555);
    let new = stopped.join("new");
    let touched = run(Path::new("touch"), &[path(&new)]);
    assert!(!touched.status.success(), "it may write there");
    let output = run(&program, words);
    mode(stopped, 0o755);
    Some(output)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a name")
}

#[test]
fn leadership_goes_to_whoever_is_named_and_members_come_and_go() {
    let coordinators = Coordinators::start(&["a", "b", "c", "d"], 3);
    coordinators.wait_until_one_serves();
    for name in ["a", "b", "c"] {
        // On a busy machine a leader may be lost just then.
        until("leadership is handed over", || {
            let shown = text(&coordinators.ask(&["transfer", name]).stdout);
            shown.starts_with(&format!("{name} at "))
        });
    }
    let fourth = coordinators.address(3);
    let shown = coordinators.done(&["add", &fourth]);
    assert!(
        shown.ends_with(&format!("d at {fourth} votes\n")),
        "{shown}"
    );
    let shown = coordinators.done(&["remove", "c"]);
    assert!(shown.contains("is no member any more"), "{shown}");
    let shown = coordinators.done(&["status"]);
    let rows: Vec<_> = shown
        .lines()
        .skip_while(|line| !line.starts_with("MEMBER"))
        .collect();
    let names: Vec<_> = rows.iter().skip(1).map(|row| &row[..1]).collect();
    assert_eq!(names, ["a", "b", "d"], "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert_refused(&coordinators.ask(&["transfer", "c"]), "no member is c");
}

#[test]
fn both_documents_go_out_and_come_in_also_from_nodes_that_have_ended() {
    let mut coordinators = Coordinators::start(&["a"], 1);
    coordinators.wait_until_one_serves();
    let dir = coordinators.dir.path().to_path_buf();
    let (status, configuration) = (dir.join("status.json"), dir.join("cluster.yaml"));
    fs::write(&configuration, "namespaces: []\n").expect("written");
    let import = ["import", "--config", path(&configuration)];
    assert_refused(
        &coordinators.ask(&import),
        "cluster.yaml: the configuration names neither servers nor namespaces",
    );
    fs::write(&configuration, CONFIGURATION).expect("written");
    coordinators.done(&import);
    until("the shards are made", || {
        coordinators.status()["status"]["shards"] == 2
    });
    coordinators.done(&["export", "--status", path(&status)]);
    let exported = fs::read_to_string(&status).expect("it is there");
    assert!(exported.starts_with("# oxia v1 "), "{exported}");
    let again = coordinators.ask(&["export", "--status", path(&status)]);
    assert_refused(&again, "exists");
    let import = ["import", "--status", path(&status)];
    assert_refused(&coordinators.ask(&import), "there is a status already");
    let smaller = dir.join("smaller.json");
    fs::write(&smaller, "shardIdGenerator: 9\n").expect("written");
    let import = ["import", "--status", path(&smaller), "--replace", "1"];
    assert_refused(&coordinators.ask(&import), "Put a copy back");

    coordinators.kill_all();
    let stopped = coordinators.data_dir("a");
    let export = ["raft", "export", "--raft-data-dir", path(&stopped)];
    if let Some(output) = read_only(&dir, &stopped, &export) {
        let shown = text(&output.stdout);
        assert!(shown.contains("shardIdGenerator: 2"), "{output:?}");
        assert!(shown.ends_with(CONFIGURATION), "{shown}");
    }
    assert_refused(&coordinators.ask(&["status"]), "no node answers");
}
