//! The methods that upstream's admin API does not have.

use std::time::Duration;

use stepdown_backends::boottime;
use stepdown_core::balance::{HeldBack, Survey};
use stepdown_core::cluster::ClusterConfiguration;
use stepdown_wire::operator::operator_server::Operator;
use stepdown_wire::operator::{
    Balancer, ForgetDataServerRequest, ForgetDataServerResponse, GetPlanRequest, Plan,
    SetBalancerRequest, SetBalancerResponse,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tonic::{Extensions, Request, Response, Status, async_trait};

use super::method::Method;
use super::plan::{balancer, told};
use super::refusals::{HELD_BACK, REFUSED};
use super::service::Admin;
use super::supposed::{Present, check_is_about, supposed};
use super::target::Target;

/// How long it may take to tell how the balancer is, once it was changed.
const MOMENT: Duration = Duration::from_millis(500);

fn unplanned(held: &HeldBack) -> String {
    let seconds = held.until.since(boottime()).as_secs();
    format!(
        "no configuration is in force yet, so nothing is planned: the one that was read would DELETE {}, and is held \
         back for {seconds} s more, and until it was read once more",
        held.namespaces.join(", ")
    )
}

impl Admin {
    async fn plan(&self, extensions: &Extensions, asked: GetPlanRequest) -> Result<Plan, Status> {
        let only = Some(asked.namespace).filter(|it| !it.is_empty());
        let caller = self.check(Method::GetPlan, extensions, only.as_deref())?;
        if let Some(supposed) = &asked.supposed {
            self.access.check_supposed(&caller)?;
            only.as_deref()
                .map_or(Ok(()), |only| check_is_about(supposed, only))?;
        }
        // With thousands of shards it takes its time, whoever still waits for it: so one after the other.
        let turn = self.planning.clone().acquire_owned().await;
        let turn = turn.map_err(|_| Status::unavailable("this coordinator ends"))?;
        let survey = self.survey().await?;
        // A change would be made of this one.
        let latest = self.latest.configuration();
        let is_own = self.latest.is_own();
        let is_refused = self.latest.is_refused();
        let planned = spawn_blocking(move || {
            let _turn = turn;
            let present = Present {
                configuration: latest.unwrap_or_else(|| survey.configuration.clone()),
                status: survey.stored.clone(),
                obstacle: match &survey.held {
                    _ if is_refused => Some(REFUSED),
                    Some(_) if !is_own => Some(HELD_BACK),
                    Some(_) | None => None,
                },
            };
            let other = asked.supposed.map(|it| supposed(&present, it));
            let other = other.transpose()?;
            Ok(told(survey, other, only.as_deref()))
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
                    match self.operator.held_back().await {
                        Some(held) => unplanned(&held),
                        None => "no configuration is in force, so nothing is planned: there is none, or it is \
                                 refused, which the log says"
                            .to_owned(),
                    },
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
        let survey = timeout(MOMENT, self.survey()).await;
        let known = survey.ok().and_then(Result::ok);
        let known = known.map(|it| balancer(&it, &it.configuration));
        let balancer = Some(Balancer {
            // It comes into force a moment later.
            paused: asked.paused,
            ..known.unwrap_or_default()
        });
        Ok(SetBalancerResponse { balancer })
    }
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
