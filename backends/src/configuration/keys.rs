//! The keys of a configuration document that nobody knows, each with the known one that it is most like.

use std::fmt;

use serde_json::Value;

use self::Shape::{Any, List, Map, Message};

/// What a value may hold. Each key of a message may also be written with underscores.
enum Shape {
    Any,
    List(&'static Shape),
    /// Keys that people choose.
    Map(&'static Shape),
    Message(&'static [(&'static str, Shape)]),
}

const DOCUMENT: Shape = Message(&[
    ("namespaces", List(&NAMESPACE)),
    ("servers", List(&SERVER)),
    ("allowExtraAuthorities", Any),
    ("serverMetadata", Map(&METADATA)),
    ("loadBalancer", LOAD_BALANCER),
    ("coordinators", List(&COORDINATOR)),
    ("autoSplit", AUTO_SPLIT),
]);

const NAMESPACE: Shape = Message(&[
    ("name", Any),
    ("initialShardCount", Any),
    ("replicationFactor", Any),
    ("notificationsEnabled", Any),
    ("keySorting", Any),
    ("antiAffinities", List(&ANTI_AFFINITY)),
]);

const ANTI_AFFINITY: Shape = Message(&[("labels", Any), ("mode", Any)]);

const SERVER: Shape = Message(&[("name", Any), ("public", Any), ("internal", Any)]);

const METADATA: Shape = Message(&[("labels", Map(&Any))]);

const LOAD_BALANCER: Shape = Message(&[
    ("scheduleInterval", Any),
    ("quarantineTime", Any),
    ("paused", Any),
    ("maxMoves", Any),
    ("maxMovesPerServer", Any),
]);

const COORDINATOR: Shape = Message(&[("name", Any), ("publicAddress", Any)]);

const AUTO_SPLIT: Shape = Message(&[
    ("enabled", Any),
    ("maxShardSizeMb", Any),
    ("maxThroughputOps", Any),
    ("stabilizationPeriod", Any),
    ("cooldownPeriod", Any),
    ("maxShardsPerNamespace", Any),
    ("collectionInterval", Any),
]);

/// A key that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownKey {
    /// The key, with those that lead to it.
    pub path: String,
    /// The known key that it is most like, if it is like any.
    pub nearest: Option<&'static str>,
    /// Where this very key would be known.
    pub place: Option<&'static str>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (self.nearest, self.place) {
            (_, Some(place)) => write!(f, "{path} is not known: it belongs to {place}"),
            (Some(nearest), None) => write!(f, "{path} is not known: did you mean {nearest}?"),
            (None, None) => write!(f, "{path} is not known"),
        }
    }
}

/// The unknown keys of a document; none where it can't be read.
pub(super) fn unknown(text: &str) -> Vec<UnknownKey> {
    let mut found = Vec::new();
    if let Ok(document) = serde_saphyr::from_str::<Value>(text) {
        look(&document, &DOCUMENT, "", &mut found);
    }
    found
}

fn look(value: &Value, shape: &Shape, path: &str, found: &mut Vec<UnknownKey>) {
    match (shape, value) {
        (List(inner), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                look(item, inner, &format!("{path}[{index}]"), found);
            }
        }
        (Map(inner), Value::Object(entries)) => {
            for (key, value) in entries {
                look(value, inner, &below(path, key), found);
            }
        }
        (Message(fields), Value::Object(entries)) => {
            for (key, value) in entries {
                match fields.iter().find(|(name, _)| is_spelling(key, name)) {
                    Some((_, inner)) => look(value, inner, &below(path, key), found),
                    None => found.push(UnknownKey {
                        path: below(path, key),
                        nearest: nearest(key, fields),
                        place: place(key),
                    }),
                }
            }
        }
        // What is of another kind is refused by whoever reads it.
        (Any | List(_) | Map(_) | Message(_), _) => {}
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn is_spelling(key: &str, name: &str) -> bool {
    key == name || key == with_underscores(name)
}

fn with_underscores(name: &str) -> String {
    let mut spelling = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            spelling.push('_');
        }
        spelling.push(letter.to_ascii_lowercase());
    }
    spelling
}

