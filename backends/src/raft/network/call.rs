//! One question to another node, within a deadline.

use std::future::Future;
use std::time::Duration;

use stepdown_wire::raft::raft_client::RaftClient;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::call_error::CallError;
use super::service::LARGEST_MESSAGE;

/// A client on a connection, or what was wrong with the address.
pub(super) fn client(channel: &Result<Channel, String>) -> Result<RaftClient<Channel>, CallError> {
    match channel {
        Ok(channel) => {
            Ok(RaftClient::new(channel.clone()).max_decoding_message_size(LARGEST_MESSAGE))
        }
        Err(message) => Err(CallError::Refused {
            code: tonic::Code::InvalidArgument,
            message: message.clone(),
            cause: None,
        }),
    }
}

pub(super) async fn ask<Q, A, F>(
    client: RaftClient<Channel>,
    deadline: Duration,
    message: Q,
    call: impl FnOnce(RaftClient<Channel>, Request<Q>) -> F,
) -> Result<A, CallError>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    let mut request = Request::new(message);
    // The other node is told as well, so that it does not work for nobody. The channel goes by
    // this too, in other words than ours: ours is first.
    request.set_timeout(deadline.saturating_mul(2));
    match timeout(deadline, call(client, request)).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(CallError::TimedOut(deadline)),
    }
}
