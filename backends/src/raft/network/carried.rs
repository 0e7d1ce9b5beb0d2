//! Entries on their way to another node.
//!
//! Raft gives up whatever is not answered within a heartbeat, and sends it again. Entries that take
//! longer, since they are large or the other's disk is slow, would never arrive. So they stay on
//! their way, and whoever sends them again waits for the same answer.

use std::time::Duration;

use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use openraft::{LogId, Vote};
use stepdown_wire::raft as wire;
use stepdown_wire::raft::raft_client::RaftClient;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Channel;

use super::call;
use super::call_error::CallError;
use super::pace::takes;
use crate::raft::types::{NodeId, TypeConfig};

/// Entries that were sent, and not answered yet. They are given up when this is dropped.
pub(super) struct Carried {
    vote: Vote<NodeId>,
    prev: Option<LogId<NodeId>>,
    last: LogId<NodeId>,
    answer: AbortOnDropHandle<Result<wire::AppendResponse, CallError>>,
}

impl Carried {
    /// Sends them. They end at `last`, and come to `bytes`.
    pub fn send(
        client: RaftClient<Channel>,
        request: &AppendEntriesRequest<TypeConfig>,
        last: LogId<NodeId>,
        message: wire::AppendRequest,
        bytes: usize,
        least: Duration,
    ) -> Self {
        let within = least.saturating_add(takes(bytes));
        let sent = async move {
            let call = |mut client: RaftClient<Channel>, request| async move {
                client.append(request).await
            };
            call::ask(client, within, message, call).await
        };
        Self {
            vote: request.vote,
            prev: request.prev_log_id,
            last,
            answer: AbortOnDropHandle::new(tokio::spawn(sent)),
        }
    }

    /// Whether these are the first entries of the request.
    pub fn begins(&self, request: &AppendEntriesRequest<TypeConfig>) -> bool {
        let is_there = |last| request.entries.iter().any(|entry| entry.log_id == last);
        self.vote == request.vote && self.prev == request.prev_log_id && is_there(self.last)
    }

    /// The answer. May be dropped and asked for again.
    pub async fn answer(&mut self) -> Result<wire::AppendResponse, CallError> {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(error) => Err(CallError::Refused {
                code: tonic::Code::Aborted,
                message: error.to_string(),
                cause: None,
            }),
        }
    }

    /// What the answer means for a request that goes on to `last`.
    pub fn meant(
        &self,
        answer: AppendEntriesResponse<NodeId>,
        last: LogId<NodeId>,
    ) -> AppendEntriesResponse<NodeId> {
        if self.last != last && matches!(answer, AppendEntriesResponse::Success) {
            return AppendEntriesResponse::PartialSuccess(Some(self.last));
        }
        answer
    }
}
