//! Asks the nodes what people want of them. Any node says who leads; what only that one can do is
//! asked of it, and of the next one if another leads by then.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use stepdown_wire::raft as wire;
use stepdown_wire::raft::admin_client::AdminClient as Grpc;
use stepdown_wire::tls::{Connector, TlsOptions};
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::client_error::{AdminCallError, Refusal};
use crate::raft::network::{CallError, LARGEST_MESSAGE, dial};

/// For name resolution, TCP and TLS.
const DIAL: Duration = Duration::from_secs(2);
/// For what a node only has to look up.
const LOOK: Duration = Duration::from_secs(3);
/// For what a majority has to agree to, or a disk to take.
const CHANGE: Duration = Duration::from_secs(90);
/// How long an election may take.
const ELECTION: Duration = Duration::from_secs(8);
const AGAIN: Duration = Duration::from_millis(200);

/// The nodes, for whoever administers them.
pub struct AdminClient {
    addresses: Vec<String>,
    tls: Option<Connector>,
}

impl AdminClient {
    /// Asks the nodes at these addresses, over TLS or in plaintext. Nothing is sent yet.
    pub fn new(addresses: Vec<String>, tls: Option<&TlsOptions>) -> Result<Self, AdminCallError> {
        Ok(Self {
            addresses,
            tls: tls.map(Connector::new).transpose()?,
        })
    }

    /// What the node that answers first knows.
    pub async fn status(&self) -> Result<wire::StatusResponse, AdminCallError> {
        Ok(self.first(|_| true).await?.1)
    }

    /// What a node knows that knows who leads, or else the one that answers first.
    pub async fn overview(&self) -> Result<wire::StatusResponse, AdminCallError> {
        Ok(self.first(|status| led(status).is_some()).await?.1)
    }

    /// What a node knows of which this holds, or else the one that answers first; and the address
    /// at which it has answered.
    async fn first(
        &self,
        is_wanted: impl Fn(&wire::StatusResponse) -> bool,
    ) -> Result<(String, wire::StatusResponse), AdminCallError> {
        let ask = |address: String| async move {
            let status = self.status_of(&address).await;
            (address, status)
        };
        let mut asked: FuturesUnordered<_> = self.addresses.iter().cloned().map(ask).collect();
        let mut errors = Vec::new();
        let mut unwanted = None;
        while let Some((address, answer)) = asked.next().await {
            match answer {
                Ok(status) if is_wanted(&status) => return Ok((address, status)),
                Ok(status) => unwanted = unwanted.or(Some((address, status))),
                Err(error) => errors.push((address, error)),
            }
        }
        unwanted.ok_or(AdminCallError::NobodyAnswers(errors))
    }

    /// What the node at this address knows.
    pub async fn status_of(&self, address: &str) -> Result<wire::StatusResponse, CallError> {
        ask_status(address, self.tls.as_ref()).await
    }

    /// Takes a node in; to be asked for again until it is done.
    pub async fn add(
        &self,
        request: wire::AddRequest,
    ) -> Result<wire::AddResponse, AdminCallError> {
        self.ask_leader(request, |mut client, request| async move {
            client.add(request).await
        })
        .await
    }

    /// Takes a node out; to be asked for again where the leader has handed over for it.
    pub async fn remove(
        &self,
        request: wire::RemoveRequest,
    ) -> Result<wire::RemoveResponse, AdminCallError> {
        self.ask_leader(request, |mut client, request| async move {
            client.remove(request).await
        })
        .await
    }

    /// Hands leadership over.
    pub async fn transfer(
        &self,
        request: wire::TransferRequest,
    ) -> Result<wire::TransferResponse, AdminCallError> {
        self.ask_leader(request, |mut client, request| async move {
            client.transfer(request).await
        })
        .await
    }

    /// Makes a snapshot on the node that answers first; says which that is.
    pub async fn take_snapshot(
        &self,
    ) -> Result<(wire::StatusResponse, wire::TakeSnapshotResponse), AdminCallError> {
        let (address, status) = self.first(|_| true).await?;
        let request = wire::TakeSnapshotRequest {};
        let call =
            |mut client: Grpc<Channel>, request| async move { client.take_snapshot(request).await };
        let made = self.ask(&address, request, call).await;
        let made = made.map_err(|error| refused(&address, error))?;
        Ok((status, made))
    }

    /// Both documents.
    pub async fn export(&self) -> Result<wire::ExportResponse, AdminCallError> {
        self.ask_leader(wire::ExportRequest {}, |mut client, request| async move {
            client.export(request).await
        })
        .await
    }

