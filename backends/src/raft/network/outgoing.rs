//! Sending a snapshot no faster than it is taken.

use bytes::Bytes;
use openraft::{Snapshot, Vote};
use stepdown_wire::raft as wire;
use stepdown_wire::raft::raft_client::RaftClient;
use stepdown_wire::raft::snapshot_part::Part;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::ballots;
use super::call_error::CallError;
use super::connections::Deadlines;
use super::snapshot::{PART, head};
use crate::raft::types::{NodeId, TypeConfig};

/// Sends it, and answers the highest ballot that the receiver has seen. Only one part waits: the
/// next one is made when HTTP/2 has room for it.
pub(super) async fn send(
    mut client: RaftClient<Channel>,
    envelope: wire::Envelope,
    vote: &Vote<NodeId>,
    snapshot: Snapshot<TypeConfig>,
    deadlines: Deadlines,
) -> Result<Vote<NodeId>, CallError> {
    let data = snapshot.snapshot.into_inner();
    let to = envelope.to;
    let head = head(envelope, vote, &snapshot.meta, &data)?;
    let (parts, waiting) = mpsc::channel(1);
    let answer = client.install_snapshot(ReceiverStream::new(waiting));
    let last = async {
        feed(parts, head, Bytes::from(data), deadlines).await?;
        sleep(deadlines.install).await;
        Err(CallError::TimedOut(deadlines.install))
    };
    tokio::select! {
        answer = answer => Ok(ballots::own_or_after(vote, answer?.into_inner().ballot, to)?),
        late = last => late,
    }
}

/// Returns as soon as the receiver has hung up, which its answer explains.
async fn feed(
    parts: mpsc::Sender<wire::SnapshotPart>,
    head: wire::SnapshotHead,
    mut data: Bytes,
    deadlines: Deadlines,
) -> Result<(), CallError> {
    let mut next = Part::Head(head);
    loop {
        let part = wire::SnapshotPart { part: Some(next) };
        match timeout(deadlines.part, parts.send(part)).await {
            Ok(Ok(())) if data.is_empty() => return Ok(()),
            Ok(Ok(())) => next = Part::Data(data.split_to(data.len().min(PART))),
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(CallError::Stalled(deadlines.part)),
        }
    }
}
