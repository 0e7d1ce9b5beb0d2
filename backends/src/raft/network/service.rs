//! What other nodes ask, checked and handed on.

use std::sync::Arc;
use std::time::Duration;

use stepdown_wire::raft as wire;
use stepdown_wire::raft::raft_server::{Raft, RaftServer};
use stepdown_wire::raft::snapshot_part::Part;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use super::backlog::Backlog;
use super::convert::{self, Malformed};
use super::greeting::{Greeting, Introduction};
use super::identity::Stranger;
use super::replica::{Replica, ReplicaError};
use super::snapshot::{Damaged, LARGEST_SNAPSHOT, length, whole};
use super::strangers::Strangers;

/// The largest message in bytes, either way: a whole status in one entry fits.
pub(in crate::raft) const LARGEST_MESSAGE: usize = 64 << 20;

/// Calls with entries, or signs of life, that the node may have to answer at once.
const APPENDS: usize = 16;

/// Answers other nodes.
pub(super) struct Service {
    introduction: Introduction,
    replica: Arc<dyn Replica>,
    strangers: Strangers,
    part_deadline: Duration,
    /// How many snapshots have begun to come.
    snapshots: watch::Sender<u64>,
    appends: Backlog,
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
            snapshots: watch::Sender::new(0),
            appends: Backlog::new(APPENDS),
            installs: Backlog::new(1),
        })
        .max_decoding_message_size(LARGEST_MESSAGE)
    }

    fn check(&self, envelope: Option<&wire::Envelope>) -> Result<(), Status> {
        let checked = self.introduction.identity().check(envelope);
        checked.map_err(|stranger| self.refuse(&stranger))
    }

    fn refuse(&self, stranger: &Stranger) -> Status {
        self.strangers.refused(stranger);
        Status::failed_precondition(stranger.to_string())
    }

    async fn next(
        &self,
        parts: &mut Streaming<wire::SnapshotPart>,
    ) -> Result<Option<Part>, Status> {
        let next = timeout(self.part_deadline, parts.message()).await;
        let next = next.map_err(|_| Status::deadline_exceeded("no more of the snapshot came"))?;
        Ok(next?.and_then(|message| message.part))
    }

    async fn rest(
        &self,
        parts: &mut Streaming<wire::SnapshotPart>,
        promised: u64,
    ) -> Result<Vec<u8>, Status> {
        if promised > LARGEST_SNAPSHOT {
            return Err(Damaged::TooLarge(promised).into());
        }
        let mut data = Vec::new();
        while let Some(part) = self.next(parts).await? {
            let Part::Data(part) = part else {
                return Err(Malformed::Missing("data").into());
            };
            data.extend_from_slice(&part);
            if length(&data) > promised {
                return Err(Damaged::Length {
                    heard: length(&data),
                    promised,
                }
                .into());
            }
        }
        Ok(data)
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
        let request = request.into_inner();
        self.check(request.envelope.as_ref())?;
        let (replica, request) = (self.replica.clone(), convert::append(request)?);
        let appended = async move { replica.append(request).await };
        let answer = self.appends.hand(appended).await??;
        Ok(Response::new(convert::to_appended(&answer)))
    }

    async fn vote(
        &self,
        request: Request<wire::VoteRequest>,
    ) -> Result<Response<wire::VoteResponse>, Status> {
        let request = request.into_inner();
        self.check(request.envelope.as_ref())?;
        let answer = self.replica.vote(convert::vote(request)?).await?;
        Ok(Response::new(convert::to_voted(&answer)))
    }

    /// One at a time is taken in. A newer one ends an older one, whose sender may have gone.
    async fn install_snapshot(
        &self,
        request: Request<Streaming<wire::SnapshotPart>>,
    ) -> Result<Response<wire::SnapshotResponse>, Status> {
        let mut parts = request.into_inner();
        let Some(Part::Head(head)) = self.next(&mut parts).await? else {
            return Err(Malformed::Missing("head").into());
        };
        self.check(head.envelope.as_ref())?;
        self.snapshots
            .send_modify(|count| *count = count.wrapping_add(1));
        let mut newer = self.snapshots.subscribe();
        let data = tokio::select! {
            data = self.rest(&mut parts, head.length) => data?,
            _ = newer.changed() => return Err(Status::aborted("a newer snapshot is coming")),
        };
        let (vote, snapshot) = whole(head, data)?;
        let replica = self.replica.clone();
        let installed = async move { replica.install(vote, snapshot).await };
        let highest = self.installs.hand(installed).await??;
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
        Ok(Response::new(wire::MayLeadResponse {
            delay: self
                .replica
                .make_way(request.candidate)
                .map(convert::to_millis),
        }))
    }
}

impl From<Malformed> for Status {
    fn from(error: Malformed) -> Self {
        Self::invalid_argument(error.to_string())
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
