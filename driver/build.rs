//! Tells the program which commit it was built from: `STEPDOWN_COMMIT`, or else what git says.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=STEPDOWN_COMMIT");
    // Changed by every commit and checkout. Without git there is nothing to follow.
    let followed = git(&[
        "rev-parse",
        "--path-format=absolute",
        "--git-path",
        "logs/HEAD",
    ]);
    let followed = followed.unwrap_or_else(|| "build.rs".to_owned());
    println!("cargo:rerun-if-changed={followed}");
    let told = std::env::var("STEPDOWN_COMMIT").ok();
    let commit = told
        .filter(|commit| !commit.trim().is_empty())
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env=STEPDOWN_COMMIT={}", commit.trim());
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}
