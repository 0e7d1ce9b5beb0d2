//! The sandbox's own services: the workload, replication, and faults on demand.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::ShardId;
use tokio::sync::mpsc::unbounded_channel;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::command::Command;
use super::convert;
use super::faults::{CallFault, FaultSet};
use super::links::PEER;
use super::node::Node;
use crate::proto;
use crate::replica::{Refusal, Reply, Request as Ask};

/// A minimal workload, on the public port.
pub(super) struct DataService(pub(super) Arc<Node>);

#[tonic::async_trait]
impl proto::data_server::Data for DataService {
    async fn append(
        &self,
        request: Request<proto::AppendRequest>,
    ) -> Result<Response<proto::Entry>, Status> {
        self.0.faults.pass("Append").await;
        let shard = ShardId(request.into_inner().shard);
        match self.0.engine.ask(Ask::Append { shard }).await {
            Ok(Reply::Appended(entry)) => Ok(Response::new(convert::place_to_wire(entry))),
            Ok(_) => Err(self.0.refuse(&Refusal::ResourceUnavailable, None)),
            Err(refusal) => Err(self.0.refuse(&refusal, Some(shard))),
        }
    }

    async fn read(
        &self,
        request: Request<proto::ReadRequest>,
    ) -> Result<Response<proto::ReadResponse>, Status> {
        self.0.faults.pass("Read").await;
        let request = request.into_inner();
        let shard = ShardId(request.shard);
        let look = move |model: &crate::replica::DataServerModel| {
            let term = model.leads(shard)?;
            let (log, commit_offset) = model.log(shard)?;
            let offset = request.offset.unwrap_or_else(|| log.head().offset);
            Some(proto::ReadResponse {
                entry: log.term_at(offset).map(|term| proto::Entry {
                    term: term.0,
                    offset,
                }),
                leader_term: term.0,
                commit_offset,
            })
        };
        let seen = self.0.engine.inspect(look).await;
        seen.and_then(|seen| seen.ok_or(Refusal::NotLeader))
            .map(Response::new)
            .map_err(|refusal| self.0.refuse(&refusal, Some(shard)))
    }

    async fn get_assignments(
        &self,
        _: Request<proto::GetAssignmentsRequest>,
    ) -> Result<Response<proto::Assignments>, Status> {
        Ok(Response::new(self.0.assignments.to_wire()))
    }
}

/// Leaders' streams, on the internal port.
pub(super) struct ReplicationService(pub(super) Arc<Node>);

#[tonic::async_trait]
impl proto::replication_server::Replication for ReplicationService {
    type ReplicateStream = Pin<Box<dyn Stream<Item = Result<proto::Message, Status>> + Send>>;

    async fn replicate(
        &self,
        request: Request<Streaming<proto::Message>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        self.0.admit(request.metadata())?;
        let peer: Arc<str> = request
            .metadata()
            .get(PEER)
            .and_then(|peer| peer.to_str().ok())
            .ok_or_else(|| Status::invalid_argument(format!("no metadata {PEER}")))?
            .into();
        let (answers, outgoing) = unbounded_channel();
        let node = self.0.clone();
        node.engine.tell(Command::PeerAccepted {
            peer: peer.clone(),
            answers: answers.clone(),
        });
        let mut messages = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(message)) = messages.message().await {
                node.faults.pass("Replicate").await;
                if let Some(message) = convert::message(message) {
                    node.engine.tell(Command::Message(message));
                }
            }
            node.engine.tell(Command::PeerGone { peer, answers });
        });
        let outgoing = UnboundedReceiverStream::new(outgoing)
            .map(|message| Ok(convert::message_to_wire(message)));
        Ok(Response::new(Box::pin(outgoing)))
    }
}

/// Faults on demand, on the internal port.
pub(super) struct FaultService(pub(super) Arc<Node>);

#[tonic::async_trait]
impl proto::faults_server::Faults for FaultService {
    async fn set_faults(
        &self,
        request: Request<proto::SetFaultsRequest>,
    ) -> Result<Response<proto::SetFaultsResponse>, Status> {
        let request = request.into_inner();
        let calls = request.calls.into_iter().map(|(method, fault)| {
            let fault = if fault.hang {
                CallFault::Hang
            } else {
                CallFault::Delay(Duration::from_millis(fault.delay_ms.into()))
            };
            (method, fault)
        });
        self.0.faults.set(FaultSet {
            calls: calls.collect(),
            not_serving: request.not_serving,
            stop_accepting: request.stop_accepting,
        });
        if request.break_health_watches {
            self.0.faults.break_health_watches();
        }
        Ok(Response::new(proto::SetFaultsResponse {}))
    }
}