/// The field whose name takes the fewest changes, if that is few enough to have been meant.
fn nearest(key: &str, fields: &[(&'static str, Shape)]) -> Option<&'static str> {
    let key = bare(key);
    let distance = |name: &str| strsim::osa_distance(&key, &bare(name));
    let (name, _) = fields.iter().min_by_key(|(name, _)| distance(name))?;
    let few = key.len().max(name.len()) / 3;
    (distance(name) <= few).then_some(*name)
}

/// A key without what may differ in its spelling.
fn bare(key: &str) -> String {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Where this very key is known, if that is elsewhere.
fn place(key: &str) -> Option<&'static str> {
    const PLACES: [(&str, &Shape); 7] = [
        ("the document itself", &DOCUMENT),
        ("an entry of namespaces", &NAMESPACE),
        ("an entry of antiAffinities", &ANTI_AFFINITY),
        ("an entry of servers", &SERVER),
        ("loadBalancer", &LOAD_BALANCER),
        ("an entry of coordinators", &COORDINATOR),
        ("autoSplit", &AUTO_SPLIT),
    ];
    let is_known = |shape: &Shape| match shape {
        Message(fields) => fields.iter().any(|(name, _)| is_spelling(key, name)),
        Any | List(_) | Map(_) => false,
    };
    let mut places = PLACES.iter().filter(|(_, shape)| is_known(shape));
    match (places.next(), places.next()) {
        // What is known in several places may have been meant for any.
        (Some((place, _)), None) => Some(*place),
        (Some(_) | None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use stepdown_core::cluster::{ClusterConfiguration, DecodeError};

    use super::*;

    fn told(text: &str) -> Vec<String> {
        unknown(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_misspelt_key_is_named_with_the_one_that_was_meant() {
        for (text, expected) in [
            (
                "namespaces: [{name: a}, {antiAffinity: []}]",
                "namespaces[1].antiAffinity is not known: did you mean antiAffinities?",
            ),
            (
                "namespaces: [{initialShardcount: 4}]",
                "namespaces[0].initialShardcount is not known: did you mean initialShardCount?",
            ),
            ("Servers: []", "Servers is not known: did you mean servers?"),
            (
                "server_meta_data: {}",
                "server_meta_data is not known: did you mean serverMetadata?",
            ),
            (
                "serverMetadata: {s1: {label: {zone: a}}}",
                "serverMetadata.s1.label is not known: did you mean labels?",
            ),
            (
                "replicationFactor: 3",
                "replicationFactor is not known: it belongs to an entry of namespaces",
            ),
            (
                "namespaces: [{colour: red}]",
                "namespaces[0].colour is not known",
            ),
            (
                "autoSplit: {maxShardSizeMB: 4}",
                "autoSplit.maxShardSizeMB is not known: did you mean maxShardSizeMb?",
            ),
        ] {
            assert_eq!(told(text), [expected], "{text}");
        }
    }

    #[test]
    fn keys_that_people_choose_and_what_is_merged_are_known() {
        let text = "\
namespaces:
  - &first {name: a, initial_shard_count: 4, antiAffinities: [{labels: [zone], mode: Strict}]}
  - {<<: *first, name: b}
server_metadata:
  s1: {labels: {zone: a, initialShardcount: b}}
";
        assert_eq!(told(text), [""; 0]);
        assert_eq!(told("{"), [""; 0]);
    }

    /// Every key in a document of its own, with a value that no field takes.
    fn with_wrong_values(shape: &Shape, wrap: &dyn Fn(&str) -> String, all: &mut Vec<String>) {
        match shape {
            Any => all.push(wrap("[[]]")),
            List(inner) => with_wrong_values(inner, &|value| wrap(&format!("[{value}]")), all),
            Map(inner) => with_wrong_values(inner, &|value| wrap(&format!("{{x: {value}}}")), all),
            Message(fields) => {
                for (name, inner) in *fields {
                    for name in [(*name).to_owned(), with_underscores(name)] {
                        let wrap = |value: &str| wrap(&format!("{{{name}: {value}}}"));
                        with_wrong_values(inner, &wrap, all);
                    }
                }
            }
        }
    }

    #[test]
    fn every_key_that_is_held_to_be_known_is_one_that_coordinators_read() {
        let mut all = Vec::new();
        with_wrong_values(&DOCUMENT, &str::to_owned, &mut all);
        assert!(all.len() > 40, "{}", all.len());
        for text in all {
            let read = ClusterConfiguration::decode(&text);
            assert!(
                matches!(read, Err(DecodeError::Key { .. })),
                "{text}: {read:?}"
            );
        }
    }

    #[test]
    fn every_key_that_coordinators_read_is_held_to_be_known() {
        let text = "\
namespaces: [{name: a, antiAffinities: [{labels: [zone], mode: Strict}]}]
servers: [{name: a, public: 'a:1', internal: 'a:2'}]
coordinators: [{name: a, publicAddress: 'a:1'}]
";
        let read = ClusterConfiguration::decode(text).unwrap();
        let mut found = Vec::new();
        look(
            &serde_json::to_value(read).unwrap(),
            &DOCUMENT,
            "",
            &mut found,
        );
        assert_eq!(found, []);
    }
}
