//! The way to the coordinator that leads.

use stepdown_wire::error::{COORDINATOR_LEADER, Reason, info_of, reason_of};
use stepdown_wire::v1::oxia_admin_client::OxiaAdminClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use super::error::AdminCommandError;

/// How often the way is shown on.
const HOPS: u32 = 3;

/// Asks one coordinator after the other.
pub(super) struct Client {
    address: String,
}

impl Client {
    pub(super) fn new(address: String) -> Self {
        Self { address }
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
        let mut hops = 0;
        loop {
            let client = self.connect().await?;
            let status = match call(client, Request::new(request.clone())).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            match leader(&status).filter(|leader| *leader != self.address && hops < HOPS) {
                Some(leader) => self.address = leader,
                None => return Err(AdminCommandError::Refused(Box::new(status))),
            }
            hops += 1;
        }
    }

    async fn connect(&self) -> Result<OxiaAdminClient<Channel>, AdminCommandError> {
        let address = self.address.clone();
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| AdminCommandError::Address {
            address: address.clone(),
            error,
        })?;
        match endpoint.connect().await {
            Ok(channel) => Ok(OxiaAdminClient::new(channel)),
            Err(error) => Err(AdminCommandError::Connect { address, error }),
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
