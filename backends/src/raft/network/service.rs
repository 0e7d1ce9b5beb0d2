//! What other nodes ask, checked and handed on.

use std::sync::Arc;
use std::time::Duration;

use openraft::raft::AppendEntriesResponse;
use openraft::{Snapshot, Vote};
use stepdown_wire::raft as wire;
use stepdown_wire::raft::raft_server::{Raft, RaftServer};
use tonic::{Request, Response, Status, Streaming};

use super::backlog::Backlog;
use super::ballots;
use super::bodies::address_of;
use super::convert::{self, Malformed};
use super::greeting::{Greeting, Introduction};
use super::identity::Stranger;
use super::incoming::Incoming;
use super::large::Large;
use super::parts::Parts;
use super::replica::{Replica, ReplicaError};
use super::snapshot::{Damaged, whole};
use super::strangers::Strangers;
use crate::raft::brief::brief;
use crate::raft::types::{NodeId, TypeConfig};

/// The largest message in bytes, either way: a whole status in one entry fits.
pub(in crate::raft) const LARGEST_MESSAGE: usize = 64 << 20;

/// Calls with entries, or signs of life, that the node may have to answer at once.
pub(super) const APPENDS: usize = 32;
/// The same of one address: a leader is heard of, whoever else sends as many.
const APPENDS_OF_ONE: usize = APPENDS / 2;

/// Answers other nodes.
pub(super) struct Service {
    introduction: Introduction,
    replica: Arc<dyn Replica>,
    strangers: Strangers,
    part_deadline: Duration,
    snapshots: Incoming,
    appends: Backlog,
    large: Large,
    installs: Backlog,
}

impl Service {
    pub fn new(
        introduction: Introduction,
        replica: Arc<dyn Replica>,
        strangers: Strangers,
        part_deadline: Duration,
    ) -> RaftServer<Self> {
        RaftServer::new(Self {
            introduction,
            replica,
            strangers,
            part_deadline,
            snapshots: Incoming::default(),
            appends: Backlog::new(APPENDS, APPENDS_OF_ONE),
            large: Large::default(),
            installs: Backlog::new(1, 1),
        })
        .max_decoding_message_size(LARGEST_MESSAGE)
    }

    /// Whom it is from.
    fn check(&self, envelope: Option<&wire::Envelope>) -> Result<NodeId, Status> {
        let checked = self.introduction.identity().check(envelope);
        checked.map_err(|stranger| self.refuse(&stranger))
    }

    fn refuse(&self, stranger: &Stranger) -> Status {
        self.strangers.refused(stranger);
        Status::failed_precondition(brief(stranger))
    }

    /// The node's ballot, where that is greater than this one: whoever has this one leads no more.
    fn supersedes(&self, ballot: &Vote<NodeId>) -> Option<Vote<NodeId>> {
        let own = self.replica.ballot();
        (own > *ballot).then_some(own)
    }

    async fn taken_in(
        &self,
        mut parts: Parts<Streaming<wire::SnapshotPart>>,
        ballot: Vote<NodeId>,
        head: wire::SnapshotHead,
    ) -> Result<Snapshot<TypeConfig>, Status> {
        let turn = self.snapshots.begin(ballot, self.replica.ballot());
        let led = || Status::aborted("one of the node's leader is coming");
        let mut turn = turn.ok_or_else(led)?;
        let data = tokio::select! {
            data = parts.data(head.length) => data?,
            () = turn.is_over() => return Err(Status::aborted("a newer snapshot is coming")),
        };
        whole(head, data)
    }
}

#[tonic::async_trait]
impl Raft for Service {
    async fn greet(
        &self,
        request: Request<wire::Greeting>,
    ) -> Result<Response<wire::Greeting>, Status> {
        let greeting = Greeting::try_from(request.into_inner());
        let greeting = greeting.map_err(|stranger| self.refuse(&stranger))?;
        let is_formed = self.replica.is_formed().await?;
        let checked = self.introduction.check(&greeting, is_formed);
        checked.map_err(|stranger| self.refuse(&stranger))?;
        let answer = Greeting {
            has_member: self.replica.has_member(greeting.node),
            ..self.introduction.greeting(is_formed)
        };
        Ok(Response::new(answer.into()))
    }

