//! What tests of programs that start others have in common.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// What a program has printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a program has printed that ended well; fails otherwise.
pub fn succeeded(output: &Output) -> String {
    let shown = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{shown}{}",
        text(&output.stderr)
    );
    shown
}

/// Fails unless the program has refused what it was told, and has said why.
pub fn assert_refused(output: &Output, told: &str) {
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.starts_with("Error: ") && shown.contains(told),
        "{shown}"
    );
}

/// Sends a signal.
pub fn signal(name: &str, process: u32) {
    let words = ["-s", name, &process.to_string()];
    let status = Command::new("kill").args(words).status();
    assert!(status.expect("it runs").success());
}

/// The processes whose command line names this directory, other than the one that has started them.
pub fn children_of(dir: &Path) -> Vec<u32> {
    let dir = dir.to_str().expect("a name");
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let ids = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = text(&line);
        line.contains(dir) && !line.contains("\0sandbox\0") && !line.contains("\0bench\0")
    })
    .collect()
}

/// Waits until this is done.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what} in 60 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}
