use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

/// The `stepdown` program, built from the sources as they are now.
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
    if let Some(source) = newer_source(&program) {
        panic!(
            "{} is older than {}: build it with `cargo build -p stepdown`, or run all tests with \
             tests/run",
            program.display(),
            source.display()
        );
    }
    program
}

/// A source of this program that was changed after it was built. What its sources are, cargo has
/// written beside it: "program: source source…", with spaces in names escaped.
fn newer_source(program: &Path) -> Option<PathBuf> {
    let built = fs::metadata(program).and_then(|it| it.modified()).ok()?;
    let list = fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = list.split_once(": ")?;
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split_whitespace().map(|it| it.replace('\0', " "));
    let newer = sources.find(|source| changed(Path::new(source)).is_none_or(|it| it > built));
    newer.map(PathBuf::from)
}

/// When a source, or the newest of a directory of them, was changed; `None` if it is gone.
fn changed(source: &Path) -> Option<SystemTime> {
    let own = fs::metadata(source).and_then(|it| it.modified()).ok()?;
    let within = fs::read_dir(source).into_iter().flatten().flatten();
    let within = within.filter_map(|entry| changed(&entry.path()));
    Some(within.fold(own, SystemTime::max))
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

/// The same program where no more than so many files may be open, in this directory.
pub fn with_few_files(dir: &Path, most: u32) -> PathBuf {
    let limited = dir.join("limited");
    let program = stepdown();
    let script = format!(
        "#!/bin/sh\nulimit -n {most}\nexec '{}' \"$@\"\n",
        program.display()
    );
    fs::write(&limited, script).expect("a script can be written");
    fs::set_permissions(&limited, fs::Permissions::from_mode(0o755)).expect("it can be executable");
    limited
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_program_older_than_one_of_its_sources_is_stale() {
        let directory = tempfile::Builder::new()
            .prefix("with a space")
            .tempdir()
            .expect("a temporary directory");
        let path = |name| directory.path().join(name);
        let built = SystemTime::now();
        let touch = |name, time| {
            let file = File::create(path(name)).expect("a file");
            file.set_modified(time).expect("its time can be set");
        };
        touch("program", built);
        touch("a.rs", built - Duration::from_secs(1));
        touch("b.rs", built - Duration::from_secs(1));
        let escaped = |name| path(name).to_string_lossy().replace(' ', "\\ ");
        let list = format!(
            "{}: {} {}\n",
            escaped("program"),
            escaped("a.rs"),
            escaped("b.rs")
        );
        fs::write(path("program.d"), list).expect("a file");
        assert_eq!(newer_source(&path("program")), None);
        touch("b.rs", built + Duration::from_secs(1));
        assert_eq!(newer_source(&path("program")), Some(path("b.rs")));
        fs::remove_file(path("b.rs")).expect("it was there");
        assert_eq!(newer_source(&path("program")), Some(path("b.rs")));
        fs::create_dir(path("b.rs")).expect("a directory");
        touch("b.rs/c", built + Duration::from_secs(1));
        assert_eq!(newer_source(&path("program")), Some(path("b.rs")));
    }
}
