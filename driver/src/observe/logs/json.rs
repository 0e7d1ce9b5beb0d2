//! One JSON object per line: `level`, the attributes, `time`, `message`.

use jiff::Zoned;
use serde_json::Value;
use tracing::Level;

use super::record::Record;

/// The line, with its end.
pub fn line(record: &Record, at: &Zoned) -> String {
    let level = match record.level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    };
    let mut line = format!("{{\"level\":\"{level}\"");
    for (key, value) in &record.attributes {
        push(&mut line, key, value);
    }
    push(&mut line, "time", &Value::String(rfc3339(at)));
    push(&mut line, "message", &Value::String(record.message.clone()));
    line.push_str("}\n");
    line
}

fn push(line: &mut String, key: &str, value: &Value) {
    line.push(',');
    line.push_str(&Value::from(key).to_string());
    line.push(':');
    line.push_str(&value.to_string());
}

/// With nanoseconds, and `Z` where the offset is zero, as Go writes it.
fn rfc3339(at: &Zoned) -> String {
    if at.offset().is_zero() {
        at.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
    } else {
        at.strftime("%Y-%m-%dT%H:%M:%S%.9f%:z").to_string()
    }
}
