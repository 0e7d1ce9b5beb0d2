//! One event, taken apart.

use std::error::Error;
use std::fmt::Debug;

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::causes::with_causes;

/// One event: its level, its message, and its attributes in the order in which they were given.
pub struct Record {
    pub level: Level,
    pub message: String,
    pub attributes: Vec<(String, Value)>,
}

impl Record {
    /// Takes an event apart.
    pub fn of(event: &Event<'_>) -> Self {
        let mut record = Self {
            level: *event.metadata().level(),
            message: String::new(),
            attributes: Vec::new(),
        };
        event.record(&mut record);
        record
    }

    /// Adds what was not said of the event itself.
    pub fn add_number(&mut self, name: &str, value: u64) {
        self.attributes.push((name.to_owned(), value.into()));
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            // Upstream's shape of an error, which log pipelines take apart.
            ("error", Value::String(text)) => self.attributes.push((
                "error".to_owned(),
                json!({"error": text, "kind": "error", "stack": null}),
            )),
            // Keys of the line itself must not appear twice.
            (name @ ("level" | "time"), value) => {
                self.attributes.push((format!("field-{name}"), value));
            }
            // Upstream's spelling: `data-server`, `retry-after`.
            (name, value) => self.attributes.push((name.replace('_', "-"), value)),
        }
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::String(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, Value::String(with_causes(value)));
    }
}
