//! `stepdown admin balancer`.

use clap::Subcommand;
use serde_json::json;
use stepdown_wire::operator::{Balancer, GetPlanRequest, SetBalancerRequest};

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
            Self::Status => {
                let plan = client.plan(GetPlanRequest::default()).await?;
                return Ok(plan::answer(&plan));
            }
        };
        let request = SetBalancerRequest { paused };
        let call = client.operate(request, async |mut it, request| {
            it.set_balancer(request).await
        });
        let balancer = call.await?.balancer.unwrap_or(Balancer {
            paused,
            ..Balancer::default()
        });
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
    let (all, each) = (balancer.max_moves, balancer.max_moves_per_server);
    if all == 0 && each == 0 {
        // A coordinator that leads no more does not know them.
        return format!("The balancer is {state}.\n");
    }
    format!(
        "The balancer is {state}; at most {all} shards are moved at once, and {each} from or to one data server.\n"
    )
}
