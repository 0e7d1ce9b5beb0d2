//! Both documents, against what Oxia v0.17.1 was seen to read and write.

use proptest::prelude::*;
use serde::Deserialize;

use super::{ClusterConfiguration, ClusterStatus, ConfigurationError, DecodeError};

/// Written by a coordinator with three data servers.
const OBSERVED: &str = include_str!("fixtures/observed.yaml");
/// Written by its codec.
const EVERY_FIELD: &str = include_str!("fixtures/every-field.yaml");
/// Texts, and how its codecs wrote what they had read of each; null where they refused.
const READINGS: &str = include_str!("fixtures/readings.jsonl");

/// Oxia reads these by dropping a part of them.
const REFUSED_ONLY_HERE: [&str; 6] = [
    "a: 1\na: 2\nservers: []\nservers: [{name: x}]",
    "servers: []\n---\nservers: [{name: x}]",
    "servers: [{name: \"a\", name: \"b\"}]",
    "namespaces: {d: {shards: {1: {term: 1}, \"1\": {term: 2}}}}",
    "publicAddress: 1\npublic_address: 2",
    // A mapping without a blank after its colon, which is text by YAML 1.2.
    "namespaces: [{replicationFactor: 1:30}]",
];
/// YAML 1.2 and JSON allow these.
const READ_ONLY_HERE: [&str; 4] = [
    "namespaces: [{name: \"a\\/b\"}]",
    "\tservers: []",
    "{\"servers\":\t[{\"name\":\"x\",\n\t\"public\":\"\\u00e9\\ud83d\\ude00\"}]}",
    "namespaces: {d: {shards: {1: {status: 99999999999}}}}",
];
/// A quoted number is a number; binary is text.
const READ_OTHERWISE: [&str; 2] = [
    "namespaces: {d: {shards: {1: {status: \"1\"}}}}",
    "namespaces: [{name: !!binary aGk=}]",
];

#[derive(Deserialize)]
struct Reading {
    kind: String,
    text: String,
    oxia: Option<String>,
}

/// A document of either kind, comparable.
#[derive(Debug, PartialEq)]
enum Document {
    Status(ClusterStatus),
    Configuration(ClusterConfiguration),
}

fn decode(kind: &str, text: &str) -> Result<Document, DecodeError> {
    match kind {
        "status" => ClusterStatus::decode(text).map(Document::Status),
        _ => ClusterConfiguration::decode(text).map(Document::Configuration),
    }
}

#[test]
fn texts_are_read_as_oxia_reads_them() {
    let mut count = 0;
    for line in READINGS.lines() {
        let Reading { kind, text, oxia } = serde_json::from_str(line).unwrap();
        let here = decode(&kind, &text);
        count += 1;
        if REFUSED_ONLY_HERE.contains(&text.as_str()) {
            assert!(here.is_err() && oxia.is_some(), "{text}");
        } else if READ_ONLY_HERE.contains(&text.as_str()) {
            assert!(here.is_ok() && oxia.is_none(), "{text}: {here:?}");
        } else if let Some(oxia) = oxia {
            let oxia = decode(&kind, &oxia);
            assert_eq!(
                here == oxia,
                !READ_OTHERWISE.contains(&text.as_str()),
                "{text}: {here:?}"
            );
        } else {
            assert!(here.is_err(), "{text}: {here:?}");
        }
    }
    assert!(count > 130, "{count}");
}

#[test]
fn what_oxia_wrote_is_written_again_byte_for_byte() {
    for text in [OBSERVED, EVERY_FIELD] {
        assert_eq!(ClusterStatus::decode(text).unwrap().encode(), text);
    }
}

#[test]
fn a_namespace_with_a_very_long_name_survives() {
    let text = format!("namespaces: {{{}: {{}}}}", "x".repeat(3000));
    let status = ClusterStatus::decode(&text).unwrap();
    assert_eq!(ClusterStatus::decode(&status.encode()), Ok(status));
}

#[test]
fn equal_strings_are_kept_once() {
    let status = ClusterStatus::decode(OBSERVED).unwrap();
    let members: Vec<_> = status
        .shards()
        .flat_map(|(_, _, shard)| &shard.ensemble)
        .collect();
    let same = |left: usize, right: usize| {
        std::sync::Arc::ptr_eq(&members[left].internal, &members[right].internal)
    };
    assert!(same(0, 3) && same(0, 6) && !same(0, 1));
}

