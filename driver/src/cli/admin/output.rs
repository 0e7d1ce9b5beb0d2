//! What came back, as a table or as a document.

use std::fmt::Write;

use clap::ValueEnum;
use serde_json::Value;

use super::Answer;
use super::error::AdminCommandError;
use crate::cli::visible::visible;

/// How to print what comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// JSON, with the names of the protocol
    Json,
    /// Columns for people
    Table,
    /// YAML, with the names of the protocol
    Yaml,
}

/// So many characters a column has at most: no name is longer, and a line is padded to no more.
const WIDEST: usize = 256;

/// Columns under their heads.
pub(super) struct Table {
    pub(super) head: &'static [&'static str],
    pub(super) rows: Vec<Vec<String>>,
}

impl Output {
    pub(super) fn print(self, answer: &Answer) -> Result<String, AdminCommandError> {
        let failed = |error: String| AdminCommandError::Print(error);
        match self {
            Self::Json => serde_json::to_string_pretty(&answer.value)
                .map(|text| escaped(&text) + "\n")
                .map_err(|error| failed(error.to_string())),
            Self::Table => Ok(visible(&answer.told)),
            Self::Yaml => {
                let mut text = String::new();
                yaml(&answer.value, 0, &mut text);
                Ok(escaped(&text))
            }
        }
    }
}

/// What JSON leaves as it is and a terminal may obey. It can only be within quotes, of YAML too.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '\u{7f}'..='\u{9f}' => escaped.push_str(&format!("\\u{:04x}", u32::from(it))),
            _ => escaped.push(it),
        }
    }
    escaped
}

impl Table {
    pub(super) fn print(&self) -> String {
        let head = self.head.iter().map(|it| (*it).to_owned()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max();
            widest.unwrap_or(0).min(WIDEST)
        };
        let mut text = String::new();
        for line in &lines {
            let mut row = String::new();
            for (column, cell) in line.iter().enumerate() {
                // Writing to a string can't fail.
                let _ = write!(row, "{cell:0$}  ", width(column));
            }
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A document in block style. Texts are quoted as JSON quotes them, which YAML reads.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let _ = write!(out, "{:indent$}{key}:", "");
                below(value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "{:indent$}-", "");
                below(item, indent, out);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            let _ = writeln!(out, "{:indent$}{value}", "");
        }
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_block {
        out.push('\n');
        yaml(value, indent + 2, out);
    } else {
        let _ = writeln!(out, " {value}");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_form_of_an_answer_has_what_a_terminal_obeys_and_each_is_read_as_what_it_was() {
        let value = json!({"a": "\u{1b}[2J\u{9b}2J\u{7f}"});
        for form in [Output::Json, Output::Yaml] {
            let answer = Answer {
                value: value.clone(),
                told: String::new(),
            };
            let text = form.print(&answer).unwrap();
            assert!(
                !text.chars().any(|it| it.is_control() && it != '\n'),
                "{text:?}"
            );
            let read: Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read, value, "{text}");
        }
    }

    #[test]
    fn a_table_has_columns_as_wide_as_what_is_in_them() {
        let table = Table {
            head: &["NAME", "STATE"],
            rows: vec![
                vec!["server-1".to_owned(), "RUNNING".to_owned()],
                vec!["s2".to_owned(), String::new()],
            ],
        };
        assert_eq!(table.print(), "NAME      STATE\nserver-1  RUNNING\ns2\n");
    }

    #[test]
    fn a_cell_longer_than_any_column_makes_no_other_line_as_long() {
        let long = "n".repeat(1 << 17);
        let table = Table {
            head: &["NAME", "STATE"],
            rows: vec![vec![long.clone(), "RUNNING".to_owned()]],
        };
        let (head, row) = (format!("NAME{:254}STATE", ""), format!("{long}  RUNNING"));
        assert_eq!(table.print(), format!("{head}\n{row}\n"));
    }

    #[test]
    fn yaml_is_read_as_what_it_was_written_of() {
        let value = json!({
            "a": {"b": [], "c": [1, {"d": "x: y", "e": null}], "f": {}},
            "g": "no",
            "h": true,
        });
        let mut text = String::new();
        yaml(&value, 0, &mut text);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}
