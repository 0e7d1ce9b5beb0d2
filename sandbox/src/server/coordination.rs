//! `replication.OxiaCoordination`, as coordinators see it.

use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_core::call::{Binding, Feature, ReplicaStatus};
use stepdown_wire::replication as wire;
use stepdown_wire::replication::oxia_coordination_server::OxiaCoordination;
use stepdown_wire::replication::oxia_log_replication_server::OxiaLogReplication;
use stepdown_wire::v1::ShardAssignments;
use tonic::{Request, Response, Status, Streaming};

use super::convert;
use super::node::{FEATURES, Node};
use crate::replica::{Refusal, Reply, Request as Ask};

/// The services, on the internal port.
#[derive(Clone)]
pub(super) struct Coordination(pub(super) Arc<Node>);

impl Coordination {
    /// Lets a request in, and asks the model.
    async fn ask<T>(
        &self,
        method: &str,
        request: Request<T>,
        ask: impl FnOnce(T) -> Ask,
    ) -> Result<Reply, Status> {
        self.0.faults.pass(method).await;
        self.0.admit(request.metadata())?;
        let ask = ask(request.into_inner());
        let shard = ask.shard();
        let reply = self.0.engine.ask(ask).await;
        reply.map_err(|refusal| self.0.refuse(&refusal, shard))
    }
}

#[tonic::async_trait]
impl OxiaCoordination for Coordination {
    async fn push_shard_assignments(
        &self,
        request: Request<Streaming<ShardAssignments>>,
    ) -> Result<Response<wire::CoordinationShardAssignmentsResponse>, Status> {
        self.0.admit(request.metadata())?;
        let mut pushes = request.into_inner();
        loop {
            let push = tokio::select! {
                push = pushes.message() => push?,
                () = self.0.stopping.cancelled() => None,
            };
            let Some(push) = push else {
                return Ok(Response::new(wire::CoordinationShardAssignmentsResponse {}));
            };
            self.0.faults.pass("PushShardAssignments").await;
            self.0.assignments.replace(push);
        }
    }

    async fn new_term(
        &self,
        request: Request<wire::NewTermRequest>,
    ) -> Result<Response<wire::NewTermResponse>, Status> {
        let Reply::Fenced(head) = self.ask("NewTerm", request, convert::new_term).await? else {
            return Err(unexpected());
        };
        Ok(Response::new(wire::NewTermResponse {
            head_entry_id: Some(convert::entry_to_wire(head)),
        }))
    }

    async fn become_leader(
        &self,
        request: Request<wire::BecomeLeaderRequest>,
    ) -> Result<Response<wire::BecomeLeaderResponse>, Status> {
        self.ask("BecomeLeader", request, convert::become_leader)
            .await?;
        Ok(Response::new(wire::BecomeLeaderResponse {}))
    }

    async fn add_follower(
        &self,
        request: Request<wire::AddFollowerRequest>,
    ) -> Result<Response<wire::AddFollowerResponse>, Status> {
        self.ask("AddFollower", request, convert::add_follower)
            .await?;
        Ok(Response::new(wire::AddFollowerResponse {}))
    }

    async fn get_status(
        &self,
        request: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        let ask = |request: wire::GetStatusRequest| Ask::GetStatus {
            shard: ShardId(request.shard),
        };
        let Reply::Status(status) = self.ask("GetStatus", request, ask).await? else {
            return Err(unexpected());
        };
        Ok(Response::new(status_to_wire(status)))
    }

    async fn delete_shard(
        &self,
        request: Request<wire::DeleteShardRequest>,
    ) -> Result<Response<wire::DeleteShardResponse>, Status> {
        let ask = |request: wire::DeleteShardRequest| Ask::DeleteShard {
            shard: ShardId(request.shard),
            term: stepdown_core::Term(request.term),
        };
        self.ask("DeleteShard", request, ask).await?;
        Ok(Response::new(wire::DeleteShardResponse {}))
    }

    async fn handshake(
        &self,
        request: Request<wire::HandshakeRequest>,
    ) -> Result<Response<wire::HandshakeResponse>, Status> {
        self.0.faults.pass("Handshake").await;
        let binding = self
            .0
            .engine
            .handshake(request.into_inner().instance_id)
            .await
            .map_err(|refusal| self.0.refuse(&refusal, None))?;
        let status = match binding {
            Binding::AlreadyBound => wire::HandshakeStatus::AlreadyBound,
            Binding::Bound => wire::HandshakeStatus::Bound,
            Binding::Mismatch => wire::HandshakeStatus::Mismatch,
        };
        Ok(Response::new(wire::HandshakeResponse {
            status: status.into(),
            features_supported: features_to_wire(&FEATURES),
        }))
    }

    async fn get_info(
        &self,
        request: Request<wire::GetInfoRequest>,
    ) -> Result<Response<wire::GetInfoResponse>, Status> {
        let Reply::Info(features) = self.ask("GetInfo", request, |_| Ask::GetInfo).await? else {
            return Err(unexpected());
        };
        Ok(Response::new(wire::GetInfoResponse {
            features_supported: features_to_wire(&features),
        }))
    }

    async fn remove_observer(
        &self,
        request: Request<wire::RemoveObserverRequest>,
    ) -> Result<Response<wire::RemoveObserverResponse>, Status> {
        let ask = |request: wire::RemoveObserverRequest| Ask::RemoveObserver {
            shard: ShardId(request.shard),
            term: stepdown_core::Term(request.term),
            follower: request.follower_name.into(),
            target: ShardId(request.target_shard),
        };
        self.ask("RemoveObserver", request, ask).await?;
        Ok(Response::new(wire::RemoveObserverResponse {}))
    }

    async fn freeze_shard(
        &self,
        request: Request<wire::FreezeShardRequest>,
    ) -> Result<Response<wire::FreezeShardResponse>, Status> {
        let ask = |request: wire::FreezeShardRequest| Ask::FreezeShard {
            shard: ShardId(request.shard),
            term: stepdown_core::Term(request.term),
            frozen: request.frozen,
        };
        let Reply::Frozen { head_offset } = self.ask("FreezeShard", request, ask).await? else {
            return Err(unexpected());
        };
        Ok(Response::new(wire::FreezeShardResponse { head_offset }))
    }
}

fn status_to_wire(status: ReplicaStatus) -> wire::GetStatusResponse {
    let stats = wire::ShardStats::default();
    let leads = status.role == stepdown_core::call::ReplicaRole::Leader;
    wire::GetStatusResponse {
        term: status.term.0,
        status: convert::role_to_wire(status.role).into(),
        head_offset: status.head_offset,
        commit_offset: status.commit_offset,
        shard_stats: leads.then_some(stats),
    }
}

#[tonic::async_trait]
impl OxiaLogReplication for Coordination {
    async fn truncate(
        &self,
        request: Request<wire::TruncateRequest>,
    ) -> Result<Response<wire::TruncateResponse>, Status> {
        let term = request.get_ref().term;
        let Reply::Truncated(head) = self.ask("Truncate", request, convert::truncate).await? else {
            return Err(unexpected());
        };
        // As real ones tell it.
        let head_entry_id = Some(wire::EntryId {
            term,
            offset: head.offset,
        });
        Ok(Response::new(wire::TruncateResponse { head_entry_id }))
    }
}

fn features_to_wire<'a>(features: impl IntoIterator<Item = &'a Feature>) -> Vec<i32> {
    features.into_iter().map(|feature| feature.0).collect()
}

/// The model gave the answer to another question, which it never does.
fn unexpected() -> Status {
    convert::refusal_to_status(&Refusal::ResourceUnavailable, None)
}
