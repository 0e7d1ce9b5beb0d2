//! The way to the coordinator that leads.

use stepdown_wire::error::{COORDINATOR_LEADER, Reason, info_of, reason_of};
use stepdown_wire::v1::oxia_admin_client::OxiaAdminClient;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::credentials::Credentials;
use super::error::AdminCommandError;
use super::way::Way;

/// Asks one coordinator after the other.
pub(super) struct Client {
    way: Way,
    credentials: Credentials,
}

impl Client {
    pub(super) fn new(address: String, credentials: Credentials) -> Self {
        Self {
            way: Way::new(address),
            credentials,
        }
    }

    /// Makes a call to whoever leads. One that does not lead has done nothing, so it can be made again.
    pub(super) async fn call<Q: Clone, A, F>(
        mut self,
        request: Q,
        call: impl Fn(OxiaAdminClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, AdminCommandError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        loop {
            let channel = self.credentials.connect(&self.way).await?;
            let client = OxiaAdminClient::new(channel);
            let status = match call(client, self.credentials.sign(request.clone())).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let Some(leader) = leader(&status) else {
                return Err(AdminCommandError::Refused {
                    way: self.way,
                    status: Box::new(status),
                });
            };
            if !self.way.go_on(&leader) {
                let way = self.way;
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
