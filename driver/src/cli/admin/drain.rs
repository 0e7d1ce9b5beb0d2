//! Data servers that leave: how far they are, and giving up on one that never comes back.

use std::cell::Cell;
use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::json;
use stepdown_wire::operator::{ForgetDataServerRequest, GetPlanRequest, Plan, ServerShards};

use super::Answer;
use super::client::Client;
use super::effect::WaitArgs;
use super::error::AdminCommandError;
use super::missing::until_drained;
use super::output::Table;

const HEAD: &[&str] = &[
    "NAME",
    "RUNS",
    "SHARDS",
    "LEADS",
    "MOVING",
    "TO_DELETE",
    "STATE",
];

/// How far data servers are that were taken out of the configuration: this one, or all.
pub(super) async fn status(
    client: &Client,
    name: Option<String>,
    wait: &WaitArgs,
) -> Result<Answer, AdminCommandError> {
    let is_known = Cell::new(false);
    let missing = |plan: &Plan| match &name {
        Some(name) => {
            let is_seen = plan.servers.iter().any(|it| it.server == *name);
            is_known.set(is_known.get() || is_seen);
            until_drained(plan, name)
        }
        None => draining(plan).find_map(|it| until_drained(plan, &it.server)),
    };
    wait.wait(client, missing).await?;
    if let Some(name) = &name
        && wait.is_asked_for()
        && !is_known.get()
    {
        return Err(AdminCommandError::NoDataServer(name.clone()));
    }
    let plan = client.plan(GetPlanRequest::default()).await?;
    let shown: Vec<&ServerShards> = match &name {
        Some(name) => plan
            .servers
            .iter()
            .filter(|it| it.server == *name)
            .collect(),
        None => draining(&plan).collect(),
    };
    let moving = |server: &ServerShards| {
        let moves = plan.under_way.iter();
        moves.filter(|it| it.from == server.server).count()
    };
    let state = |server: &ServerShards| {
        let missing = until_drained(&plan, &server.server);
        missing.unwrap_or_else(|| "drained".to_owned())
    };
    let value = shown.iter().map(|it| {
        json!({
            "server": it.server,
            "configured": it.configured,
            "running": it.running,
            "shards": it.shards,
            "leads": it.leads,
            "moving": moving(it),
            "to_delete": it.to_delete,
            "state": state(it),
        })
    });
    let row = |it: &&ServerShards| {
        vec![
            it.server.clone(),
            if it.running { "yes" } else { "no" }.to_owned(),
            it.shards.to_string(),
            it.leads.to_string(),
            moving(it).to_string(),
            it.to_delete.to_string(),
            state(it),
        ]
    };
    let told = match (&name, shown.is_empty()) {
        (Some(name), true) => {
            format!("No data server {name} is known: it has nothing of any shard, if it ever had\n")
        }
        (None, true) => "No data server is being drained\n".to_owned(),
        (_, false) => Table {
            head: HEAD,
            rows: shown.iter().map(row).collect(),
        }
        .print(),
    };
    Ok(Answer {
        value: value.collect(),
        told,
    })
}

fn draining(plan: &Plan) -> impl Iterator<Item = &ServerShards> {
    plan.servers.iter().filter(|it| !it.configured)
}

/// Gives up on a data server, once whoever asks has said that it is meant.
pub(super) async fn forget(
    client: &Client,
    name: String,
    is_meant: bool,
) -> Result<Answer, AdminCommandError> {
    if !is_meant {
        confirm(&name)?;
    }
    let request = ForgetDataServerRequest {
        data_server: name.clone(),
    };
    let call = client.operate(request, async |mut it, request| {
        it.forget_data_server(request).await
    });
    let done = call.await?;
    let left = match done.left {
        0 => format!("; empty the disk of {name} before it comes back"),
        left => format!(
            ", and {left} wait still: nobody leads them now, or a replica does not have all that is committed yet; \
             drain-status shows it; say it again once that is over"
        ),
    };
    Ok(Answer {
        value: json!({"server": name, "shards": done.shards, "left": done.left}),
        told: format!("{} shards waited for {name}{left}\n", done.shards),
    })
}

/// Asks a person, where there is one.
fn confirm(name: &str) -> Result<(), AdminCommandError> {
    if !io::stdin().is_terminal() {
        return Err(AdminCommandError::Unconfirmed);
    }
    // Where it can't be asked, nothing is answered either.
    let _ = write!(
        io::stderr(),
        "Nobody will wait for {name} any more to delete what it had of shards that have left it or were \
         deleted. Whatever is on its disk stays there: empty it before the server comes back. Make sure that \
         its process has ended: if it only can't be reached, writes that were acknowledged can be lost.\n\
         Type its name if it never comes back: "
    );
    let mut typed = String::new();
    let read = io::stdin().lock().read_line(&mut typed);
    if read.is_ok() && typed.trim() == name {
        Ok(())
    } else {
        Err(AdminCommandError::Unconfirmed)
    }
}
