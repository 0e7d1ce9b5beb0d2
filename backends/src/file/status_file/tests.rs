use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

const WHOLE: &str = "
namespaces:
  a:
    shards:
      0: {status: 1, term: 1, leader: &x {internal: x}, ensemble: [*x], int32HashRange: {min: 0, max: 99}}
      1: {status: 1, term: 1, leader: *x, ensemble: [*x], int32HashRange: {min: 100, max: 4294967295}}
  b:
    shards:
      2: {status: 1, term: 3, leader: *x, ensemble: [*x], int32HashRange: {min: 0, max: 4294967295}}
shardIdGenerator: 3
instanceId: theirs
";

/// A status file that a lock file remembers.
fn adopted() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("status");
    fs::write(&path, WHOLE).unwrap();
    adopt(&path, &[]).unwrap();
    (directory, path)
}

fn kept(path: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(path.parent().unwrap()).unwrap();
    let files = files.map(|it| it.unwrap().path());
    let mut kept: Vec<PathBuf> = files
        .filter(|it| it.display().to_string().contains(".before-"))
        .collect();
    kept.sort();
    kept
}

/// The names of what has to be accepted.
fn refused(path: &Path, accepted: &[String]) -> Vec<String> {
    match adopt(path, accepted) {
        Err(AdoptError::Lacking { lacks, .. }) => lacks.iter().map(Lack::name).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_whole_is_adopted_and_kept_as_it_was() {
    let (_directory, path) = adopted();
    assert!(check(&path).unwrap().is_usable());
    let before = path.with_file_name("status.before-adopt");
    assert_eq!(fs::read_to_string(before).unwrap(), WHOLE);
}

#[test]
fn what_was_kept_is_never_written_over() {
    let (_directory, path) = adopted();
    let report = adopt(&path, &[]).unwrap();
    let second = path.with_file_name("status.before-adopt.1");
    assert_eq!(report.kept.as_deref(), Some(&*second));
    assert_eq!(kept(&path).len(), 2);
    assert_eq!(fs::read_to_string(&kept(&path)[0]).unwrap(), WHOLE);
}

#[test]
fn a_file_cut_short_at_any_byte_is_adopted_by_no_hint_of_ours() {
    let (_directory, path) = adopted();
    let whole = fs::read_to_string(&path).unwrap();
    let end = whole.len() - "# end\n".len();
    for length in 0..end {
        fs::write(&path, &whole[..length]).unwrap();
        adopt(&path, &[]).unwrap_err();
        let report = check(&path).unwrap();
        assert!(!report.is_usable(), "{length}");
        let told = report.to_string();
        assert!(told.contains("put a copy back"), "{told}");
        assert!(!told.contains("adopt"), "{told}");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole[..length]);
    }
    assert_eq!(kept(&path).len(), 1);
    for length in end..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let report = adopt(&path, &[]).unwrap();
        assert!(report.is_usable(), "{length}: {report}");
    }
}

