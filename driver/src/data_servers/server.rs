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

    pub async fn call(
        &self,
        call: Call,
        instance_id: &str,
        gate: Option<&Gate>,
    ) -> Result<Answer, Failure> {
        match call {
            Call::AddFollower(call) => {
                let turn = (Class::Lasting, "AddFollower");
                let request = convert::add_follower(&call);
                self.ask(turn, request, gate, |mut client, request| async move {
                    client.add_follower(request).await
                })
                .await?;
                Ok(Answer::FollowerAdded)
            }
            Call::BecomeLeader(call) => {
                let turn = (Class::Lasting, "BecomeLeader");
                let request = convert::become_leader(&call);
                self.ask(turn, request, gate, |mut client, request| async move {
                    client.become_leader(request).await
                })
                .await?;
                Ok(Answer::BecameLeader)
            }
            Call::CheckHealth => self.check_health(gate).await,
            Call::GetStatus { shard } => {
                let turn = (Class::Ordinary, "GetStatus");
                let request = convert::get_status(shard);
                let response = self
                    .ask(turn, request, gate, |mut client, request| async move {
                        client.get_status(request).await
                    })
                    .await?;
                convert::status(&response).map_err(Failure::Nonsense)
            }
            Call::Handshake => self.handshake(instance_id, gate).await,
            Call::NewTerm(call) => {
                let turn = (Class::Ordinary, "NewTerm");
                let asked = call.term;
                let request = convert::new_term(&call);
                let response = self
                    .ask(turn, request, gate, |mut client, request| async move {
                        client.new_term(request).await
                    })
                    .await?;
                convert::fenced(asked, response).map_err(Failure::Nonsense)
            }
            Call::Truncate(call) => {
                let turn = (Class::Ordinary, "Truncate");
                let asked = call.term;
                let request = convert::truncate(&call);
                let mut client = self.replication.clone();
                let response = self
                    .ask(turn, request, gate, |_, request| async move {
                        client.truncate(request).await
                    })
                    .await?;
                convert::truncated(asked, response).map_err(Failure::Nonsense)
            }
        }
    }

    /// Servers older than `Handshake` can't be bound: for them, knowing their features is all.
    async fn handshake(&self, instance_id: &str, gate: Option<&Gate>) -> Result<Answer, Failure> {
        let request = HandshakeRequest {
            instance_id: instance_id.to_owned(),
        };
        let turn = (Class::Ordinary, "Handshake");
        let shaken = self
            .ask(turn, request, gate, |mut client, request| async move {
                client.handshake(request).await
            })
            .await;
        match shaken {
            Ok(response) => return convert::handshaken(&response).map_err(Failure::Nonsense),
            Err(Failure::Answer(status)) if status.code() == Code::Unimplemented => {}
            Err(failure) => return Err(failure),
        }
        let turn = (Class::Ordinary, "GetInfo");
        let response = self
            .ask(
                turn,
                GetInfoRequest {},
                gate,
                |mut client, request| async move { client.get_info(request).await },
            )
            .await?;
        Ok(convert::informed(&response))
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

    /// One call with one answer, in its turn and within the deadline.
    async fn ask<Q, A, F>(
        &self,
        (class, method): (Class, &'static str),
        request: Q,
        gate: Option<&Gate>,
        send: impl FnOnce(OxiaCoordinationClient<Transport>, Request<Q>) -> F,
    ) -> Result<A, Failure>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let turn = self.limits.turn(class, method, self.deadline).await;
        let _turn = turn.map_err(Failure::Ours)?;
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
