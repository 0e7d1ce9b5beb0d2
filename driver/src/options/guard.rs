//! Keys that are not options, and may be meant to keep strangers out: a port must not be open because
//! of a slip of the pen.

use serde_json::Value;

/// Sections that say who may connect, beside what else they say.
const SECTIONS: [&str; 6] = [
    "controller",
    "metadata.raft",
    "observability.audit",
    "observability.metric",
    "server.internal",
    "server.public",
];
/// What they say it with.
const WORDS: [&str; 4] = ["audit", "auth", "authorization", "tls"];

/// Those of the unknown keys of a file that may be misspelt words about who may connect, and the others.
pub(super) fn split(text: &str, unknown: Vec<String>) -> (Vec<String>, Vec<String>) {
    // Where it can't be looked into, nothing in it is passed over.
    let file: Option<Value> = serde_saphyr::from_str(text).ok();
    unknown
        .into_iter()
        .partition(|key| is_beside(key) || file.as_ref().is_none_or(|file| speaks(file, key)))
}

/// Whether a key is in one of the sections, or below one of the words, or one of them but for its case or
/// its place.
fn is_beside(key: &str) -> bool {
    let (holder, last) = key.rsplit_once('.').unwrap_or(("", key));
    SECTIONS.contains(&holder)
        || holder.split('.').any(|word| WORDS.contains(&word))
        || WORDS.contains(&last.to_lowercase().as_str())
}

/// Whether one of the words is below a key, as where the section's name is misspelt.
fn speaks(file: &Value, key: &str) -> bool {
    let mut value = Some(file);
    for word in key.split('.') {
        value = value.and_then(|value| match value.as_array() {
            Some(values) => values.get(word.parse::<usize>().ok()?),
            None => value.get(word),
        });
    }
    // A key with a dot in it is not found.
    value.is_none_or(has_word)
}

fn has_word(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_word),
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| WORDS.contains(&key.to_lowercase().as_str()) || has_word(value)),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}