#[test]
fn errors_name_the_line_and_the_key_and_the_fix() {
    for (text, error) in [
        (
            "namespaces:\n  a:\n    shards:\n      0:\n        term: soon",
            "line 5: namespaces.a.shards.0.term: a whole number of 64 bits is wanted here, not \
             'soon'",
        ),
        (
            "namespaces:\n  a:\n    shards:\n      0:\n        ensemble:\n        - public: 8",
            "line 6: namespaces.a.shards.0.ensemble[0].public: text is wanted here, not the \
             number 8 (quote it if it is text)",
        ),
        (
            "instanceId: off",
            "line 1: instanceId: text is wanted here, not the boolean off (quote it if it is text)",
        ),
        (
            "- a",
            "line 1: the document: a mapping of keys to values is wanted here, not a list",
        ),
        (
            "a: 1\n\na: 2",
            "line 3: the key 'a' is given twice: remove one",
        ),
        (
            "namespaces: {a: {shards: {x: {}}}}",
            "line 1: namespaces.a.shards.x: the key is not a shard id, a whole number of 64 bits",
        ),
        ("# nothing\n", "the document is empty"),
    ] {
        assert_eq!(
            ClusterStatus::decode(text).unwrap_err().to_string(),
            error,
            "{text}"
        );
    }
    let broken = ClusterStatus::decode("a: [1\nb: }")
        .unwrap_err()
        .to_string();
    assert!(broken.starts_with("line 2: not YAML: "), "{broken}");
}

#[test]
fn aliases_that_stand_for_too_much_are_refused() {
    let mut bomb = "a0: &a0 {x: 1}\n".to_owned();
    for level in 1..30 {
        let below = level - 1;
        bomb += &format!("a{level}: &a{level} [*a{below}, *a{below}, *a{below}, *a{below}]\n");
    }
    let error = ClusterStatus::decode(&bomb).unwrap_err().to_string();
    assert!(error.contains("aliases stand for more than"), "{error}");

    let mut chain = "a0: &a0 {x: 1}\n".to_owned();
    for level in 1..100 {
        chain += &format!("a{level}: &a{level} {{<<: *a{}, y{level}: 1}}\n", level - 1);
    }
    let error = ClusterStatus::decode(&chain).unwrap_err().to_string();
    assert!(error.contains("nest deeper than"), "{error}");

    assert!(ClusterStatus::decode("a: &a [*a]").is_err());
    assert!(ClusterStatus::decode("a: &a {<<: *a}").is_err());
}

#[test]
fn deep_nesting_is_refused_wherever_it_is() {
    for depth in [65, 200, 100_000] {
        for text in [
            "[".repeat(depth),
            "{a: ".repeat(depth),
            "- ".repeat(depth),
            "? ".repeat(depth),
        ] {
            assert!(ClusterStatus::decode(&format!("x: {text}")).is_err());
            assert!(ClusterStatus::decode(&text).is_err());
        }
    }
}

#[test]
fn merged_maps_lend_what_is_lacking() {
    let text = "
servers:
- &a {name: a, public: p}
- {<<: *a, name: b}
- {name: c, <<: [*a, {internal: i, public: q}]}
";
    let servers = ClusterConfiguration::decode(text).unwrap().servers;
    assert_eq!(servers[1].name.as_deref(), Some("b"));
    assert_eq!(&*servers[1].public, "p");
    assert_eq!(servers[2].name.as_deref(), Some("c"));
    assert_eq!((&*servers[2].public, &*servers[2].internal), ("p", "i"));
}

#[test]
fn a_configuration_that_says_nothing_is_none() {
    for text in ["", " \n", "# later\n", "---\n", "null"] {
        let read = ClusterConfiguration::read(Some(text));
        assert_eq!(read, Err(ConfigurationError::Empty), "{text:?}");
    }
    for text in ["{}", "servers: []\nnamespaces: []", "x: 1"] {
        let read = ClusterConfiguration::read(Some(text));
        assert_eq!(read, Err(ConfigurationError::NamesNothing), "{text:?}");
    }
    let absent = ClusterConfiguration::read(None);
    assert_eq!(absent, Err(ConfigurationError::Missing));
}

#[test]
fn a_configuration_of_more_replicas_than_a_status_can_hold_is_refused() {
    let of = |namespaces: usize| {
        let each = (0..namespaces).map(|at| {
            format!("  - {{name: n{at}, initialShardCount: 32768, replicationFactor: 2}}\n")
        });
        let text = format!(
            "namespaces:\n{}servers:\n  - {{public: 'a:1', internal: 'a:2'}}\n  - {{public: 'b:1', internal: 'b:2'}}\n",
            each.collect::<String>()
        );
        ClusterConfiguration::read(Some(&text))
    };
    assert!(of(4).is_ok());
    let refused = of(5).unwrap_err().to_string();
    assert!(refused.contains("327680 replicas in all"), "{refused}");
}

