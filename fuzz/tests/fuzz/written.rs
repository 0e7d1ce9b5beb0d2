//! Documents as somebody else may write them, of what they are to say.

use serde_json::{Map, Value};
use stepdown_core::cluster::DataServerIdentity;

use crate::choices::Choices;

/// A message with those of its fields that are set, each key in one of the two spellings that are read.
pub fn message<const N: usize>(choices: &mut Choices<'_>, fields: [(&str, Value); N]) -> Value {
    let mut all = Map::new();
    for (key, value) in fields {
        // What is null is not set, said or unsaid.
        if !value.is_null() || choices.below(4) == 0 {
            all.insert(spelled(choices, key), value);
        }
    }
    Value::Object(all)
}

/// A map of any keys.
pub fn map(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(entries.into_iter().collect())
}

/// A number, quoted or not; where it is zero it may as well be left out.
pub fn number(choices: &mut Choices<'_>, number: i64) -> Value {
    match choices.below(4) {
        0 if number == 0 => Value::Null,
        1 => number.to_string().into(),
        _ => number.into(),
    }
}

/// The list, which may as well be left out where it is empty.
pub fn list(choices: &mut Choices<'_>, items: Vec<Value>) -> Value {
    if items.is_empty() && choices.below(2) == 0 {
        return Value::Null;
    }
    Value::Array(items)
}

/// A data server, as either document names it.
pub fn server(choices: &mut Choices<'_>, server: &DataServerIdentity) -> Value {
    let name = server.name.as_deref().map_or(Value::Null, Value::from);
    let public = Value::from(&*server.public);
    let internal = Value::from(&*server.internal);
    message(
        choices,
        [("name", name), ("public", public), ("internal", internal)],
    )
}

/// The text of the document, as JSON or as YAML of either style.
pub fn written(choices: &mut Choices<'_>, document: &Value) -> String {
    let mut text = String::new();
    match choices.below(6) {
        0 => text.push_str(&document.to_string()),
        1 => text.push_str(&serde_json::to_string_pretty(document).unwrap()),
        _ => block(choices, document, 0, &mut text),
    }
    text
}

fn spelled(choices: &mut Choices<'_>, key: &str) -> String {
    if choices.below(2) == 0 {
        return key.to_owned();
    }
    let mut snake = String::new();
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn block(choices: &mut Choices<'_>, value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let key = scalar(choices, key);
                text.push_str(&format!("{indent}{key}:"));
                nested(choices, value, depth, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&format!("{indent}-"));
                nested(choices, item, depth, text);
            }
        }
        Value::String(word) => text.push_str(&format!("{indent}{}\n", scalar(choices, word))),
        flow => text.push_str(&format!("{indent}{flow}\n")),
    }
}

fn nested(choices: &mut Choices<'_>, value: &Value, depth: usize, text: &mut String) {
    let is_nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_nested && choices.below(4) > 0 {
        text.push_str(["\n", " # so\n"][choices.below(2)]);
        block(choices, value, depth + 1, text);
    } else if let Value::String(word) = value {
        text.push_str(&format!(" {}\n", scalar(choices, word)));
    } else {
        text.push_str(&format!(" {value}\n"));
    }
}

/// Quoted in one of three ways, the third of which is not to be.
fn scalar(choices: &mut Choices<'_>, text: &str) -> String {
    let is_printable = !text.chars().any(char::is_control);
    match choices.below(3) {
        0 if is_printable => format!("'{}'", text.replace('\'', "''")),
        1 if is_word(text) => text.to_owned(),
        _ => Value::from(text).to_string(),
    }
}

/// Whether it is nothing but text, whatever reads it: the words of YAML are all shorter.
fn is_word(text: &str) -> bool {
    text.len() > 5
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|it| it.is_ascii_alphanumeric())
}
