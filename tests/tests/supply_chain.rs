//! What checks, builds and releases Stepdown stands still until somebody moves it, and may do no more
//! than it has to.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_action_is_pinned_by_the_digest_of_a_commit_and_says_its_version() {
    for (file, text) in workflows() {
        for action in text
            .lines()
            .filter_map(|line| line.split_once("uses: "))
            .map(|(_, it)| it)
        {
            assert!(
                action.starts_with("./") || is_pinned_action(action),
                "{}: `{action}` is not of the form OWNER/NAME@COMMIT # vVERSION",
                file.display()
            );
        }
    }
}

#[test]
fn no_checkout_leaves_its_credentials_to_what_runs_after_it() {
    for (file, text) in workflows() {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for at in (0..lines.len()).filter(|&at| lines[at].contains("uses: actions/checkout@")) {
            assert_eq!(
                lines[at + 1..at + 3],
                ["with:", "persist-credentials: false"],
                "{}, line {}",
                file.display(),
                at + 1
            );
        }
    }
}

#[test]
fn a_job_has_the_rights_that_it_names_and_no_others() {
    for (file, text) in workflows() {
        let file = file.display();
        let (before, jobs) = text.split_once("\njobs:\n").expect("jobs");
        assert!(
            before.contains("\npermissions: {}\n"),
            "{file} gives rights to every job"
        );
        let is_key_of_a_job = |line: &&str| {
            line.strip_prefix("  ")
                .is_some_and(|key| !key.starts_with(' ') && key.ends_with(':'))
        };
        let named = jobs.lines().filter(is_key_of_a_job).count();
        let rights = jobs
            .lines()
            .filter(|&line| line == "    permissions:")
            .count();
        assert_eq!(
            named, rights,
            "{file}: jobs, and those that name their rights"
        );
        assert_ne!(named, 0, "{file} has no job");
    }
}

#[test]
fn every_image_that_ours_is_made_of_is_pinned_by_its_digest() {
    for base in bases() {
        let digest = base.split_once("@sha256:").map(|(_, digest)| digest);
        assert!(
            base == "scratch" || digest.is_some_and(|digest| is_hex(digest, 64)),
            "deploy/Dockerfile: `{base}` is not of the form NAME:TAG@sha256:DIGEST"
        );
    }
}

#[test]
fn the_image_is_compiled_by_the_rust_that_the_workspace_asks_for() {
    let manifest = read("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""))
        .expect("rust-version")
        .trim_end_matches('"');
    let tag = format!("rust:{version}-");
    assert!(
        bases().iter().any(|base| base.starts_with(&tag)),
        "deploy/Dockerfile is not from {tag}"
    );
}

fn is_pinned_action(action: &str) -> bool {
    action
        .split_once('@')
        .and_then(|(_, pin)| pin.split_once(" # v"))
        .is_some_and(|(commit, version)| is_hex(commit, 40) && !version.is_empty())
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.chars().all(|it| matches!(it, '0'..='9' | 'a'..='f'))
}

fn workflows() -> Vec<(PathBuf, String)> {
    let directory = root().join(".github/workflows");
    let found: Vec<_> = fs::read_dir(directory)
        .expect("workflows")
        .map(|entry| entry.expect("a workflow").path())
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a workflow")))
        .collect();
    assert_ne!(found, [], "there are no workflows");
    found
}

/// What the stages of the image begin with.
fn bases() -> Vec<String> {
    let text = read("deploy/Dockerfile");
    let bases = text.lines().filter_map(|line| line.strip_prefix("FROM "));
    bases
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
