//! What an operator tells a coordinator.

use serde_json::{Value, json};
use stepdown::fuzzing;
use stepdown_fuzz::feed;

use crate::choices::Choices;
use crate::text;
use crate::written::written;

#[test]
fn options_are_taken_or_refused_with_their_problems() {
    feed("options", |bytes| {
        fuzzing::options(&text(bytes));
        let mut choices = Choices::new(bytes);
        let file = file(&mut choices);
        fuzzing::options(&written(&mut choices, &file));
    });
}

/// Mostly sound, with a mistake here or there.
fn file(choices: &mut Choices<'_>) -> Value {
    let mut file = json!({
        "server": { "internal": port(choices) },
        "metadata": {
            "name": choices.one_of(&["c0", "c0", "", " "]),
            "providerName": choices.one_of(&["configmap", "file", "raft", "memory", "", "etcd"]),
            "kubernetes": {
                "namespace": choices.one_of(&["oxia", "oxia", "", "Oxia", "-"]),
                "statusName": choices.one_of(&["", "status", "same", "a_b"]),
                "configName": choices.one_of(&["", "same", "oxia-cluster-status", "a..b"]),
                "statusLayout": choices.one_of(&["", "plain", "compressed", "zip"]),
            },
            "file": {
                "dir": choices.one_of(&["", "data"]),
                "statusName": choices.one_of(&["", "status", "/same", "cluster.yaml"]),
                "configName": choices.one_of(&["", "same", "/same", "cluster-status.json"]),
            },
            "raft": {
                "address": choices.one_of(&["a:1", "a:1", "", "a", "0.0.0.0:1"]),
                "bootstrapNodes": nodes(choices),
                "tls": tls(choices),
            },
        },
        "observability": { "metric": port(choices) },
    });
    file["observability"]["metric"]["enabled"] = perhaps(choices);
    if choices.below(2) == 0 {
        file["server"]["public"] = port(choices);
        file["controller"] = json!({ "tls": tls(choices) });
    }
    file
}

fn port(choices: &mut Choices<'_>) -> Value {
    json!({
        "bindAddress": choices.one_of(&["", ":0", "a:1", "[::]:65535", "a", "a:65536"]),
        "auth": {
            "enabled": perhaps(choices),
            "provider": choices.one_of(&["", "", "", "oidc", "other"]),
        },
        "tls": tls(choices),
    })
}

fn tls(choices: &mut Choices<'_>) -> Value {
    const VERSIONS: [u16; 8] = [0, 0, 0, 770, 771, 772, 772, 773];
    if choices.below(3) > 0 {
        return json!({});
    }
    json!({
        "enabled": perhaps(choices),
        "certFile": choices.one_of(&["cert", "cert", ""]),
        "keyFile": choices.one_of(&["key", "key", ""]),
        "trustedCaFile": choices.one_of(&["ca", "ca", ""]),
        "crlFile": choices.one_of(&["", "", "crl"]),
        "clientAuth": perhaps(choices),
        "minVersion": choices.one_of(&VERSIONS),
        "maxVersion": choices.one_of(&VERSIONS),
    })
}

fn nodes(choices: &mut Choices<'_>) -> Value {
    let lists = [
        json!([]),
        json!(["a:1", "b:1"]),
        json!(["b:1", " a:1 ", ""]),
        json!(["b:1"]),
        json!(["a:1", "a:1"]),
        json!(["a:1", "b:0"]),
    ];
    lists[choices.below(lists.len())].clone()
}

fn perhaps(choices: &mut Choices<'_>) -> Value {
    choices
        .one_of(&[None, None, None, Some(true), Some(false)])
        .map_or(Value::Null, Value::from)
}