#[test]
fn what_a_cut_file_lacks_is_accepted_by_name_and_only_all_of_it() {
    let (_directory, path) = adopted();
    let whole = fs::read_to_string(&path).unwrap();
    let cut = &whole[..whole.find("            1:").unwrap()];
    fs::write(&path, cut).unwrap();
    let names = refused(&path, &[]);
    assert_eq!(
        names,
        [
            "hashes:a:100-4294967295",
            "shards:a:1",
            "shards:b:2",
            "instance-id",
            "end"
        ]
    );
    let (last, most) = names.split_last().unwrap();
    assert_eq!(refused(&path, most), std::slice::from_ref(last));
    let more = [&names[..], &["shards:b:9".to_owned()]].concat();
    let wrong = adopt(&path, &more).unwrap_err().to_string();
    assert!(
        wrong.contains("--accept shards:b:9") && wrong.contains("but "),
        "{wrong}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), cut);

    let report = adopt(&path, &names).unwrap();
    assert!(report.is_usable(), "{report}");
    assert_eq!(report.changes.len(), 3, "{report}");
    let before = report.kept.unwrap();
    assert_eq!(fs::read_to_string(before).unwrap(), cut);
}

#[test]
fn an_old_copy_without_shards_that_were_created_since_is_not_adopted_by_itself() {
    let (_directory, path) = adopted();
    let old = fs::read(&path).unwrap();
    let grown = WHOLE.replace(
        "shardIdGenerator",
        "  c: {shards: {3: {term: -1, ensemble: [*x], int32HashRange: {min: 0, max: 4294967295}}}}\nshardIdGenerator",
    );
    fs::write(&path, grown).unwrap();
    adopt(&path, &[]).unwrap();
    fs::write(&path, old).unwrap();
    assert_eq!(refused(&path, &[]), ["shards:c:3"]);
}

#[test]
fn a_file_of_somebody_else_that_lacks_the_id_or_hashes_is_not_usable_and_says_so() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("status");
    for (from, to, lacks) in [
        ("instanceId: theirs\n", "", "lacks: the instance id"),
        (
            "max: 99",
            "max: 98",
            "lacks: a shard of a for the hashes 99 to 99",
        ),
    ] {
        fs::write(&path, WHOLE.replace(from, to)).unwrap();
        let report = check(&path).unwrap();
        assert!(!report.is_usable(), "{report}");
        assert!(report.to_string().contains(lacks), "{report}");
        assert!(
            report
                .to_string()
                .contains("3 shards, of which 3 had a leader"),
            "{report}"
        );
        adopt(&path, &[]).unwrap_err();
    }
}

#[test]
fn another_instance_id_than_the_lock_file_remembers_has_to_be_accepted() {
    let (_directory, path) = adopted();
    fs::write(&path, WHOLE.replace("theirs", "others")).unwrap();
    assert!(!check(&path).unwrap().is_usable());
    assert_eq!(refused(&path, &[]), ["instance-id:others"]);
    adopt(&path, &["instance-id:others".to_owned()]).unwrap();
    assert!(check(&path).unwrap().is_usable());
}

#[test]
fn no_loss_is_accepted_in_a_file_that_a_coordinator_would_refuse() {
    let (_directory, path) = adopted();
    let whole = fs::read_to_string(&path).unwrap();
    let cut = &whole[..whole.find("    b:").unwrap()];
    fs::write(&path, cut).unwrap();
    let refused = accept_loss(&path, "a", ShardId(0)).unwrap_err().to_string();
    assert!(refused.contains("was cut short"), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), cut);

    fs::write(&path, &whole).unwrap();
    let report = accept_loss(&path, "a", ShardId(0)).unwrap();
    let before = path.with_file_name("status.before-accept-loss");
    assert_eq!(report.kept.as_deref(), Some(&*before));
    assert_eq!(fs::read_to_string(before).unwrap(), whole);
}

#[test]
fn what_takes_the_place_of_another_status_may_lack_only_what_is_accepted_by_name() {
    let path = Path::new("status");
    let names = ["shards:b:2".to_owned()];
    let smaller = WHOLE.replace(
        "  b:\n    shards:\n      2: {status: 1, term: 3, leader: *x, ensemble: [*x], int32HashRange: {min: 0, max: 4294967295}}\n",
        "",
    );
    may_replace(path, &smaller, None, &[]).unwrap();
    may_replace(path, WHOLE, Some(&smaller), &[]).unwrap();
    let refused = may_replace(path, &smaller, Some(WHOLE), &[]).unwrap_err();
    assert!(refused.to_string().contains("shards:b:2"), "{refused}");
    may_replace(path, &smaller, Some(WHOLE), &names).unwrap();
    may_replace(path, WHOLE, Some(&smaller), &names).unwrap_err();
    let unnamed = WHOLE.replace("instanceId: theirs\n", "");
    may_replace(path, &unnamed, None, &[]).unwrap_err();
}

#[test]
fn a_file_of_a_newer_release_is_not_adopted() {
    let (_directory, path) = adopted();
    let newer = fs::read_to_string(&path)
        .unwrap()
        .replace("# oxia v1", "# oxia v2");
    fs::write(&path, newer).unwrap();
    let refused = adopt(&path, &[]).unwrap_err().to_string();
    assert!(refused.contains("newer release"), "{refused}");
}
