//! A plan, as it is printed.

use std::fmt::Write;

use serde_json::{Value, json};
use stepdown_wire::operator::{Balancer, HeldBack, Move, NamespaceShards, Plan};

use super::Answer;
use super::balancer::told as told_of_balancer;
use super::output::Table;

const SERVERS: &[&str] = &[
    "SERVER",
    "CONFIGURED",
    "RUNS",
    "SHARDS",
    "THEN",
    "LEADS",
    "TO_DELETE",
];
const MOVES: &[&str] = &["WHAT", "NAMESPACE", "SHARD", "FROM", "TO"];
const STUCK: &[&str] = &["STUCK", "SHARD", "WHY"];
const WAITING: &[&str] = &["TO_DELETE", "SHARDS", "SUCH_AS", "WHY_NOT_YET"];

pub(super) fn answer(plan: &Plan) -> Answer {
    Answer {
        value: value(plan),
        told: told(plan),
    }
}

fn told(plan: &Plan) -> String {
    let mut told = String::new();
    if let Some(balancer) = &plan.balancer {
        told.push_str(&told_of_balancer(balancer));
    }
    // Writing to a string can't fail.
    for server in &plan.supposed {
        let _ = writeln!(
            told,
            "Nobody knows yet whether {server} runs; here it is taken to."
        );
    }
    if let Some(held_back) = &plan.held_back {
        told.push_str(&told_of_held_back(held_back));
    }
    for NamespaceShards { namespace, shards } in &plan.made {
        let _ = writeln!(told, "Namespace {namespace} is made, with {shards} shards.");
    }
    for NamespaceShards { namespace, shards } in &plan.deleted {
        let _ = writeln!(
            told,
            "Namespace {namespace} is DELETED, with all that is in its {shards} shards."
        );
    }
    for refused in &plan.refused {
        let (namespace, reason) = (&refused.namespace, &refused.reason);
        let _ = writeln!(told, "Namespace {namespace} can't be made: {reason}.");
    }
    for NamespaceShards { namespace, shards } in &plan.resting {
        let _ = writeln!(
            told,
            "{shards} shards of {namespace} could not be moved, and are tried again later."
        );
    }
    // Whoever may see one namespace alone is told of no server.
    if !plan.servers.is_empty() {
        told.push('\n');
        told.push_str(&servers(plan).print());
    }
    told.push('\n');
    let moves = moves(plan);
    if moves.rows.is_empty() {
        told.push_str("Nothing is being moved, and nothing is to be.\n");
    } else {
        told.push_str(&moves.print());
    }
    if !plan.stuck.is_empty() {
        told.push('\n');
        told.push_str(&stuck(plan).print());
    }
    if !plan.waiting.is_empty() {
        told.push('\n');
        told.push_str(&waiting(plan).print());
    }
    told
}

fn told_of_held_back(it: &HeldBack) -> String {
    let seconds = it.wait_ms.div_ceil(1000);
    let what = match it.namespaces.as_slice() {
        [] => "other namespaces".to_owned(),
        names => names.join(", "),
    };
    format!(
        "The configuration that was read last is HELD BACK for {seconds} s more: it would DELETE {what}. It is put \
         into force then, unless it is changed.\n"
    )
}

fn servers(plan: &Plan) -> Table {
    let yes = |it: bool| if it { "yes" } else { "no" }.to_owned();
    let row = |it: &stepdown_wire::operator::ServerShards| {
        vec![
            it.server.clone(),
            yes(it.configured),
            yes(it.running),
            it.shards.to_string(),
            it.shards_then.to_string(),
            it.leads.to_string(),
            it.to_delete.to_string(),
        ]
    };
    Table {
        head: SERVERS,
        rows: plan.servers.iter().map(row).collect(),
    }
}

fn moves(plan: &Plan) -> Table {
    let all = [
        ("moving", &plan.under_way),
        ("move", &plan.moves),
        ("electing", &plan.handed),
        ("elect", &plan.handings),
    ];
    let rows = all.into_iter().flat_map(|(what, moves)| {
        moves.iter().map(move |it| {
            vec![
                what.to_owned(),
                it.namespace.clone(),
                it.shard.to_string(),
                it.from.clone(),
                it.to.clone(),
            ]
        })
    });
    Table {
        head: MOVES,
        rows: rows.collect(),
    }
}

fn stuck(plan: &Plan) -> Table {
    let rows = plan.stuck.iter().map(|it| {
        vec![
            it.namespace.clone(),
            it.shard.to_string(),
            it.reason.clone(),
        ]
    });
    Table {
        head: STUCK,
        rows: rows.collect(),
    }
}

fn waiting(plan: &Plan) -> Table {
    let rows = plan.waiting.iter().map(|it| {
        vec![
            it.server.clone(),
            it.shards.to_string(),
            format!("{}/{}", it.namespace, it.first),
            it.reason.clone(),
        ]
    });
    Table {
        head: WAITING,
        rows: rows.collect(),
    }
}

/// For programs.
pub(super) fn balancer(balancer: &Balancer) -> Value {
    json!({
        "paused": balancer.paused,
        "max_moves": balancer.max_moves,
        "max_moves_per_server": balancer.max_moves_per_server,
    })
}

fn held_back(it: &HeldBack) -> Value {
    json!({"namespaces": it.namespaces, "wait_ms": it.wait_ms})
}

fn value(plan: &Plan) -> Value {
    let moves = |moves: &[Move]| -> Vec<Value> {
        let value = |it: &Move| json!({"namespace": it.namespace, "shard": it.shard, "from": it.from, "to": it.to});
        moves.iter().map(value).collect()
    };
    let counts = |counts: &[NamespaceShards]| -> Vec<Value> {
        let value = |it: &NamespaceShards| json!({"namespace": it.namespace, "shards": it.shards});
        counts.iter().map(value).collect()
    };
    let stuck = plan.stuck.iter();
    let stuck =
        stuck.map(|it| json!({"namespace": it.namespace, "shard": it.shard, "reason": it.reason}));
    let waiting = plan.waiting.iter().map(|it| {
        json!({
            "server": it.server,
            "reason": it.reason,
            "shards": it.shards,
            "namespace": it.namespace,
            "first": it.first,
        })
    });
    let refused = plan.refused.iter();
    let refused = refused.map(|it| json!({"namespace": it.namespace, "reason": it.reason}));
    let servers = plan.servers.iter().map(|it| {
        json!({
            "server": it.server,
            "configured": it.configured,
            "running": it.running,
            "shards": it.shards,
            "shards_then": it.shards_then,
            "leads": it.leads,
            "to_delete": it.to_delete,
        })
    });
    let namespaces = plan.namespaces.iter().map(|it| {
        json!({
            "namespace": it.namespace,
            "shards": it.shards,
            "led": it.led,
            "deleting": it.deleting,
        })
    });
    json!({
        "balancer": plan.balancer.as_ref().map(balancer),
        "held_back": plan.held_back.as_ref().map(held_back),
        "under_way": moves(&plan.under_way),
        "moves": moves(&plan.moves),
        "handed": moves(&plan.handed),
        "handings": moves(&plan.handings),
        "stuck": stuck.collect::<Vec<_>>(),
        "waiting": waiting.collect::<Vec<_>>(),
        "resting": counts(&plan.resting),
        "made": counts(&plan.made),
        "deleted": counts(&plan.deleted),
        "refused": refused.collect::<Vec<_>>(),
        "supposed": plan.supposed,
        "servers": servers.collect::<Vec<_>>(),
        "namespaces": namespaces.collect::<Vec<_>>(),
    })
}
