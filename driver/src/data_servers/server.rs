//! One data server: its clients, its limits, its deadlines.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{Answer, Call, CallError};
use stepdown_wire::replication::oxia_coordination_client::OxiaCoordinationClient;
use stepdown_wire::replication::oxia_log_replication_client::OxiaLogReplicationClient;
use stepdown_wire::replication::{GetInfoRequest, HandshakeRequest};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer;
use tower::util::Either;

use super::convert;
use super::failure::{call_error, stream_ended, timed_out};
use super::limits::{Class, Limits};
use super::link::Link;
use super::options::CallOptions;
use crate::gate::Gate;
use crate::observe::metrics::RpcCounter;

/// The largest answer, in bytes: a hundred times what any server has to say. More than a thousand may be on
/// their way at once.
const LARGEST_ANSWER: usize = 64 << 10;

/// The connection, counted if somebody counts.
type Transport = Either<RpcCounter<Link>, Link>;

/// One data server.
pub(super) struct Server {
    coordination: OxiaCoordinationClient<Transport>,
    replication: OxiaLogReplicationClient<Transport>,
    health: HealthClient<Transport>,
    limits: Limits,
    deadline: Duration,
    health_deadline: Duration,
}

impl Server {
    pub fn new(link: Link, origin: Uri, options: &CallOptions) -> Self {
        let transport = match &options.counters {
            Some(counters) => Either::Left(counters.layer(link)),
            None => Either::Right(link),
        };
        Self {
            coordination: OxiaCoordinationClient::with_origin(transport.clone(), origin.clone())
                .max_decoding_message_size(LARGEST_ANSWER),
            replication: OxiaLogReplicationClient::with_origin(transport.clone(), origin.clone())
                .max_decoding_message_size(LARGEST_ANSWER),
            health: HealthClient::with_origin(transport, origin)
                .max_decoding_message_size(LARGEST_ANSWER),
            limits: Limits::new(options.ordinary_calls, options.lasting_calls),
            deadline: options.deadline,
            health_deadline: options.health_deadline,
        }
    }

    /// Makes a call once it is its turn. Until then it is small: tens of thousands may wait.
    pub async fn call(
        &self,
        call: Call,
        instance_id: &str,
        gate: Option<&Gate>,
    ) -> Result<Answer, Failure> {
        let _turn = match turn_of(&call) {
            Some((class, method)) => {
                let turn = self.limits.turn(class, method, self.deadline).await;
                Some(turn.map_err(Failure::Ours)?)
            }
            None => None,
        };
        Box::pin(self.make(call, instance_id, gate)).await
    }

    async fn make(
        &self,
        call: Call,
        instance_id: &str,
        gate: Option<&Gate>,
    ) -> Result<Answer, Failure> {
        match call {
            Call::AddFollower(call) => {
                let request = convert::add_follower(&call);
                let ask = self.ask(
                    "AddFollower",
                    request,
                    gate,
                    |mut client, request| async move { client.add_follower(request).await },
                );
                ask.await?;
                Ok(Answer::FollowerAdded)
            }
            Call::BecomeLeader(call) => {
                let request = convert::become_leader(&call);
                let ask = self.ask(
                    "BecomeLeader",
                    request,
                    gate,
                    |mut client, request| async move { client.become_leader(request).await },
                );
                ask.await?;
                Ok(Answer::BecameLeader)
            }
            Call::CheckHealth => self.check_health(gate).await,
            Call::DeleteShard(call) => {
                let request = convert::delete_shard(&call);
                let ask = self.ask(
                    "DeleteShard",
                    request,
                    gate,
                    |mut client, request| async move { client.delete_shard(request).await },
                );
                ask.await?;
                Ok(Answer::ShardDeleted)
            }
            Call::GetStatus { shard } => {
                let request = convert::get_status(shard);
                let ask = self.ask(
                    "GetStatus",
                    request,
                    gate,
                    |mut client, request| async move { client.get_status(request).await },
                );
                convert::status(&ask.await?).map_err(Failure::Nonsense)
            }
            Call::Handshake => self.handshake(instance_id, gate).await,
            Call::NewTerm(call) => {
                let asked = call.term;
                let request = convert::new_term(&call);
                let ask = self.ask("NewTerm", request, gate, |mut client, request| async move {
                    client.new_term(request).await
                });
                convert::fenced(asked, ask.await?).map_err(Failure::Nonsense)
            }
            Call::Truncate(call) => {
                let asked = call.term;
                let request = convert::truncate(&call);
                let mut client = self.replication.clone();
                let ask = self.ask("Truncate", request, gate, |_, request| async move {
                    client.truncate(request).await
                });
                convert::truncated(asked, ask.await?).map_err(Failure::Nonsense)
            }
        }
    }

