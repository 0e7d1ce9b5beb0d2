//! What a token that is good says.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::options::IssuerOptions;

/// The claim that has the groups.
const GROUPS: &str = "groups";

/// What a token that is good says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who says it.
    pub issuer: Arc<str>,
    /// The claim that the options name.
    pub subject: String,
    /// The claim `groups`, a list of texts or one text.
    pub groups: Vec<String>,
    /// All claims.
    pub claims: Map<String, Value>,
}

impl Identity {
    /// What is said, if it names the bearer.
    pub(super) fn of_claims(
        issuer: &Arc<str>,
        options: &IssuerOptions,
        claims: Map<String, Value>,
    ) -> Option<Self> {
        let subject = claims.get(&options.user_name_claim)?.as_str()?;
        if subject.is_empty() {
            return None;
        }
        let groups = match claims.get(GROUPS) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![group.as_str()],
            Some(Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_)) | None => {
                Vec::new()
            }
        };
        Some(Self {
            issuer: Arc::clone(issuer),
            subject: subject.to_owned(),
            groups: groups.into_iter().map(str::to_owned).collect(),
            claims,
        })
    }
}
