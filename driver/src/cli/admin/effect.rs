//! What a change has for an effect: to see it before, and to wait for it.

use std::time::Duration;

use clap::Args;
use stepdown_wire::operator::get_plan_request::Supposed;
use stepdown_wire::operator::{GetPlanRequest, Plan};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::client::Client;
use super::error::AdminCommandError;
use super::plan;
use super::progress::Progress;
use super::{Answer, parse_duration};
use crate::cli::visible::visible;

/// How often it is looked how far it is, and how long at least each look may take.
const LOOK: Duration = Duration::from_millis(500);

/// Flags of a change that is over at some time.
#[derive(Clone, Debug, Args)]
pub(super) struct EffectArgs {
    /// Change nothing, and show what would be moved, made and deleted
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
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
    /// Wait until all of it is done: for 10m, or for as long as this, and no longer; what takes longer goes on
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "10m",
        value_parser = parse_duration)]
    wait: Option<Duration>,
}

/// A change, as what it would lead to is asked for.
pub(super) fn of_cluster(supposed: Supposed) -> GetPlanRequest {
    GetPlanRequest {
        supposed: Some(supposed),
        ..GetPlanRequest::default()
    }
}

/// The same, by whoever may look at this namespace only.
pub(super) fn of_namespace(namespace: &str, supposed: Supposed) -> GetPlanRequest {
    GetPlanRequest {
        namespace: namespace.to_owned(),
        ..of_cluster(supposed)
    }
}

impl EffectArgs {
    /// Makes a change, and waits until nothing is missing of its effect, if that is asked for; or shows only what
    /// would come of it.
    pub(super) async fn make(
        &self,
        client: &Client,
        supposed: GetPlanRequest,
        change: impl Future<Output = Result<Answer, AdminCommandError>>,
        missing: impl Fn(&Plan) -> Option<String>,
    ) -> Result<Answer, AdminCommandError> {
        let forecast = ForecastArgs {
            dry_run: self.dry_run,
        };
        let Some(within) = self.wait.wait else {
            return forecast.make(client, supposed, change).await;
        };
        let mut lookout = Lookout::new(client, supposed.namespace);
        // Who may change it may not be allowed to look: better known before.
        lookout.look(|_| None).await?;
        let answer = change.await?;
        match lookout.wait(within, missing).await {
            Ok(()) => Ok(answer),
            Err(late @ AdminCommandError::NotYet { .. }) => Err(late),
            Err(error) => Err(AdminCommandError::NotAwaited(Box::new(error))),
        }
    }
}

impl ForecastArgs {
    /// Makes a change, or shows only what would come of it.
    pub(super) async fn make(
        &self,
        client: &Client,
        supposed: GetPlanRequest,
        change: impl Future<Output = Result<Answer, AdminCommandError>>,
    ) -> Result<Answer, AdminCommandError> {
        if !self.dry_run {
            return change.await;
        }
        let plan = client.plan(supposed).await?;
        Ok(plan::answer(&plan))
    }
}

impl WaitArgs {
    /// Waits until nothing is missing, if that is asked for.
    pub(super) async fn wait(
        &self,
        client: &Client,
        missing: impl Fn(&Plan) -> Option<String>,
    ) -> Result<(), AdminCommandError> {
        match self.wait {
            Some(within) => {
                let mut lookout = Lookout::new(client, String::new());
                lookout.wait(within, missing).await
            }
            None => Ok(()),
        }
    }

    pub(super) fn is_asked_for(&self) -> bool {
        self.wait.is_some()
    }
}

/// Looks again and again.
struct Lookout<'a> {
    client: &'a Client,
    asked: GetPlanRequest,
    /// Whether anybody has ever answered.
    is_answered: bool,
}

impl<'a> Lookout<'a> {
    fn new(client: &'a Client, namespace: String) -> Self {
        Self {
            client,
            asked: GetPlanRequest {
                namespace,
                ..GetPlanRequest::default()
            },
            is_answered: false,
        }
    }

    /// What is missing, or why that can't be seen just now.
    async fn look(
        &mut self,
        missing: impl Fn(&Plan) -> Option<String>,
    ) -> Result<Option<String>, AdminCommandError> {
        match self.client.plan(self.asked.clone()).await {
            Ok(plan) => {
                self.is_answered = true;
                Ok(missing(&plan).map(|it| visible(&it)))
            }
            Err(error) => {
                self.is_answered |= error.is_answer();
                // Another one leads in a moment; but where nobody has ever been, nobody will be.
                if self.is_answered && error.is_passing() {
                    Ok(Some(error.to_string()))
                } else {
                    Err(error)
                }
            }
        }
    }

    async fn wait(
        &mut self,
        within: Duration,
        missing: impl Fn(&Plan) -> Option<String>,
    ) -> Result<(), AdminCommandError> {
        let deadline = Instant::now() + within;
        let mut progress = Progress::begin();
        let mut what = "no coordinator has answered".to_owned();
        loop {
            let next = Instant::now() + LOOK;
            match timeout_at(deadline.max(next), self.look(&missing)).await {
                Ok(Ok(Some(still))) => what = still,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                // The last look has said what is missing.
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                return Err(AdminCommandError::NotYet { within, what });
            }
            progress.tell(&what);
            sleep_until(next.min(deadline)).await;
        }
    }
}
