use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The `stepdown` program, built with this test.
pub fn stepdown() -> PathBuf {
    // target/<profile>/deps/<test>
    let test = std::env::current_exe().expect("a test knows its own file");
    let profile = test.parent().and_then(Path::parent);
    let program = profile
        .expect("tests are in target/<profile>/deps")
        .join("stepdown");
    assert!(
        program.is_file(),
        "{} is missing: build it with `cargo build -p stepdown`, or run all tests with tests/run",
        program.display()
    );
    program
}

/// The same program under the name `oxia`, in this directory.
pub fn as_oxia(dir: &Path) -> PathBuf {
    let program = stepdown();
    let oxia = dir.join("oxia");
    // Another file system can't have a link to it.
    if fs::hard_link(&program, &oxia).is_err() {
        fs::copy(&program, &oxia).expect("the program can be copied");
    }
    oxia
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status, if it was not killed.
    pub code: Option<i32>,
    /// What it printed, on either stream.
    pub text: String,
}

/// Runs a program that ends by itself.
pub fn run(program: &Path, words: &[&OsStr]) -> Ran {
    run_with(program, words, &[])
}

/// Runs a program that ends by itself, with this added to its environment.
pub fn run_with(program: &Path, words: &[&OsStr], environment: &[(&str, &OsStr)]) -> Ran {
    let ran = Command::new(program)
        .args(words)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output();
    let Output {
        status,
        stdout,
        stderr,
    } = ran.expect("the program can be started");
    Ran {
        code: status.code(),
        text: String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(),
    }
}
