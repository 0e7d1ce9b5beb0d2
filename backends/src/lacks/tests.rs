use super::*;

const WHOLE: &str = "
namespaces:
  a:
    shards:
      0: {status: 1, term: 1, leader: &x {internal: x}, ensemble: [*x], int32HashRange: {min: 0, max: 99}}
      1: {status: 2, term: 1, ensemble: [*x], int32HashRange: {min: 100, max: 4294967295}}
  b:
    shards:
      2: {term: -1, ensemble: [*x], int32HashRange: {min: 0, max: 4294967295}}
      3: {status: Deleting}
instanceId: theirs
shardIdGenerator: 4
";

fn status(text: &str) -> ClusterStatus {
    ClusterStatus::decode(text).unwrap()
}

fn remembered() -> Remembered {
    Remembered::of(&status(WHOLE))
}

/// What the document with this change lacks, with what is remembered of the whole one.
fn names(from: &str, to: &str) -> Vec<String> {
    assert!(WHOLE.contains(from), "{from}");
    let changed = status(&WHOLE.replacen(from, to, 1));
    let lacks = lacks(&changed, Some(&remembered()));
    lacks.iter().map(Lack::name).collect()
}

#[test]
fn a_whole_document_lacks_nothing_whatever_its_writer_has_changed_in_it() {
    for (from, to) in [
        ("x", "x"),
        ("term: 1", "term: 7"),
        ("shardIdGenerator: 4", "shardIdGenerator: 9"),
        ("      3: {status: Deleting}\n", ""),
    ] {
        assert_eq!(names(from, to), Vec::<String>::new(), "{to}");
    }
}

#[test]
fn each_lack_has_a_name_of_its_own() {
    for (from, to, expected) in [
        ("instanceId: theirs\n", "", &["instance-id"][..]),
        ("theirs", "others", &["instance-id:others"]),
        ("max: 99", "max: 97", &["hashes:a:98-99"]),
        (
            "ensemble: [*x], int32HashRange: {min: 100",
            "int32HashRange: {min: 100",
            &["ensemble:a:1"],
        ),
        (
            ", int32HashRange: {min: 100, max: 4294967295}",
            "",
            &["range:a:1", "hashes:a:100-4294967295"],
        ),
    ] {
        assert_eq!(names(from, to), expected, "{to}");
    }
}

#[test]
fn a_document_cut_anywhere_lacks_something_unless_nothing_but_the_generator_is_gone() {
    let kept = WHOLE.find("shardIdGenerator").unwrap();
    for end in 0..kept {
        let Ok(cut) = ClusterStatus::decode(&WHOLE[..end]) else {
            continue;
        };
        let whole_id = &*cut.instance_id == "theirs";
        assert_eq!(
            lacks(&cut, Some(&remembered())).is_empty(),
            whole_id,
            "{end}"
        );
    }
}

#[test]
fn without_anything_remembered_the_id_is_missed_beside_shards_that_were_led() {
    let unnamed = WHOLE.replace("instanceId: theirs\n", "");
    assert_eq!(
        lacks(&status(&unnamed), None),
        [Lack::InstanceId { was: None }]
    );
    let never_led = unnamed
        .replace("term: 1", "term: -1")
        .replace("      3: {status: Deleting}\n", "");
    assert_eq!(lacks(&status(&never_led), None), []);
    assert_eq!(lacks(&ClusterStatus::default(), None), []);
}

#[test]
fn namespaces_and_shards_that_are_remembered_are_missed() {
    let one = "namespaces: {a: {shards: {0: {ensemble: [{internal: x}], term: 1, \
               int32HashRange: {min: 0, max: 4294967295}}}}}\ninstanceId: theirs\n";
    let found: Vec<String> = lacks(&status(one), Some(&remembered()))
        .iter()
        .map(Lack::name)
        .collect();
    assert_eq!(found, ["shards:a:1", "shards:b:2"]);
}

#[test]
fn a_shard_that_was_split_is_not_missed() {
    let split = WHOLE.replace(
        "      1: {status: 2, term: 1, ensemble: [*x], int32HashRange: {min: 100, max: 4294967295}}",
        "      4: {term: 0, ensemble: [*x], int32HashRange: {min: 100, max: 499}}\n      \
         5: {term: 0, ensemble: [*x], int32HashRange: {min: 500, max: 4294967295}}",
    );
    assert_eq!(lacks(&status(&split), Some(&remembered())), []);
}

#[test]
fn what_is_gone_and_what_is_new_is_told() {
    let other = WHOLE
        .replace("  b:\n", "  c:\n")
        .replace("theirs", "others");
    assert_eq!(
        changes(&status(&other), &remembered()),
        [
            "it lacks shards of b that were there before: 2",
            "it lacks the instance id theirs, which data servers are bound to: there is others instead",
            "it has shards of c that were not there before: 2",
        ]
    );
    assert_eq!(changes(&status(WHOLE), &remembered()), Vec::<String>::new());
}
