//! `stepdown raft add`.

use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use stepdown_wire::raft::{AddRequest, AddResponse, CatchingUp};
use tokio::time::{Instant, sleep};

use super::error::RaftCommandError;
use super::json;
use super::nodes::NodesArgs;
use super::output::named;
use crate::cli::parse_duration;

const ASK_EVERY: Duration = Duration::from_millis(200);
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Flags of `stepdown raft add`.
#[derive(Clone, Debug, Args)]
pub(super) struct AddArgs {
    /// The node's raft address; it runs already, and belongs to no cluster
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    address: String,
    /// It only follows, and never votes
    #[arg(long)]
    learner: bool,
    /// How long to wait until it has caught up
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    nodes: NodesArgs,
}

impl AddArgs {
    pub(super) async fn run(self, tell: &mut impl FnMut(&str)) -> Result<(), RaftCommandError> {
        let client = self.nodes.client()?;
        let until = Instant::now() + self.timeout;
        let mut told = None;
        loop {
            let request = AddRequest {
                address: self.address.clone(),
                learner: self.learner,
            };
            let answer = client.add(request).await?;
            let Some(progress) = &answer.catching_up else {
                self.end(tell, &answer);
                return Ok(());
            };
            if told.is_none_or(|at: Instant| at.elapsed() >= TELL_EVERY) {
                told = Some(Instant::now());
                let member = named(answer.member.as_ref());
                let text = format!("{member} is catching up: {}", shown(progress));
                self.nodes.output.step(tell, &text);
            }
            if Instant::now() >= until {
                return Err(RaftCommandError::TimedOut {
                    what: format!("{} has not caught up", named(answer.member.as_ref())),
                    within: self.timeout,
                    todo: "it goes on catching up, and votes only once it is added again",
                });
            }
            sleep(ASK_EVERY).await;
        }
    }

    fn end(&self, tell: &mut impl FnMut(&str), answer: &AddResponse) {
        let member = answer.member.as_ref();
        let role = match member.is_some_and(|member| member.votes) {
            true => "votes",
            false => "follows, and does not vote",
        };
        let when = if answer.already { " already" } else { "" };
        let mut text = format!("{} {role}{when}", named(member));
        for replaced in &answer.replaced {
            text = format!("{text}, in the place of node {}", replaced.node);
        }
        let json = json!({
            "member": member.map(json::member),
            "replaced": answer.replaced.iter().map(json::member).collect::<Vec<_>>(),
            "already": answer.already,
        });
        self.nodes.output.end(tell, &text, &json);
    }
}

fn shown(progress: &CatchingUp) -> String {
    match progress.matched {
        Some(matched) => format!("entry {matched} of {}", progress.last),
        None => format!("nothing yet of {} entries", progress.last),
    }
}
