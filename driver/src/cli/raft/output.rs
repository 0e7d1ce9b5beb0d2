//! The form in which it is said.

use serde_json::Value;
use stepdown_wire::raft::MemberStatus;

/// The form in which it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    Table,
    // Once, at the end.
    Json,
}

impl Output {
    /// A step on the way.
    pub(super) fn step(self, tell: &mut impl FnMut(&str), text: &str) {
        match self {
            Self::Table => tell(&format!("{text}\n")),
            Self::Json => {}
        }
    }

    /// What has come of it.
    pub(super) fn end(self, tell: &mut impl FnMut(&str), text: &str, json: &Value) {
        match self {
            Self::Table => tell(&format!("{text}\n")),
            Self::Json => tell(&format!("{json:#}\n")),
        }
    }
}

/// A member, as people are told of it.
pub(super) fn named(member: Option<&MemberStatus>) -> String {
    match member {
        Some(member) => format!("{} at {}", member.name, member.address),
        None => "somebody".to_owned(),
    }
}