    async fn append(
        &self,
        request: Request<wire::AppendRequest>,
    ) -> Result<Response<wire::AppendResponse>, Status> {
        let address = address_of(request.extensions());
        let request = request.into_inner();
        let from = self.check(request.envelope.as_ref())?;
        let ballot = ballots::of_leader(request.ballot, from)?;
        let answer = match self.supersedes(&ballot) {
            Some(own) => AppendEntriesResponse::HigherVote(own),
            None => {
                let acknowledged = convert::log_id(request.acknowledged)?;
                let large = self.large.place(address, &request)?;
                let replica = self.replica.clone();
                // Nothing is made of it before there is a place for it.
                let appended = async move {
                    let _large = large;
                    let request = convert::append(request)?;
                    let answer = replica.append(request, acknowledged).await;
                    answer.map_err(Status::from)
                };
                self.appends.hand(address, appended).await??
            }
        };
        Ok(Response::new(convert::to_appended(&answer)))
    }

    async fn vote(
        &self,
        request: Request<wire::VoteRequest>,
    ) -> Result<Response<wire::VoteResponse>, Status> {
        let request = request.into_inner();
        let from = self.check(request.envelope.as_ref())?;
        ballots::of_candidate(request.ballot, from)?;
        let answer = self.replica.vote(convert::vote(request)?).await?;
        Ok(Response::new(convert::to_voted(&answer)))
    }

    /// One at a time is taken in.
    async fn install_snapshot(
        &self,
        request: Request<Streaming<wire::SnapshotPart>>,
    ) -> Result<Response<wire::SnapshotResponse>, Status> {
        let address = address_of(request.extensions());
        let mut parts = Parts::new(request.into_inner(), self.part_deadline);
        let head = parts.head().await?;
        let from = self.check(head.envelope.as_ref())?;
        let ballot = ballots::of_leader(head.ballot, from)?;
        let highest = match self.supersedes(&ballot) {
            Some(own) => own,
            None => {
                let snapshot = self.taken_in(parts, ballot, head).await?;
                let replica = self.replica.clone();
                let installed = async move { replica.install(ballot, snapshot).await };
                self.installs.hand(address, installed).await??
            }
        };
        Ok(Response::new(wire::SnapshotResponse {
            ballot: Some(convert::to_ballot(&highest)),
        }))
    }

    async fn read_index(
        &self,
        request: Request<wire::ReadIndexRequest>,
    ) -> Result<Response<wire::ReadIndexResponse>, Status> {
        self.check(request.into_inner().envelope.as_ref())?;
        let index = self.replica.read_index().await?;
        Ok(Response::new(wire::ReadIndexResponse {
            index: index.as_ref().map(convert::to_log_id),
        }))
    }

    async fn misses_leader(
        &self,
        request: Request<wire::MissesLeaderRequest>,
    ) -> Result<Response<wire::MissesLeaderResponse>, Status> {
        self.check(request.into_inner().envelope.as_ref())?;
        let misses = self.replica.misses_a_leader().await?;
        Ok(Response::new(wire::MissesLeaderResponse { misses }))
    }

    async fn may_lead(
        &self,
        request: Request<wire::MayLeadRequest>,
    ) -> Result<Response<wire::MayLeadResponse>, Status> {
        let request = request.into_inner();
        self.check(request.envelope.as_ref())?;
        let answer = self.replica.asked_for_place(request.candidate);
        Ok(Response::new(answer.into()))
    }
}

impl From<Malformed> for Status {
    fn from(error: Malformed) -> Self {
        Self::invalid_argument(brief(&error))
    }
}

impl From<Damaged> for Status {
    fn from(error: Damaged) -> Self {
        Self::data_loss(error.to_string())
    }
}

impl From<ReplicaError> for Status {
    fn from(error: ReplicaError) -> Self {
        Self::unavailable(error.to_string())
    }
}
