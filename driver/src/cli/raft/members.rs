//! `stepdown raft remove` and `stepdown raft transfer`.

use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use stepdown_wire::raft::{RemoveRequest, TransferRequest};
use tokio::time::{Instant, sleep};

use super::error::RaftCommandError;
use super::json;
use super::nodes::NodesArgs;
use super::output::named;
use crate::cli::parse_duration;

const ASK_EVERY: Duration = Duration::from_millis(50);

/// Flags of `stepdown raft remove`.
#[derive(Clone, Debug, Args)]
pub(super) struct RemoveArgs {
    /// Its name, its address or its number
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    member: String,
    /// How long to wait until another leads, where it is the leader
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    nodes: NodesArgs,
}

impl RemoveArgs {
    pub(super) async fn run(self, tell: &mut impl FnMut(&str)) -> Result<(), RaftCommandError> {
        let client = self.nodes.client()?;
        let until = Instant::now() + self.timeout;
        let mut member = self.member.clone();
        loop {
            let request = RemoveRequest {
                member: member.clone(),
            };
            let answer = client.remove(request).await?;
            let removed = answer.member.as_ref();
            let Some(successor) = &answer.handed_over else {
                let text = format!(
                    "{} is no member any more: end it, and empty its data directory before it is \
                     started again",
                    named(removed)
                );
                let json = json!({ "removed": removed.map(json::member) });
                self.nodes.output.end(tell, &text, &json);
                return Ok(());
            };
            let text = format!(
                "{} led, and has handed over to {}",
                named(removed),
                named(Some(successor))
            );
            self.nodes.output.step(tell, &text);
            if Instant::now() >= until {
                return Err(RaftCommandError::TimedOut {
                    what: format!("{} is still a member", named(removed)),
                    within: self.timeout,
                    todo: "it leads again and again; try again",
                });
            }
            // The same one, whoever gets its name or its address meanwhile.
            member = removed.map_or(member, |removed| removed.node.to_string());
        }
    }
}

/// Flags of `stepdown raft transfer`.
#[derive(Clone, Debug, Args)]
pub(super) struct TransferArgs {
    /// Its name, its address or its number
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    member: String,
    /// How long to wait until its coordinator leads
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    nodes: NodesArgs,
}

impl TransferArgs {
    pub(super) async fn run(self, tell: &mut impl FnMut(&str)) -> Result<(), RaftCommandError> {
        let client = self.nodes.client()?;
        let until = Instant::now() + self.timeout;
        let member = self.member.clone();
        let answer = client.transfer(TransferRequest { member }).await?;
        let Some(member) = &answer.member else {
            return Ok(());
        };
        let address = &member.address;
        while !client.status_of(address).await.is_ok_and(|it| it.serves) {
            if Instant::now() >= until {
                return Err(RaftCommandError::TimedOut {
                    what: format!(
                        "{} leads the nodes, but its coordinator does not lead",
                        named(Some(member))
                    ),
                    within: self.timeout,
                    todo: "its log says why",
                });
            }
            sleep(ASK_EVERY).await;
        }
        let already = if answer.already { " already" } else { "" };
        let text = format!("{} leads{already}", named(Some(member)));
        let json = json!({ "leader": json::member(member), "already": answer.already });
        self.nodes.output.end(tell, &text, &json);
        Ok(())
    }
}
