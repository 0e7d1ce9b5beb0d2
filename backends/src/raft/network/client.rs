//! What is said to one other node.

use std::future::Future;
use std::time::Duration;

use openraft::error::{
    Fatal, InstallSnapshotError, PayloadTooLarge, RPCError, RaftError, ReplicationClosed,
    StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RaftNetwork};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{LogId, Snapshot, Vote};
use prost::Message;
use stepdown_wire::raft as wire;
use stepdown_wire::raft::raft_client::RaftClient;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::acknowledged::{Acknowledged, Asked};
use super::call_error::CallError;
use super::carried::Carried;
use super::connections::Deadlines;
use super::identity::Identity;
use super::reach::Reach;
use super::{call, convert, outgoing};
use crate::raft::place::PlaceAnswer;
use crate::raft::types::{Member, NodeId, TypeConfig};

/// Entries are sent in several messages above this.
pub(super) const COMFORTABLE: usize = 512 << 10;
/// How long Raft leaves a node alone that could not be reached.
const PAUSE: Duration = Duration::from_millis(200);

/// The way to one other node.
pub struct Peer {
    identity: Identity,
    node: NodeId,
    reach: Reach,
    channel: Result<Channel, String>,
    deadlines: Deadlines,
    carried: Option<Carried>,
    acknowledged: Acknowledged,
}

impl Peer {
    pub(super) fn new(
        identity: Identity,
        node: NodeId,
        address: &str,
        channel: Result<Channel, String>,
        deadlines: Deadlines,
        acknowledged: Acknowledged,
    ) -> Self {
        Self {
            identity,
            node,
            reach: Reach::new(node, address),
            channel,
            deadlines,
            carried: None,
            acknowledged,
        }
    }

    /// Asks it, as the leader, how far a reader has to be.
    pub async fn read_index(&self) -> Result<Option<LogId<NodeId>>, CallError> {
        let request = wire::ReadIndexRequest {
            envelope: Some(self.identity.envelope(self.node)),
        };
        let call = |mut client: RaftClient<Channel>, request| async move {
            client.read_index(request).await
        };
        let answer = self.ask(self.deadlines.ask, request, call).await?;
        Ok(convert::log_id(answer.index)?)
    }

    /// Asks it, as the leader, for its place.
    pub async fn may_lead(&self, candidate: NodeId) -> Result<PlaceAnswer, CallError> {
        let request = wire::MayLeadRequest {
            envelope: Some(self.identity.envelope(self.node)),
            candidate,
        };
        let call = |mut client: RaftClient<Channel>, request| async move {
            client.may_lead(request).await
        };
        Ok(self.ask(self.deadlines.ask, request, call).await?.into())
    }

    /// Asks it whether it misses a leader.
    pub async fn misses_a_leader(&self) -> Result<bool, CallError> {
        let request = wire::MissesLeaderRequest {
            envelope: Some(self.identity.envelope(self.node)),
        };
        let call = |mut client: RaftClient<Channel>, request| async move {
            client.misses_leader(request).await
        };
        Ok(self.ask(self.deadlines.ask, request, call).await?.misses)
    }

    fn append_message(
        &self,
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> Result<wire::AppendRequest, CallError> {
        let envelope = self.identity.envelope(self.node);
        let acknowledged = self.acknowledged.of(self.node, &request.vote);
        Ok(convert::to_append(
            envelope,
            request,
            acknowledged.as_ref(),
        )?)
    }

    /// Its answer to entries, unless it makes no sense.
    fn appended(
        &mut self,
        asked: &Asked,
        answer: Result<AppendEntriesResponse<NodeId>, CallError>,
    ) -> Result<AppendEntriesResponse<NodeId>, CallError> {
        let answer = answer.and_then(|answer| {
            self.acknowledged.heard(self.node, asked, &answer)?;
            Ok(answer)
        });
        self.reach.heard(&answer);
        answer
    }

    fn client(&self) -> Result<RaftClient<Channel>, CallError> {
        call::client(&self.channel)
    }

    async fn ask<Q, A, F>(
        &self,
        deadline: Duration,
        message: Q,
        call: impl FnOnce(RaftClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, CallError>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        call::ask(self.client()?, deadline, message, call).await
    }
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, RPCError<NodeId, Member, RaftError<NodeId>>> {
        let asked = Asked::of(&request);
        let Some(last) = request.entries.last().map(|entry| entry.log_id) else {
            let message = self.append_message(&request)?;
            let call = |mut client: RaftClient<Channel>, request| async move {
                client.append(request).await
            };
            let answer = self.ask(option.hard_ttl(), message, call).await;
            let answer = answer.and_then(|it| Ok(convert::appended(it, &request.vote, self.node)?));
            return Ok(self.appended(&asked, answer)?);
        };
        if !self.carried.as_ref().is_some_and(|it| it.begins(&request)) {
            let message = self.append_message(&request)?;
            let (bytes, entries) = (message.encoded_len(), request.entries.len());
            if entries > 1 && bytes > COMFORTABLE {
                let half = u64::try_from(entries / 2).unwrap_or(1);
                return Err(PayloadTooLarge::new_entries_hint(half).into());
            }
            let (client, least) = (self.client()?, self.deadlines.append);
            let carried = Carried::send(client, &request, last, message, bytes, least);
            self.carried = Some(carried);
        }
        let Some(carried) = &mut self.carried else {
            return Err(CallError::TimedOut(option.hard_ttl()).into());
        };
        let answer = carried.answer().await;
        let answer = answer.and_then(|it| {
            Ok(carried.meant(convert::appended(it, &request.vote, self.node)?, last))
        });
        self.carried = None;
        Ok(self.appended(&asked, answer)?)
    }

    /// Never called: [`full_snapshot`](Self::full_snapshot) is.
    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<TypeConfig>,
        _: RPCOption,
    ) -> Result<
        InstallSnapshotResponse<NodeId>,
        RPCError<NodeId, Member, RaftError<NodeId, InstallSnapshotError>>,
    > {
        Err(RPCError::Unreachable(Unreachable::new(
            &CallError::Refused {
                code: tonic::Code::Unimplemented,
                message: "snapshots are streamed whole".to_owned(),
                cause: None,
            },
        )))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<NodeId>,
        option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, RPCError<NodeId, Member, RaftError<NodeId>>> {
        let message = convert::to_vote(self.identity.envelope(self.node), &request);
        let call =
            |mut client: RaftClient<Channel>, request| async move { client.vote(request).await };
        let answer = self.ask(option.hard_ttl(), message, call).await?;
        Ok(convert::voted(answer, &request.vote, self.node).map_err(CallError::from)?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<NodeId>, StreamingError<TypeConfig, Fatal<NodeId>>> {
        let envelope = self.identity.envelope(self.node);
        let last = snapshot.meta.last_log_id;
        let sent = async {
            outgoing::send(self.client()?, envelope, &vote, snapshot, self.deadlines).await
        };
        tokio::select! {
            closed = cancel => Err(closed.into()),
            answer = sent => match answer {
                Ok(highest) => {
                    if highest == vote {
                        self.acknowledged.up_to(self.node, &vote, last);
                    }
                    Ok(SnapshotResponse::new(highest))
                }
                Err(error) => Err(StreamingError::Unreachable(error.into())),
            },
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(PAUSE))
    }
}