#[test]
fn a_configuration_that_cannot_be_had_is_refused_with_all_reasons() {
    let text = "
namespaces:
- {name: a, initialShardCount: 1, replicationFactor: 1}
- {name: a, initialShardCount: 0, replicationFactor: 5}
- {name: b/.., initialShardCount: 70000, antiAffinities: [{mode: strict}, {labels: [' '], mode: Relaxed}]}
servers:
- {public: 'a:1', internal: 'a:2'}
- {name: 'a:2', public: 'b:1', internal: 'b:2'}
- {name: c, public: 'a:1', internal: ''}
coordinators: [{name: x, publicAddress: ' '}, {name: x, publicAddress: w}, {publicAddress: z}]
";
    let error = ClusterConfiguration::read(Some(text)).unwrap_err();
    let ConfigurationError::Invalid(problems) = error else {
        panic!("{error}");
    };
    assert_eq!(
        problems.0,
        [
            "namespaces[1].name: 'a' is that of namespaces[0] too; change or remove one",
            "namespaces[1].replicationFactor: 5 is more than the 3 servers; lower it or add \
             servers",
            "namespaces[1].initialShardCount: must be at least 1",
            "namespaces[2].name: 'b/..' is not a name; start with a letter or digit, go on with \
             those or '_', '.', '-', without '..'",
            "namespaces[2].replicationFactor: must be at least 1",
            "namespaces[2].initialShardCount: 70000 is more than 65536; lower it",
            "namespaces[2].antiAffinities[0].labels: are missing; name at least one",
            "namespaces[2].antiAffinities[1].labels[0]: is blank; name a label",
            "servers[2].public: 'a:1' is that of servers[0] too; change or remove one",
            "servers[1].name: 'a:2' is that of servers[0] too; change or remove one",
            "servers[2].internal: is empty; give host:port",
            "coordinators[1].name: 'x' is that of coordinators[0] too; change or remove one",
            "coordinators[0].publicAddress: is empty; give host:port",
            "coordinators[2].name: is empty; give its metadata.name",
        ]
    );
}

#[test]
fn a_configuration_with_a_wrong_word_or_duration_is_unreadable() {
    for (text, problem) in [
        (
            "loadBalancer: {scheduleInterval: -1s}",
            "loadBalancer.scheduleInterval: '-1s' is negative",
        ),
        (
            "autoSplit: {cooldownPeriod: 5}",
            "autoSplit.cooldownPeriod: text is wanted here",
        ),
        (
            "autoSplit: {cooldownPeriod: 5d}",
            "autoSplit.cooldownPeriod: '5d' is not a duration",
        ),
        (
            "namespaces: [{keySorting: up}]",
            "namespaces[0].keySorting: 'up' is neither",
        ),
        (
            "namespaces: [{antiAffinities: [{}]}]",
            "namespaces[0].antiAffinities[0]: the key mode",
        ),
    ] {
        let error = ClusterConfiguration::read(Some(text)).unwrap_err();
        assert!(matches!(error, ConfigurationError::Unreadable(_)));
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn durations_of_zero_are_defaults_where_oxia_takes_them_so() {
    let text = "
loadBalancer: {scheduleInterval: 0s, quarantineTime: ''}
autoSplit: {collectionInterval: '0', stabilizationPeriod: 0s, cooldownPeriod: 1m}
";
    let configuration = ClusterConfiguration::decode(text).unwrap();
    assert_eq!(configuration.load_balancer, super::LoadBalancer::default());
    let split = configuration.auto_split;
    assert_eq!(split.collection_interval, None);
    assert_eq!(split.stabilization_period, Some(std::time::Duration::ZERO));
    assert_eq!(
        split.cooldown_period,
        Some(std::time::Duration::from_secs(60))
    );
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "[-a-c0-9&*!|>'\"%@`{}\\[\\],:?# \n\t~<=.\\\\]{0,60}") {
        let _ = ClusterStatus::decode(&text);
        let _ = ClusterConfiguration::read(Some(&text));
    }

    #[test]
    fn no_unicode_makes_reading_panic(text in ".{0,60}") {
        let _ = ClusterStatus::decode(&text);
        let _ = ClusterConfiguration::read(Some(&text));
    }

    #[test]
    fn no_damage_to_a_document_makes_reading_panic(
        cut in 0..EVERY_FIELD.len(),
        length in 0..20_usize,
        with in "[-{}\\[\\]:&*'\"\n ]{0,3}",
    ) {
        let text: String = EVERY_FIELD.chars().take(cut)
            .chain(with.chars())
            .chain(EVERY_FIELD.chars().skip(cut + length))
            .collect();
        if let Ok(status) = ClusterStatus::decode(&text) {
            let _ = status.problems();
            prop_assert_eq!(ClusterStatus::decode(&status.encode()), Ok(status));
        }
    }
}
