//! Requests for shards that a server does not know.

use std::sync::Arc;

use super::request::{Refusal, Reply, Request};

/// The namespace of a request that makes an unknown shard known.
pub(super) fn opens(request: &Request) -> Option<Arc<str>> {
    match request {
        Request::BecomeLeader(request) => Some(request.namespace.clone()),
        Request::NewTerm(request) => Some(request.namespace.clone()),
        Request::Truncate(request) => Some(request.namespace.clone()),
        Request::AddFollower(_)
        | Request::AddObserver { .. }
        | Request::Append { .. }
        | Request::DeleteShard { .. }
        | Request::FreezeShard { .. }
        | Request::GetInfo
        | Request::GetStatus { .. }
        | Request::RemoveObserver { .. } => None,
    }
}

pub(super) fn answer_without_shard(request: &Request) -> Result<Reply, Refusal> {
    match request {
        Request::DeleteShard { .. } => Ok(Reply::Deleted),
        Request::GetStatus { .. } => Err(Refusal::NotMember),
        Request::AddFollower(_)
        | Request::AddObserver { .. }
        | Request::Append { .. }
        | Request::BecomeLeader(_)
        | Request::FreezeShard { .. }
        | Request::GetInfo
        | Request::NewTerm(_)
        | Request::Truncate(_)
        | Request::RemoveObserver { .. } => Err(Refusal::NotLeader),
    }
}
