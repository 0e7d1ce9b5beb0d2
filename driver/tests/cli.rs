//! The `stepdown` command as a process.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::process::{Command, Output, Stdio};

use stepdown::cli::CoordinatorArgs;
use stepdown::observe::Metrics;
use stepdown::options::CoordinatorOptions;
use stepdown::ports::{Listeners, Ports};
use tonic::service::Routes;

fn stepdown(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stepdown"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_usage_error_is_told_on_standard_error_with_exit_code_1() {
    for words in [
        &["coordinator", "--bogus"][..],
        &["bogus"],
        &["-l", "loud", "health"],
    ] {
        let output = stepdown(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(text(&output.stderr).starts_with("Error: "), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn help_and_version_go_to_standard_output_without_colours() {
    for words in [
        &[][..],
        &["--help"],
        &["help"],
        &["coordinator", "-h"],
        &["--version"],
        &["version"],
        &["man"],
        &["completion", "bash"],
    ] {
        let output = stepdown(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}");
        assert!(text(&output.stdout).contains("stepdown"), "{words:?}");
        assert!(!text(&output.stdout).contains('\u{1b}'), "{words:?}");
    }
}

#[test]
fn what_can_not_be_written_is_told_with_exit_code_1() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = Command::new(env!("CARGO_BIN_EXE_stepdown"))
        .arg("version")
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("can't be written to standard output: "),
        "{told}"
    );
}

#[test]
fn the_version_names_the_commit_in_each_of_its_forms() {
    let version = text(&stepdown(&["version"]).stdout);
    let commit = version.split_once("commit: ").map(|(_, rest)| rest.trim());
    let commit = commit
        .filter(|commit| !commit.is_empty())
        .expect("a commit");
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let short = text(&stepdown(&["--version"]).stdout);
    let expected = format!("stepdown {} ({commit})\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(short, expected);
}

#[test]
fn every_shell_can_complete_and_every_command_has_a_page() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = stepdown(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for word in ["status-file", "drain-status", "forget", "balancer", "plan"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(!script.contains("sandbox-data-server"), "{shell}");
        assert!(!script.contains("sandbox-child"), "{shell}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let pages = dir.path().join("man1").display().to_string();
    let output = stepdown(&["man", "--dir", &pages]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for page in [
        "stepdown.1",
        "stepdown-coordinator.1",
        "stepdown-status-file-adopt.1",
    ] {
        assert!(std::path::Path::new(&pages).join(page).exists(), "{page}");
    }
}

/// What bash offers after these words.
fn completed(words: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("script");
    let made = stepdown(&["completion", "bash"]).stdout;
    std::fs::write(&script, made).expect("a file");
    let (last, before) = words.split_last().expect("a word");
    let previous = before.last().expect("a word before it");
    let at = before.len();
    let words = words.iter().map(|it| format!("'{it}'"));
    let words = words.collect::<Vec<_>>().join(" ");
    let asked = format!(
        "source ./script; COMP_WORDS=({words}); COMP_CWORD={at}; _stepdown stepdown '{last}' '{previous}'; \
         echo \"${{COMPREPLY[*]}}\""
    );
    let output = Command::new("bash")
        .args(["-c", &asked])
        .current_dir(dir.path())
        .output();
    text(&output.expect("bash runs").stdout).trim().to_owned()
}

#[test]
fn bash_completes_what_there_is_to_choose_from_and_knows_the_other_name_of_data_servers() {
    for (words, offered) in [
        (
            &[
                "stepdown",
                "admin",
                "namespace",
                "create",
                "--key-sorting",
                "",
            ][..],
            "hierarchical natural",
        ),
        (&["stepdown", "admin", "dataserver", "dr"], "drain-status"),
        (&["stepdown", "admin", "data-server", "dr"], "drain-status"),
        (&["stepdown", "sandbox"], "sandbox"),
    ] {
        assert_eq!(completed(words), offered, "{words:?}");
    }
}

#[test]
fn a_status_file_that_is_not_there_is_told_and_fails_the_check() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("status.json").display().to_string();
    let output = stepdown(&["status-file", "check", &path]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(told.contains("there is no such file"), "{told}");
}

#[test]
fn a_cut_status_file_is_adopted_only_with_what_it_lacks_accepted_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("status.json").display().to_string();
    let cut = "namespaces: {a: {shards: {0: {term: 1, ensemble: [{internal: x}], \
               int32HashRange: {min: 0, max: 4294967294}}}}}\n";
    std::fs::write(&path, cut).expect("a file");
    assert_eq!(
        stepdown(&["status-file", "check", &path]).status.code(),
        Some(1)
    );
    let refused = stepdown(&["status-file", "adopt", &path]);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    assert!(told.contains("Put a copy back"), "{told}");
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), cut);
    let names = ["hashes:a:4294967295-4294967295", "instance-id"];
    let accept = names.map(|name| {
        assert!(told.contains(name), "{told}");
        format!("--accept={name}")
    });
    let words = ["status-file", "adopt", &path, &accept[0], &accept[1]];
    let adopted = stepdown(&words);
    assert_eq!(adopted.status.code(), Some(0), "{}", text(&adopted.stderr));
    assert!(text(&adopted.stdout).contains("kept as it was: "));
    assert_eq!(
        stepdown(&["status-file", "check", &path]).status.code(),
        Some(0)
    );
}

#[test]
fn health_ends_with_0_only_if_the_service_serves() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let words = [
        "-i=127.0.0.1:0",
        "-p=127.0.0.1:0",
        "-m=127.0.0.1:0",
        "--metadata=memory",
    ];
    let flags = CoordinatorArgs::from_words(&words).expect("flags");
    let options = CoordinatorOptions::load(flags.into_settings(), None).expect("valid");
    let (port, ports) = runtime.block_on(async {
        let listeners = Listeners::bind(&options).await.expect("free ports");
        let (internal, _, _) = listeners.addresses().expect("addresses");
        let metrics = Metrics::new().expect("unique names");
        let ports = Ports::start(listeners, Routes::default(), &metrics);
        (internal.port().to_string(), ports)
    });
    let health = |more: &[&str]| {
        let words = [&["health", "--host=127.0.0.1", "--port", &port], more].concat();
        stepdown(&words)
    };
    let healthy = health(&["--timeout=10s"]);
    assert_eq!(healthy.status.code(), Some(0), "{}", text(&healthy.stderr));
    assert!(healthy.stdout.is_empty() && healthy.stderr.is_empty());

    let unknown = health(&["--service", "oxia-readiness"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown.stderr).contains("NotFound: service not registered"),
        "{}",
        text(&unknown.stderr)
    );
    let told = health(&["--verbose"]);
    assert!(
        text(&told.stdout).ends_with("SERVING\n"),
        "{}",
        text(&told.stdout)
    );

    runtime.block_on(ports.not_serving());
    let leaving = health(&[]);
    assert_eq!(leaving.status.code(), Some(1));
    assert!(text(&leaving.stderr).contains("NOT_SERVING"));

    runtime.block_on(ports.close());
    let gone = health(&[]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        text(&gone.stderr).contains("refused"),
        "{}",
        text(&gone.stderr)
    );
}

#[test]
fn health_gives_up_on_a_server_that_accepts_and_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port().to_string();
    let words = [
        "health",
        "--host=127.0.0.1",
        "--port",
        &port,
        "--timeout=200ms",
    ];
    let output = stepdown(&words);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("--timeout"),
        "{}",
        text(&output.stderr)
    );
}
