//! JSON for programs. Numbers of nodes are strings: they are larger than what many programs read.

use serde_json::{Value, json};
use stepdown_wire::raft::{
    ConfigurationVersion, LogPosition, MemberStatus, StatusResponse, StatusVersion,
};

use super::gather::{Seen, View};

pub(super) fn member(member: &MemberStatus) -> Value {
    json!({
        "node": member.node.to_string(),
        "name": member.name,
        "address": member.address,
        "votes": member.votes,
    })
}

pub(super) fn status_version(version: &StatusVersion) -> Value {
    json!({
        "version": version.version,
        "epoch": version.epoch,
        "shards": version.shards,
        "bytes": version.bytes,
    })
}

pub(super) fn configuration_version(version: &ConfigurationVersion) -> Value {
    json!({ "version": version.version, "bytes": version.bytes })
}

/// An entry of the log, by its term, its leader and its index.
pub(super) fn entry(entry: &LogPosition) -> String {
    format!("{}-{}-{}", entry.term, entry.node, entry.index)
}

pub(super) fn view(view: &View) -> Value {
    let best = &view.best;
    json!({
        "cluster": Some(&best.cluster).filter(|id| !id.is_empty()),
        "term": best.term,
        "leader": view.leader().map(|leader| json!({
            "node": leader.member.node.to_string(),
            "name": leader.member.name,
            "address": leader.member.address,
            "serves": leader.status.as_ref().is_ok_and(|status| status.serves),
        })),
        "quorumMilliseconds": view.quorum_millis(),
        "changing": best.changing,
        "status": best.status.as_ref().map(status_version),
        "configuration": best.configuration.as_ref().map(configuration_version),
        "members": view.members.iter().map(|it| seen(view, it)).collect::<Vec<_>>(),
    })
}

fn seen(view: &View, seen: &Seen) -> Value {
    let mut json = member(&seen.member);
    put(&mut json, "matched", json!(seen.member.matched));
    put(&mut json, "lag", json!(view.lag(seen)));
    match &seen.status {
        Ok(status) => put(&mut json, "answer", answer(status)),
        Err(error) => put(&mut json, "error", json!(error)),
    }
    json
}

/// Adds a key to an object.
pub(super) fn put(json: &mut Value, key: &str, value: Value) {
    if let Value::Object(object) = json {
        object.insert(key.to_owned(), value);
    }
}

fn answer(status: &StatusResponse) -> Value {
    json!({
        "release": status.release,
        "last": status.last,
        "applied": status.applied,
        "snapshot": status.snapshot,
        "fileBytes": status.file_bytes,
        "logBytes": status.log_bytes,
        "failure": Some(&status.failure).filter(|failure| !failure.is_empty()),
        "refused": status.refused,
    })
}
