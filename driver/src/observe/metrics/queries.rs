//! What queries ask for, and what there is to be asked for.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use stepdown_core::{Cause, Report, Role, ServerId, ServerState, StoreResult, Term};
use tonic::Code;

use super::Metrics;
use super::tests::{accepted, elected, role, server, shard_report};

const GROUPINGS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

#[test]
fn metrics_are_told_from_all_else_in_a_query() {
    let query = r#"sum by (le, a) (rate(b_total{c=~"$d", e="}{f"}[$__rate_interval])) * 2e3
        + ignoring(g) h:i and on(j) (k offset 5m) or sum(l) by (m) / label_replace(n, "o", "p")"#;
    let names: Vec<String> = metrics_in(query).into_iter().collect();
    assert_eq!(names, ["b_total", "h:i", "k", "l", "n"]);
    assert_eq!(
        metrics_in("label_values(a{b=\"c, d\"}, e)"),
        BTreeSet::from(["a".to_owned()])
    );
}

/// A file of the project.
pub(super) fn read(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).expect(&path)
}

/// Every query in a dashboard or in rules.
pub(super) fn queries(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(query) if key == "expr" || key == "definition" => {
                        found.push(query.clone());
                    }
                    other => collect(other, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names of all samples, after everything has happened once.
pub(super) fn exported() -> BTreeSet<String> {
    let metrics = Metrics::new().expect("unique names");
    let (namespace, shard) = shard_report("ns", 7);
    for report in [
        accepted(7, 4),
        elected(7, 3),
        Report::FencingEnded {
            namespace: namespace.clone(),
            shard,
            took: Duration::from_millis(1),
        },
        Report::LeaderConfirmed {
            namespace: namespace.clone(),
            shard,
            took: Duration::from_millis(1),
        },
        Report::ElectionFailed {
            namespace: namespace.clone(),
            shard,
            term: Term(3),
            reason: String::new(),
            retry_after: Duration::ZERO,
        },
        Report::ShardBlocked {
            namespace: namespace.clone(),
            shard,
            reason: String::new(),
        },
        Report::ShardInSync {
            namespace,
            shard,
            in_sync: 1,
            replicas: 3,
        },
        server(ServerState::Unavailable),
        Report::ServerEmptied {
            server: ServerId("s1".into()),
            shards: 1,
        },
        Report::StoreConcluded {
            outcome: StoreResult::Stored,
            changes: 1,
            took: Duration::from_millis(1),
            reason: String::new(),
        },
        role(Role::SteppingDown, Role::Candidate, Some(Cause::Conflict)),
    ] {
        metrics.report(&report);
    }
    let made = &metrics.rpcs.made;
    let method = made.method("/replication.OxiaCoordination/NewTerm");
    made.handled(method.expect("a method"), Code::Ok).inc();
    let text = metrics.text().expect("text");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(str::to_owned)
        .collect()
}

/// The names of the metrics in a query: words that are no function, label, keyword, number or text.
pub(super) fn metrics_in(query: &str) -> BTreeSet<String> {
    let mut words = words(query).into_iter().peekable();
    let mut names = BTreeSet::new();
    let mut is_variable = false;
    while let Some(word) = words.next() {
        let next = words.peek().map(String::as_str);
        if GROUPINGS.contains(&word.as_str()) {
            if next == Some("(") {
                while words.next().is_some_and(|word| word != ")") {}
            }
        } else if word == "label_values" {
            is_variable = true;
        } else if word.starts_with(|c: char| c.is_alphabetic())
            && !["and", "or", "unless", "offset", "bool"].contains(&word.as_str())
            && next != Some("(")
            && !next.is_some_and(|next| GROUPINGS.contains(&next))
        {
            names.insert(word);
            if is_variable {
                break;
            }
        }
    }
    names
}

/// Words and parentheses; selectors, ranges and quoted text are left out.
fn words(query: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = query.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            '"' => while chars.next().is_some_and(|c| c != '"') {},
            '[' => while chars.next().is_some_and(|c| c != ']') {},
            '{' => {
                let mut is_quoted = false;
                while let Some(c) = chars.next_if(|c| is_quoted || *c != '}') {
                    is_quoted ^= c == '"';
                }
            }
            '(' | ')' => words.push(first.to_string()),
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| is_word(*c)) {
                    word.push(c);
                }
                words.push(word);
            }
            _ => {}
        }
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}
