//! Leadership: the shard is led, as stored, and its followers are brought back.

use super::context::ShardContext;
use super::duty::{Next, Perform, Start};
use super::follower::Meaning;
use super::followers::Followers;
use super::intent::Intent;
use super::memory::Memory;
use crate::call::{Answer, CallError};
use crate::id::{RequestId, ServerId, Timestamp};
use crate::ledger::Durable;

/// A leader, as stored, and its followers.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    followers: Followers,
}

impl Leadership {
    pub(super) fn new(followers: Followers) -> Self {
        Self { followers }
    }

    /// A server has lost its data: its replica is looked at as soon as it can be.
    pub(super) fn server_emptied(&mut self, server: &ServerId, now: Timestamp) {
        self.followers.look_at(server, now);
    }

    /// What is known of the followers is doubted, too.
    fn verify(&mut self) -> Next {
        let mut followers = std::mem::take(&mut self.followers);
        followers.doubt();
        Next::Verify(followers, None)
    }
}

impl Perform for Leadership {
    fn begin(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        if self.followers.are_most_in_sync() {
            memory.stuck.clear();
        }
        self.followers.drive(memory, cx);
        Next::Stay
    }

    fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        match self.followers.answered(request, result, memory, cx) {
            None => {}
            Some(Meaning::GoOn) => {
                if self.followers.are_most_in_sync() {
                    memory.stuck.clear();
                }
                self.followers.drive(memory, cx);
            }
            Some(Meaning::VerifyLeader) => return self.verify(),
            // While it can't be done, at least reads go on.
            Some(Meaning::ElectWithout(server)) if !memory.is_spared(&server, cx) => {
                if !self.followers.are_most_in_sync() {
                    memory.stuck_with(&server, cx);
                }
                self.followers.drive(memory, cx);
            }
            Some(Meaning::ElectWithout(_)) => return Next::Elect(Start::Later),
            Some(Meaning::Elect) => return Next::Elect(Start::Later),
        }
        Next::Stay
    }

    fn persisted(&mut self, _: Durable<Intent>, _: &mut Memory, _: &mut ShardContext<'_>) -> Next {
        Next::Stay
    }

    fn time_passed(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) -> Next {
        self.followers.drive(memory, cx);
        Next::Stay
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.followers.deadline()
    }

    fn server_running(
        &mut self,
        server: &ServerId,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        if self.followers.hurry(server, cx.context) {
            // Its disk may be an older one: it is judged by what is committed by now.
            return Next::Verify(std::mem::take(&mut self.followers), None);
        }
        self.followers.drive(memory, cx);
        Next::Stay
    }

    fn server_unavailable(
        &mut self,
        server: &ServerId,
        _: &str,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        if memory.is_led_by(server, cx) {
            return Next::Elect(Start::AtOnce);
        }
        // It falls behind.
        self.followers.look_at(server, cx.context.now);
        self.followers.drive(memory, cx);
        Next::Stay
    }

    fn doubted(&mut self) -> Next {
        self.verify()
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn in_sync(&self) -> usize {
        self.followers.in_sync() + 1
    }

    fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        self.followers.cancel(cx);
    }
}
