//! `stepdown admin balancer`.

use clap::Subcommand;
use serde_json::json;
use stepdown_wire::operator::{Balancer, SetBalancerRequest};

use super::Answer;
use super::client::Client;
use super::error::AdminCommandError;
use super::plan;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Command {
    /// Spread no shards and no leaders for now; data servers that were taken out are emptied all the same
    Pause,
    /// Spread shards and leaders again
    Resume,
    /// Show whether it is paused, and what it moves and is about to
    Status,
}

impl Command {
    pub(super) async fn run(self, client: &Client) -> Result<Answer, AdminCommandError> {
        let paused = match self {
            Self::Pause => true,
            Self::Resume => false,
            Self::Status => return Ok(plan::answer(&client.plan(None).await?)),
        };
        let request = SetBalancerRequest { paused };
        let call = client.operate(request, async |mut it, request| {
            it.set_balancer(request).await
        });
        let balancer = call.await?.balancer.unwrap_or_default();
        Ok(Answer {
            value: json!({"balancer": plan::balancer(&balancer)}),
            told: told(&balancer),
        })
    }
}

/// In a sentence.
pub(super) fn told(balancer: &Balancer) -> String {
    let state = if balancer.paused {
        "paused: shards are moved only off data servers that were taken out"
    } else {
        "on"
    };
    format!(
        "The balancer is {state}; at most {} shards are moved at once, and {} from or to one data server.\n",
        balancer.max_moves, balancer.max_moves_per_server
    )
}
