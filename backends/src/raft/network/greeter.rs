//! Asking who is at an address.

use stepdown_wire::raft as wire;
use stepdown_wire::raft::raft_client::RaftClient;
use tonic::transport::Channel;

use super::call::{ask, client};
use super::call_error::CallError;
use super::connections::Deadlines;
use super::greeting::Greeting;

/// The way to whoever is at an address.
#[derive(Clone)]
pub struct Greeter {
    channel: Result<Channel, String>,
    deadlines: Deadlines,
}

impl Greeter {
    pub(super) fn new(channel: Result<Channel, String>, deadlines: Deadlines) -> Self {
        Self { channel, deadlines }
    }

    /// Says who asks, and asks who is there.
    pub async fn greet(&self, greeting: Greeting) -> Result<Greeting, CallError> {
        let call =
            |mut client: RaftClient<Channel>, request| async move { client.greet(request).await };
        let question = wire::Greeting::from(greeting);
        let answer = ask(client(&self.channel)?, self.deadlines.ask, question, call).await?;
        Ok(Greeting::try_from(answer)?)
    }
}
