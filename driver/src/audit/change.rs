//! A change, as it is written down.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::AuditError;
use crate::auth::Caller;

/// A change that somebody is about to make.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// Who makes it.
    pub caller: &'a Caller,
    /// What is done, in a word: `CreateNamespace`.
    pub action: &'a str,
    /// To what: `namespace a`.
    pub target: &'a str,
    /// What it was; `Null` is nothing.
    pub before: Value,
    /// What it is to be.
    pub after: Value,
    /// The epoch of the status in which it is made, if there is one.
    pub epoch: Option<u64>,
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is made.
    Done,
    /// It is not, and why.
    Failed(String),
    /// Nobody knows: the call was broken off, or it is unknown whether a store was applied.
    Unknown,
}

/// What is said of a change, before and after.
#[derive(Debug)]
pub(super) struct Entry {
    request: String,
    said: Map<String, Value>,
}

pub(super) enum Phase {
    Begin,
    End(Outcome),
}

/// One line, taken apart.
pub(super) type Line = Map<String, Value>;

impl Change<'_> {
    pub(super) fn into_entry(self) -> Result<Entry, AuditError> {
        let request = getrandom::u64().map_err(AuditError::Chance)?;
        let request = format!("{request:016x}");
        let Self {
            caller,
            action,
            target,
            before,
            after,
            epoch,
        } = self;
        let peer = &caller.peer;
        let said = [
            ("request", json!(request)),
            ("who", json!(caller.subject)),
            ("how", json!(caller.how.word())),
            ("issuer", json!(caller.issuer())),
            ("certificate", json!(&*peer.names)),
            ("from", json!(peer.remote.map(|it| it.to_string()))),
            ("action", json!(action)),
            ("target", json!(target)),
            ("before", before),
            ("after", after),
            ("epoch", json!(epoch)),
        ];
        let said = said.map(|(key, value)| (key.to_owned(), value));
        Ok(Entry {
            request,
            said: said.into_iter().collect(),
        })
    }
}

impl Entry {
    pub(super) fn request(&self) -> &str {
        &self.request
    }

    /// What is said of it now.
    pub(super) fn line(&self, phase: &Phase) -> Line {
        let mut line = self.said.clone();
        let mut say = |key: &str, value: Value| line.insert(key.to_owned(), value);
        say("component", json!("audit"));
        say("at", json!(Timestamp::now().to_string()));
        match phase {
            Phase::Begin => say("phase", json!("begin")),
            Phase::End(outcome) => {
                say("phase", json!("end"));
                if let Outcome::Failed(reason) = outcome {
                    say("reason", json!(reason));
                }
                say("outcome", json!(outcome.word()))
            }
        };
        line
    }
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Unknown => "unknown",
        }
    }
}