    /// Puts a status in the place of what is there.
    pub async fn import_status(
        &self,
        request: wire::ImportStatusRequest,
    ) -> Result<wire::ImportStatusResponse, AdminCallError> {
        self.ask_leader(request, |mut client, request| async move {
            client.import_status(request).await
        })
        .await
    }

    /// Puts a configuration in the place of what is there.
    pub async fn import_configuration(
        &self,
        request: wire::ImportConfigurationRequest,
    ) -> Result<wire::ImportConfigurationResponse, AdminCallError> {
        self.ask_leader(request, |mut client, request| async move {
            client.import_configuration(request).await
        })
        .await
    }

    async fn ask_leader<Q: Clone, A, F>(
        &self,
        request: Q,
        call: impl Fn(Grpc<Channel>, Q) -> F,
    ) -> Result<A, AdminCallError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let until = Instant::now() + ELECTION;
        loop {
            let leader = self.leader().await?;
            match self.ask(&leader.address, request.clone(), &call).await {
                Ok(answer) => return Ok(answer),
                Err(error) if was_not_taken(&error) && Instant::now() < until => {
                    sleep(AGAIN).await;
                }
                Err(error) if is_silence(&error) => {
                    return Err(AdminCallError::LeaderSilent {
                        leader: Box::new(leader),
                        error,
                    });
                }
                Err(error) => return Err(refused(&leader.address, error)),
            }
        }
    }

    /// Who leads, as a node says. An election that is under way is waited for.
    async fn leader(&self) -> Result<wire::MemberStatus, AdminCallError> {
        let until = Instant::now() + ELECTION;
        loop {
            let (asked, status) = self.first(|status| led(status).is_some()).await?;
            if let Some(leader) = led(&status) {
                return Ok(leader.clone());
            }
            if Instant::now() >= until {
                return Err(AdminCallError::NobodyLeads { asked });
            }
            sleep(AGAIN).await;
        }
    }

    async fn ask<Q, A, F>(
        &self,
        address: &str,
        request: Q,
        call: impl Fn(Grpc<Channel>, Q) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let client = client(address, self.tls.as_ref())?;
        match timeout(CHANGE, call(client, request)).await {
            Ok(answer) => Ok(answer?.into_inner()),
            Err(_) => Err(CallError::TimedOut(CHANGE)),
        }
    }
}

/// Who leads, as a node says.
fn led(status: &wire::StatusResponse) -> Option<&wire::MemberStatus> {
    let leader = status.leader?;
    status.members.iter().find(|member| member.node == leader)
}

/// What the node at this address knows.
pub(super) async fn ask_status(
    address: &str,
    tls: Option<&Connector>,
) -> Result<wire::StatusResponse, CallError> {
    let mut client = client(address, tls)?;
    match timeout(LOOK, client.status(wire::StatusRequest {})).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(CallError::TimedOut(LOOK)),
    }
}

fn client(address: &str, tls: Option<&Connector>) -> Result<Grpc<Channel>, CallError> {
    let channel = dial(address, tls, DIAL)?;
    Ok(Grpc::new(channel)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE))
}

fn refused(address: &str, error: CallError) -> AdminCallError {
    AdminCallError::Refused(Refusal {
        address: address.to_owned(),
        error,
    })
}

/// Whether nothing was done: another leads by now, or soon does; there was no room for it; or the node has
/// ended, and nobody has noticed yet.
fn was_not_taken(error: &CallError) -> bool {
    is_from_a_follower(error) || is_full(error) || is_unreachable(error)
}

fn is_from_a_follower(error: &CallError) -> bool {
    is_refused_by(error, Code::Aborted)
}

/// Whether others have filled the node.
fn is_full(error: &CallError) -> bool {
    is_refused_by(error, Code::ResourceExhausted)
}

fn is_refused_by(error: &CallError, by: Code) -> bool {
    matches!(error, CallError::Refused { code, .. } if *code == by)
}

/// Whether there was no connection to ask by.
fn is_unreachable(error: &CallError) -> bool {
    match error {
        CallError::Refused { cause, .. } => cause
            .as_ref()
            .is_some_and(|cause| cause.contains("onnection refused")),
        CallError::Address { .. }
        | CallError::Forgotten(_)
        | CallError::Malformed(_)
        | CallError::Stalled(_)
        | CallError::Stranger(_)
        | CallError::TimedOut(_) => false,
    }
}

/// Whether nothing was heard, rather than a no.
fn is_silence(error: &CallError) -> bool {
    match error {
        CallError::Refused { cause, .. } => cause.is_some(),
        CallError::Address { .. } | CallError::TimedOut(_) => true,
        CallError::Forgotten(_)
        | CallError::Malformed(_)
        | CallError::Stalled(_)
        | CallError::Stranger(_) => false,
    }
}
