//! The methods that upstream's admin API does not have.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepdown_core::balance::Survey;
use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus};
use stepdown_core::{ServerId, ServerState};
use stepdown_wire::operator::operator_server::Operator;
use stepdown_wire::operator::{
    Balancer, ForgetDataServerRequest, ForgetDataServerResponse, GetPlanRequest, Plan,
    SetBalancerRequest, SetBalancerResponse,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tonic::{Extensions, Request, Response, Status, async_trait};

use super::method::Method;
use super::office::Seen;
use super::plan::{balancer, supposed, told};
use super::refusals::not_written_down;
use super::service::Admin;
use super::target::Target;
use crate::audit::{Change, Outcome};

/// How long shards may take to be stored without a server that is given up.
const PATIENCE: Duration = Duration::from_secs(5);

impl Admin {
    async fn plan(&self, extensions: &Extensions, asked: GetPlanRequest) -> Result<Plan, Status> {
        self.check(Method::GetPlan, extensions, None)?;
        // With thousands of shards it takes its time, whoever still waits for it: so one after the other.
        let turn = self.planning.clone().acquire_owned().await;
        let turn = turn.map_err(|_| Status::unavailable("this coordinator ends"))?;
        let survey = self.survey().await?;
        let planned = spawn_blocking(move || {
            let _turn = turn;
            let now = || ClusterConfiguration::clone(&survey.configuration);
            let other = asked.supposed.map(|it| supposed(now(), it)).transpose()?;
            Ok(told(survey, other))
        });
        planned
            .await
            .unwrap_or_else(|error| Err(Status::internal(error.to_string())))
    }

    async fn survey(&self) -> Result<Survey, Status> {
        self.office.open()?;
        match self.operator.survey().await {
            Some(survey) => Ok(survey),
            None => {
                // It may have left office meanwhile.
                self.office.open()?;
                Err(Status::failed_precondition(
                    "no configuration is in force, so nothing is planned: there is none, or it is held back \
                     since it would delete much",
                ))
            }
        }
    }

    async fn balancer(
        &self,
        extensions: &Extensions,
        asked: SetBalancerRequest,
    ) -> Result<SetBalancerResponse, Status> {
        let edit = |it: &mut ClusterConfiguration, paused: &bool| {
            it.load_balancer.paused = *paused;
            Ok(())
        };
        let paused = Ok(asked.paused);
        self.change(
            Method::SetBalancer,
            extensions,
            Target::Balancer,
            paused,
            edit,
        )
        .await?;
        let survey = self.survey().await.ok();
        let balancer = survey.map(|it| Balancer {
            // It comes into force a moment later.
            paused: asked.paused,
            ..balancer(&it, &it.configuration)
        });
        Ok(SetBalancerResponse { balancer })
    }

    async fn forget(
        &self,
        extensions: &Extensions,
        name: String,
    ) -> Result<ForgetDataServerResponse, Status> {
        const METHOD: Method = Method::ForgetDataServer;
        let caller = self.check(METHOD, extensions, None)?;
        let seen = self.office.open()?;
        if name.is_empty() {
            return Err(Status::invalid_argument(
                "data server name must not be empty",
            ));
        }
        let id = ServerId(name.as_str().into());
        let before = self.may_be_forgotten(&id, &seen)?;
        let left = |left: u32| json!({"shards that wait for it": left});
        let change = Change {
            caller: &caller,
            action: METHOD.name(),
            target: &Target::DataServer(name).to_string(),
            before: left(before),
            after: Value::Null,
            epoch: seen.epoch.map(|it| it.0),
        };
        let record = self.audit.begin(change).await;
        let record = record.map_err(|error| not_written_down(&error))?;
        self.operator.give_up(id.clone()).await;
        let after = self.awaited(&id).await;
        let outcome = match &after {
            Ok(0) => Outcome::Done,
            Ok(left) => Outcome::Failed(format!("{left} shards wait still")),
            Err(_) => Outcome::Unknown,
        };
        // The log says if that can't be written; what is done is done.
        let _ = record.end(outcome).await;
        Ok(ForgetDataServerResponse {
            shards: before,
            left: after?,
        })
    }

    /// How many shards wait for it, if it can be given up.
    fn may_be_forgotten(&self, id: &ServerId, seen: &Seen) -> Result<u32, Status> {
        let configuration = self.latest.configuration().unwrap_or_default();
        if configuration.servers.iter().any(|it| it.id() == *id) {
            return Err(Status::failed_precondition(format!(
                "{id} is configured: take it out first (stepdown admin data-server delete {id}), and wait until its \
                 shards have left it (stepdown admin data-server drain-status {id})"
            )));
        }
        let state = seen.servers.get(id).map(|it| it.state);
        if matches!(state, Some(ServerState::Running | ServerState::Draining)) {
            return Err(Status::failed_precondition(format!(
                "{id} runs, or did a moment ago, and deletes what it has once it is asked to: stop it for good \
                 first, if that is not to be"
            )));
        }
        let members = seen.status.shards();
        let members = members.filter(|(_, _, shard)| {
            let mut members = shard.ensemble.iter().chain(&shard.removed_nodes);
            !shard.is_deleting() && members.any(|it| it.id() == *id)
        });
        match (members.count(), waiting(&seen.status, id)) {
            (0, 0) => Err(Status::not_found(format!(
                "no shard waits for a data server {id}: there is nothing to forget"
            ))),
            (0, waiting) => Ok(waiting),
            (members, _) => Err(Status::failed_precondition(format!(
                "{id} is a member of {members} shards still: nobody forgets it before they have left it (stepdown \
                 admin data-server drain-status {id})"
            ))),
        }
    }

    /// How many shards wait for it still, once that does not change any more.
    async fn awaited(&self, id: &ServerId) -> Result<u32, Status> {
        let mut view = self.office.view.clone();
        let is_done = |status: &Option<Arc<ClusterStatus>>| {
            status
                .as_ref()
                .is_none_or(|status| waiting(status, id) == 0)
        };
        // Where it takes longer, the answer says how many are left.
        let _ = timeout(PATIENCE, view.wait_for(|view| is_done(&view.status))).await;
        Ok(waiting(&self.office.open()?.status, id))
    }
}

/// How many shards wait for a data server to delete what it had.
fn waiting(status: &ClusterStatus, id: &ServerId) -> u32 {
    let shards = status.shards().filter(|(_, _, shard)| {
        let pending = shard.pending_delete_shard_nodes.iter();
        let members = shard.ensemble.iter().chain(&shard.removed_nodes);
        let members = members.filter(|_| shard.is_deleting());
        pending.chain(members).any(|it| it.id() == *id)
    });
    u32::try_from(shards.count()).unwrap_or(u32::MAX)
}

#[async_trait]
impl Operator for Admin {
    async fn get_plan(&self, request: Request<GetPlanRequest>) -> Result<Response<Plan>, Status> {
        let (_, extensions, asked) = request.into_parts();
        let answer = self.plan(&extensions, asked);
        self.count(Method::GetPlan, answer).await
    }

    async fn forget_data_server(
        &self,
        request: Request<ForgetDataServerRequest>,
    ) -> Result<Response<ForgetDataServerResponse>, Status> {
        let (_, extensions, asked) = request.into_parts();
        let answer = self.forget(&extensions, asked.data_server);
        self.count(Method::ForgetDataServer, answer).await
    }

    async fn set_balancer(
        &self,
        request: Request<SetBalancerRequest>,
    ) -> Result<Response<SetBalancerResponse>, Status> {
        let (_, extensions, asked) = request.into_parts();
        let answer = self.balancer(&extensions, asked);
        self.count(Method::SetBalancer, answer).await
    }
}