    /// Servers older than `Handshake` can't be bound: for them, knowing their features is all.
    async fn handshake(&self, instance_id: &str, gate: Option<&Gate>) -> Result<Answer, Failure> {
        let request = HandshakeRequest {
            instance_id: instance_id.to_owned(),
        };
        let ask = self.ask(
            "Handshake",
            request,
            gate,
            |mut client, request| async move { client.handshake(request).await },
        );
        match ask.await {
            Ok(response) => return convert::handshaken(&response).map_err(Failure::Nonsense),
            Err(Failure::Answer(status)) if status.code() == Code::Unimplemented => {}
            Err(failure) => return Err(failure),
        }
        let request = GetInfoRequest {};
        let ask = self.ask("GetInfo", request, gate, |mut client, request| async move {
            client.get_info(request).await
        });
        Ok(convert::informed(&ask.await?))
    }

    async fn check_health(&self, gate: Option<&Gate>) -> Result<Answer, Failure> {
        let mut client = self.health.clone();
        let deadline = self.health_deadline;
        let mut request = within(deadline, whole_server());
        if let Some(gate) = gate {
            request.extensions_mut().insert(gate.clone());
        }
        let answer = timeout(deadline, client.check(request)).await;
        let response = answer
            .map_err(|_| Failure::Ours(timed_out("Health/Check", deadline)))?
            .map_err(Failure::Answer)?;
        Ok(Answer::Health {
            serving: response.get_ref().status == ServingStatus::Serving as i32,
        })
    }

    /// The client for a health watch.
    pub fn health(&self) -> HealthClient<Transport> {
        self.health.clone()
    }

    pub async fn push(&self, assignments: watch::Receiver<Arc<ShardAssignments>>) -> CallError {
        let messages = WatchStream::new(assignments).map(|latest| convert::assignments(&latest));
        let mut client = self.coordination.clone();
        match client.push_shard_assignments(messages).await {
            Ok(_) => stream_ended("PushShardAssignments"),
            Err(status) => call_error(&status),
        }
    }

    /// One call with one answer, within the deadline.
    async fn ask<Q, A, F>(
        &self,
        method: &'static str,
        request: Q,
        gate: Option<&Gate>,
        send: impl FnOnce(OxiaCoordinationClient<Transport>, Request<Q>) -> F,
    ) -> Result<A, Failure>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut request = within(self.deadline, request);
        if let Some(gate) = gate {
            request.extensions_mut().insert(gate.clone());
        }
        match timeout(self.deadline, send(self.coordination.clone(), request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Failure::Answer(status)),
            Err(_) => Err(Failure::Ours(timed_out(method, self.deadline))),
        }
    }
}

/// On which allowance a call draws; checks of health wait for no turn.
fn turn_of(call: &Call) -> Option<(Class, &'static str)> {
    Some(match call {
        Call::AddFollower(_) => (Class::Lasting, "AddFollower"),
        Call::BecomeLeader(_) => (Class::Lasting, "BecomeLeader"),
        Call::CheckHealth => return None,
        Call::DeleteShard(_) => (Class::Ordinary, "DeleteShard"),
        Call::GetStatus { .. } => (Class::Ordinary, "GetStatus"),
        Call::Handshake => (Class::Ordinary, "Handshake"),
        Call::NewTerm(_) => (Class::Ordinary, "NewTerm"),
        Call::Truncate(_) => (Class::Ordinary, "Truncate"),
    })
}

/// The service "".
pub(super) fn whole_server() -> HealthCheckRequest {
    HealthCheckRequest::default()
}

/// Tells the server the deadline as well, so that it does not work for nobody.
fn within<T>(deadline: Duration, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

/// Why a call failed, before it is known what that means.
pub(super) enum Failure {
    Answer(Status),
    /// The answer can't be understood, or can't be.
    Nonsense(CallError),
    Ours(CallError),
}

impl Failure {
    pub(super) fn into_error(self) -> CallError {
        match self {
            Self::Answer(status) => call_error(&status),
            Self::Nonsense(error) | Self::Ours(error) => error,
        }
    }
}
