//! What a change has for an effect: to see it before, and to wait for it.

use std::time::Duration;

use clap::Args;
use stepdown_wire::operator::Plan;
use stepdown_wire::operator::get_plan_request::Supposed;
use tokio::time::{Instant, sleep};

use super::client::Client;
use super::error::AdminCommandError;
use super::plan;
use super::progress::Progress;
use super::{Answer, parse_duration};

/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// Flags of a change that is over at some time.
#[derive(Clone, Debug, Args)]
pub(super) struct EffectArgs {
    #[command(flatten)]
    forecast: ForecastArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Whether only to show what a change has for an effect.
#[derive(Clone, Debug, Args)]
pub(super) struct ForecastArgs {
    /// Change nothing, and show what would be moved, made and deleted
    #[arg(long)]
    dry_run: bool,
}

/// Whether to wait for an effect.
#[derive(Clone, Debug, Args)]
pub(super) struct WaitArgs {
    /// Wait until it has had its effect, for as long as this
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "10m",
        value_parser = parse_duration)]
    wait: Option<Duration>,
}

impl EffectArgs {
    /// What would come of the change, if that is all that is asked for.
    pub(super) async fn forecast(
        &self,
        client: &Client,
        supposed: impl FnOnce() -> Supposed,
    ) -> Result<Option<Answer>, AdminCommandError> {
        self.forecast.forecast(client, supposed).await
    }

    /// Waits until nothing is missing, if that is asked for.
    pub(super) async fn wait(
        &self,
        client: &Client,
        missing: impl Fn(&Plan) -> Option<String>,
    ) -> Result<(), AdminCommandError> {
        self.wait.wait(client, missing).await
    }
}

impl ForecastArgs {
    pub(super) async fn forecast(
        &self,
        client: &Client,
        supposed: impl FnOnce() -> Supposed,
    ) -> Result<Option<Answer>, AdminCommandError> {
        if !self.dry_run {
            return Ok(None);
        }
        let plan = client.plan(Some(supposed())).await?;
        Ok(Some(plan::answer(&plan)))
    }
}

impl WaitArgs {
    pub(super) async fn wait(
        &self,
        client: &Client,
        missing: impl Fn(&Plan) -> Option<String>,
    ) -> Result<(), AdminCommandError> {
        let Some(within) = self.wait else {
            return Ok(());
        };
        let deadline = Instant::now() + within;
        let mut progress = Progress::begin();
        loop {
            let what = match client.plan(None).await {
                Ok(plan) => match missing(&plan) {
                    Some(what) => what,
                    None => return Ok(()),
                },
                // Another one leads in a moment.
                Err(error) if error.is_passing() => error.to_string(),
                Err(error) => return Err(error),
            };
            if Instant::now() >= deadline {
                return Err(AdminCommandError::NotYet { within, what });
            }
            progress.tell(&what);
            sleep(LOOK).await;
        }
    }
}

/// What is missing until a new data server has its share.
pub(super) fn until_balanced(plan: &Plan, name: &str) -> Option<String> {
    let server = plan.servers.iter().find(|it| it.server == name);
    if !server.is_some_and(|it| it.configured) {
        return Some(format!("{name} is not in the configuration in force yet"));
    }
    if !server.is_some_and(|it| it.running) {
        return Some(format!("{name} does not run yet"));
    }
    let (moving, next) = (plan.under_way.len(), plan.moves.len());
    let (electing, then) = (plan.handed.len(), plan.handings.len());
    let is_paused = plan.balancer.is_some_and(|it| it.paused);
    let resting: u32 = plan.resting.iter().map(|it| it.shards).sum();
    if moving + next + electing + then == 0 && resting == 0 {
        return None;
    }
    let paused = if is_paused {
        "; the balancer is paused"
    } else {
        ""
    };
    Some(format!(
        "{moving} shards are being moved, {next} are to be; leaders: {electing} and {then}; {resting} could \
         not be moved, and are tried again{paused}"
    ))
}

/// What is missing until a data server that was taken out can be stopped.
pub(super) fn until_drained(plan: &Plan, name: &str) -> Option<String> {
    let server = plan.servers.iter().find(|it| it.server == name)?;
    if server.configured {
        return Some(format!("{name} is in the configuration in force still"));
    }
    let moving = plan.under_way.iter().filter(|it| it.from == name).count();
    let (left, to_delete) = (server.shards, server.to_delete);
    if left == 0 && to_delete == 0 {
        return None;
    }
    let stuck = plan.stuck.len();
    let stuck = match plan.stuck.first() {
        Some(first) if left > 0 => format!(
            "; {stuck} stuck, such as {}/{}: {}",
            first.namespace, first.shard, first.reason
        ),
        Some(_) | None => String::new(),
    };
    let mut waiting = plan.waiting.iter().filter(|it| it.server == name);
    let waiting = match waiting.next() {
        Some(it) if to_delete > 0 => format!(
            "; {} of those can't be deleted, such as {}/{}: {}",
            it.shards, it.namespace, it.first, it.reason
        ),
        Some(_) | None => String::new(),
    };
    Some(format!(
        "{name} is a member of {left} shards, of which {moving} are being moved, and has {to_delete} to \
         delete{stuck}{waiting}"
    ))
}

/// What is missing until a new namespace can be used.
pub(super) fn until_led(plan: &Plan, name: &str) -> Option<String> {
    let found = plan.namespaces.iter().find(|it| it.namespace == name);
    match found {
        Some(it) if it.shards > 0 && it.led == it.shards => None,
        Some(it) => Some(format!(
            "{} of {} shards of {name} are led",
            it.led, it.shards
        )),
        None => Some(format!("{name} is not made yet")),
    }
}

/// What is missing until nothing of a namespace is left.
pub(super) fn until_gone(plan: &Plan, name: &str) -> Option<String> {
    let found = plan.namespaces.iter().find(|it| it.namespace == name)?;
    let (kept, deleting) = (found.shards, found.deleting);
    let waiting = plan.waiting.iter().find(|it| it.namespace == name);
    let waiting = waiting.map_or_else(String::new, |it| {
        format!("; {} keeps what it has: {}", it.server, it.reason)
    });
    Some(format!(
        "{deleting} shards of {name} are being deleted, {kept} are to be{waiting}"
    ))
}
