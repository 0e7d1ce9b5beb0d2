//! `stepdown coordinator` as a process: what is around its event loop.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may panic like tests"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// It is shown once it has lasted for half a minute.
const LIMIT: Duration = Duration::from_secs(120);

struct Coordinator {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Coordinator {
    fn start(dir: &Path, words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stepdown"))
            .current_dir(dir)
            .args(["coordinator", "--log-json", "--metadata=memory"])
            .args(["-i=127.0.0.1:0", "-p=127.0.0.1:0", "-m=127.0.0.1:0"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    /// Reads the log up to the line with this message; fails at its end.
    fn until(&mut self, message: &str) -> serde_json::Value {
        let lines = self.lines.by_ref().lines().map_while(Result::ok);
        for line in lines {
            let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            if line["message"] == message {
                return line;
            }
        }
        panic!("the log ends without '{message}'");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("it runs").success());
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It has ended already unless the test fails.
        let _ = self.child.kill();
    }
}

#[test]
fn a_signal_ends_it_in_order_with_exit_code_0() {
    for name in ["TERM", "INT", "QUIT", "USR1", "USR2", "ALRM", "64"] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut coordinator = Coordinator::start(dir.path(), &[]);
        coordinator.until("Starting Stepdown coordinator");
        coordinator.signal(name);
        coordinator.until("Received signal, exiting");
        coordinator.until("Shutdown Completed");
        assert_eq!(coordinator.exit_code(), Some(0), "{name}");
    }
}

#[test]
fn the_first_line_says_what_runs_in_words_and_has_no_dump_of_the_program_in_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut coordinator = Coordinator::start(dir.path(), &[]);
    let line = coordinator.until("Starting Stepdown coordinator");
    for (key, value) in [
        ("version", env!("CARGO_PKG_VERSION")),
        ("provider", "memory"),
        ("internal", "127.0.0.1:0"),
        ("metrics", "127.0.0.1:0"),
        ("data-servers", "plaintext"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    assert!(
        !line["commit"].as_str().unwrap_or_default().is_empty(),
        "{line}"
    );
    for dumped in [" { ", "Some(", "None", "::"] {
        assert!(!line.to_string().contains(dumped), "{line}");
    }
    coordinator.signal("TERM");
    assert_eq!(coordinator.exit_code(), Some(0));
}

#[test]
fn a_directory_that_is_made_is_told_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let status = format!(
        "--file-clusters-status-path={}/new/status",
        dir.path().display()
    );
    let words = ["--metadata=file", "--allow-network-filesystem", &status];
    let mut first = Coordinator::start(dir.path(), &words);
    let told = "Made a directory that was not there; nothing of an earlier start is in it";
    let line = first.until(told);
    assert_eq!(
        line["directory"],
        dir.path().join("new").display().to_string()
    );
    let mut second = Coordinator::start(dir.path(), &words);
    let line = second.until("Waiting for the lock");
    let holder = line["holder"].as_str().unwrap_or_default();
    assert!(
        holder.ends_with(&format!("(process {})", first.child.id())),
        "{line}"
    );
    for coordinator in [first, second] {
        coordinator.signal("TERM");
        assert_eq!(coordinator.exit_code(), Some(0));
    }
}

/// Waits until the metrics say so; fails when the process has gone, or in the end.
fn shows(coordinator: &mut Coordinator, metrics: &str, line: &str) {
    let until = Instant::now() + LIMIT;
    loop {
        let mut text = String::new();
        if let Ok(mut stream) = TcpStream::connect(metrics) {
            let request = format!("GET /metrics HTTP/1.1\r\nHost: {metrics}\r\n\r\n");
            stream.set_read_timeout(Some(LIMIT)).expect("a limit");
            stream.write_all(request.as_bytes()).expect("asked");
            stream.read_to_string(&mut text).expect("an answer");
        }
        if text.lines().any(|it| it == line) {
            return;
        }
        assert_eq!(coordinator.child.try_wait().expect("known"), None, "{text}");
        assert!(Instant::now() < until, "{text}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_keeps_it_from_ever_leading_is_shown_until_it_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let status = dir.path().join("status");
    fs::write(&status, "namespaces: [").expect("cut short");
    let path = format!("--file-clusters-status-path={}", status.display());
    let words = ["--metadata=file", "--allow-network-filesystem", &path];
    let mut coordinator = Coordinator::start(dir.path(), &words);
    let port = coordinator.until("Serving metrics");
    let metrics = port["bind-address"].as_str().expect("where").to_owned();
    shows(&mut coordinator, &metrics, "stepdown_unable_to_lead 1");
    fs::write(&status, "{}").expect("mended");
    shows(&mut coordinator, &metrics, "stepdown_unable_to_lead 0");
    coordinator.signal("TERM");
    coordinator.until("Shutdown Completed");
    assert_eq!(coordinator.exit_code(), Some(0));
}

#[test]
fn a_new_log_level_in_the_options_file_is_followed_and_a_bad_file_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("options.yaml");
    fs::write(&file, "observability: {log: {level: info}}").expect("a file");
    let mut coordinator = Coordinator::start(dir.path(), &["--sconfig=options.yaml"]);
    coordinator.until("Starting Stepdown coordinator");
    coordinator.until("Started Grpc server");
    fs::write(&file, "observability: {log: {level: [}}").expect("a file");
    coordinator.until("The changed options file is not valid; the log level stays");
    fs::write(&file, "observability: {log: {level: debug}}").expect("a file");
    assert_eq!(coordinator.until("Changed the log level")["level"], "info");
    coordinator.signal("TERM");
    assert_eq!(coordinator.exit_code(), Some(0));
}

#[test]
fn a_hang_up_ends_nothing_and_has_files_read_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("options.yaml");
    fs::write(&file, "observability: {log: {level: info}}").expect("a file");
    let mut coordinator = Coordinator::start(dir.path(), &["--sconfig=options.yaml"]);
    coordinator.until("Started Grpc server");
    fs::write(&file, "observability: {log: {level: debug}}").expect("a file");
    coordinator.signal("HUP");
    coordinator.until("Received SIGHUP, reading the files again");
    coordinator.until("Changed the log level");
    coordinator.signal("TERM");
    coordinator.until("Shutdown Completed");
    assert_eq!(coordinator.exit_code(), Some(0));
}

#[test]
fn what_is_changed_in_the_options_file_beside_the_log_level_is_said_to_need_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("options.yaml");
    fs::write(&file, "metadata: {name: a}").expect("a file");
    let mut coordinator = Coordinator::start(dir.path(), &["--sconfig=options.yaml"]);
    coordinator.until("Started Grpc server");
    fs::write(&file, "metadata: {name: b}").expect("a file");
    coordinator.until(
        "Of the options file only the log level is followed: what else has changed in it has no effect until a \
         restart",
    );
    coordinator.signal("TERM");
    assert_eq!(coordinator.exit_code(), Some(0));
}

#[test]
fn a_busy_port_is_an_error_and_not_a_crash() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let output = Command::new(env!("CARGO_BIN_EXE_stepdown"))
        .args(["coordinator", "--metadata=memory", "-i=127.0.0.1:0", "-p"])
        .args([address.to_string(), "-m=127.0.0.1:0".to_owned()])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.starts_with("Error: can't listen on 127.0.0.1:"),
        "{text}"
    );
    assert!(text.contains("--public-addr"), "{text}");
}
