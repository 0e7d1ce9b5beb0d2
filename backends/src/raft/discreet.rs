//! The network of a leader that leaves some of its followers alone.

use std::io;

use openraft::error::{
    Fatal, InstallSnapshotError, RPCError, RaftError, ReplicationClosed, StreamingError,
    Unreachable,
};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetwork, RaftNetworkFactory, Snapshot, Vote};

use super::hush::Hush;
use super::types::{Member, NodeId, TypeConfig};

/// The network, without those who are left alone.
pub(super) struct Discreet<N> {
    pub(super) network: N,
    pub(super) hush: Hush,
}

/// The way to one node.
pub(super) struct DiscreetWay<N> {
    way: N,
    to: NodeId,
    hush: Hush,
}

impl<N> DiscreetWay<N> {
    fn check(&self) -> Result<(), Unreachable> {
        if self.hush.includes(self.to) {
            return Err(Unreachable::new(&io::Error::other("it is left alone")));
        }
        Ok(())
    }
}

impl<N: RaftNetworkFactory<TypeConfig>> RaftNetworkFactory<TypeConfig> for Discreet<N> {
    type Network = DiscreetWay<N::Network>;

    async fn new_client(&mut self, to: NodeId, member: &Member) -> Self::Network {
        DiscreetWay {
            way: self.network.new_client(to, member).await,
            to,
            hush: self.hush.clone(),
        }
    }
}

type Failure<E = openraft::error::Infallible> = RPCError<NodeId, Member, RaftError<NodeId, E>>;

impl<N: RaftNetwork<TypeConfig>> RaftNetwork<TypeConfig> for DiscreetWay<N> {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, Failure> {
        self.check()?;
        self.way.append_entries(request, option).await
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<NodeId>, Failure<InstallSnapshotError>> {
        self.check()?;
        self.way.install_snapshot(request, option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote<NodeId>,
        snapshot: Snapshot<TypeConfig>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<NodeId>, StreamingError<TypeConfig, Fatal<NodeId>>> {
        self.check()?;
        self.way.full_snapshot(vote, snapshot, cancel, option).await
    }

    /// Who stands for election leaves nobody alone.
    async fn vote(
        &mut self,
        request: VoteRequest<NodeId>,
        option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, Failure> {
        self.way.vote(request, option).await
    }

    fn backoff(&self) -> Backoff {
        self.way.backoff()
    }
}
