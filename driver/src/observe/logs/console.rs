//! The console form: time, level in three letters, message, `key=value`.

use std::fmt::Write;

use jiff::Zoned;
use serde_json::Value;
use tracing::Level;

use super::record::Record;

const DIM: &str = "\u{1b}[90m";
const BOLD: &str = "\u{1b}[1m";
const CYAN: &str = "\u{1b}[36m";
const RESET: &str = "\u{1b}[0m";

/// The line, with its end.
pub fn line(record: &Record, at: &Zoned, coloured: bool) -> String {
    let (level, colour) = match record.level {
        Level::ERROR => ("ERR", "\u{1b}[31m"),
        Level::WARN => ("WRN", "\u{1b}[33m"),
        Level::INFO => ("INF", "\u{1b}[32m"),
        _ => ("DBG", "\u{1b}[35m"),
    };
    let paint = |code: &str, text: &str| {
        if coloured {
            format!("{code}{text}{RESET}")
        } else {
            text.to_owned()
        }
    };
    let time = at.strftime("%b %e %H:%M:%S%.6f").to_string();
    let mut line = format!(
        "{} {} {}",
        paint(DIM, &time),
        paint(colour, level),
        paint(BOLD, &printable(&record.message))
    );
    for (key, value) in &record.attributes {
        // Writing to a string does not fail.
        let _ = write!(line, " {}{}", paint(CYAN, &format!("{key}=")), shown(value));
    }
    line.push('\n');
    line
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Object(error) => match error.get("error") {
            Some(Value::String(text)) => text.clone(),
            Some(_) | None => value.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_) => value.to_string(),
    };
    let plain = !text.is_empty()
        && text
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=');
    if plain { text } else { format!("{text:?}") }
}

/// What a peer said must not be able to start a line of its own, or to command the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
