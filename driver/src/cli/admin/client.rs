//! The way to the coordinator that leads.

use std::time::Duration;

use stepdown_wire::error::{COORDINATOR_LEADER, Reason, info_of, reason_of};
use stepdown_wire::operator::operator_client::OperatorClient;
use stepdown_wire::operator::{GetPlanRequest, Plan};
use stepdown_wire::v1::oxia_admin_client::OxiaAdminClient;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::credentials::Credentials;
use super::error::AdminCommandError;
use super::way::Way;

/// The largest answer, in bytes: a plan names each shard that is to be moved, and a list of namespaces each shard.
const ANSWER: usize = 64 << 20;

/// Asks one coordinator after the other.
pub(super) struct Client {
    address: String,
    credentials: Credentials,
    within: Duration,
}

impl Client {
    /// Each call may take so long.
    pub(super) fn new(address: String, credentials: Credentials, within: Duration) -> Self {
        Self {
            address,
            credentials,
            within,
        }
    }

    /// Makes a call of the admin API to whoever leads. One that does not lead has done nothing, so it can
    /// be made again.
    pub(super) async fn call<Q: Clone, A, F>(
        &self,
        request: Q,
        call: impl Fn(OxiaAdminClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, AdminCommandError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let call = |channel, request| {
            let client = OxiaAdminClient::new(channel).max_decoding_message_size(ANSWER);
            call(client, request)
        };
        self.ask_in_time(request, call).await
    }

    /// The same, of what upstream's admin API does not have.
    pub(super) async fn operate<Q: Clone, A, F>(
        &self,
        request: Q,
        call: impl Fn(OperatorClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, AdminCommandError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let call = |channel, request| {
            let client = OperatorClient::new(channel).max_decoding_message_size(ANSWER);
            call(client, request)
        };
        self.ask_in_time(request, call).await
    }

    /// What is to be moved, or would be.
    pub(super) async fn plan(&self, asked: GetPlanRequest) -> Result<Plan, AdminCommandError> {
        self.operate(asked, async |mut it, request| it.get_plan(request).await)
            .await
    }

    async fn ask_in_time<Q: Clone, A, F>(
        &self,
        request: Q,
        call: impl Fn(Channel, Request<Q>) -> F,
    ) -> Result<A, AdminCommandError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let asked = tokio::time::timeout(self.within, self.ask(request, call)).await;
        asked.unwrap_or(Err(AdminCommandError::TimedOut(self.within)))
    }

    async fn ask<Q: Clone, A, F>(
        &self,
        request: Q,
        call: impl Fn(Channel, Request<Q>) -> F,
    ) -> Result<A, AdminCommandError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut way = Way::new(self.address.clone());
        loop {
            let channel = self.credentials.connect(&way).await?;
            let status = match call(channel, self.credentials.sign(request.clone())).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let Some(leader) = leader(&status) else {
                let status = Box::new(status);
                return Err(AdminCommandError::Refused { way, status });
            };
            if !way.go_on(&leader) {
                return Err(AdminCommandError::NoLeader { way, leader });
            }
        }
    }
}

/// The address of the leader, where an answer names it.
fn leader(status: &Status) -> Option<String> {
    if reason_of(status) != Some(Reason::NodeIsNotLeader) {
        return None;
    }
    let mut info = info_of(status)?;
    info.metadata.remove(COORDINATOR_LEADER)
}
