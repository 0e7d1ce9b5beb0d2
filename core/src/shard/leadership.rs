//! Leadership: the shard is led, as stored, and its followers are brought back; members that have left
//! have their data deleted, and one that is to come is looked at.

use super::context::{Known, ShardContext};
use super::duty::{Next, Perform, Start};
use super::exchange::{Exchange, Looked, Looking, Unfit};
use super::follower::Meaning;
use super::followers::Followers;
use super::holdup::Holdup;
use super::intent::Intent;
use super::leavers::Leavers;
use super::memory::Memory;
use super::opened::Tidying;
use crate::call::{Answer, CallError};
use crate::cluster::ShardMetadata;
use crate::id::{RequestId, ServerId, Timestamp};
use crate::ledger::Durable;

/// A leader, as stored, and its followers.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    followers: Followers,
    looking: Option<Looking>,
    tidying: Tidying,
    leavers: Leavers,
}

impl Leadership {
    pub(super) fn new(followers: Followers) -> Self {
        Self {
            followers,
            looking: None,
            tidying: Tidying::default(),
            leavers: Leavers::default(),
        }
    }

    /// One server is to take another's place: it is looked at first.
    pub(super) fn exchange(
        &mut self,
        exchange: Exchange,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) -> Result<(), Unfit> {
        if self.looking.is_some() {
            return Err(Unfit::UnderWay);
        }
        if self.tidying.concerns(&exchange.to) {
            return Err(Unfit::Leaving(exchange.to.id()));
        }
        exchange.is_fit(&self.followers, memory, cx)?;
        self.looking = Some(Looking::begin(exchange, memory, cx));
        Ok(())
    }

    pub(super) fn is_exchanging(&self) -> bool {
        self.looking.is_some()
    }

    /// What the one that is to come says: it comes if it has nothing, and all is as it was.
    fn looked(
        &mut self,
        looking: Looking,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        match looking.answered(result, memory, cx) {
            Looked::On(looking) => self.looking = Some(looking),
            Looked::Clean(exchange) => match exchange.is_fit(&self.followers, memory, cx) {
                Ok(()) => return Next::Elect(Start::Exchanging(Box::new(exchange))),
                Err(unfit) => memory.not_exchanged(&unfit, cx),
            },
            Looked::Unfit(unfit) => memory.not_exchanged(&unfit, cx),
        }
        self.drive(memory, cx);
        Next::Stay
    }

    fn drive(&mut self, memory: &mut Memory, cx: &mut ShardContext<'_>) {
        self.followers.drive(memory, cx);
        let coming = self.looking.as_ref().map(Looking::coming);
        self.tidying.drive(coming, memory, cx);
        self.leavers.drive(&self.followers, memory, cx);
    }

    /// Whether this follower has what is committed.
    pub(super) fn has_in_sync(&self, server: &ServerId) -> bool {
        self.followers.is_in_sync(server)
    }

    /// Why those that have left still have what they had.
    pub(super) fn holdups(
        &self,
        shard: &ShardMetadata,
        known: &Known<'_>,
    ) -> Vec<(ServerId, Holdup)> {
        self.leavers.holdups(shard, &self.followers, known)
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
        self.drive(memory, cx);
        Next::Stay
    }

    fn answered(
        &mut self,
        request: RequestId,
        result: Result<Answer, CallError>,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        if let Some(looking) = self.looking.take_if(|it| it.request() == request) {
            return self.looked(looking, result, memory, cx);
        }
        let is_tidied = self.tidying.answered(request, &result, memory, cx);
        if is_tidied || self.leavers.answered(request, &result, memory, cx) {
            self.drive(memory, cx);
            return Next::Stay;
        }
        match self.followers.answered(request, result, memory, cx) {
            None => {}
            Some(Meaning::GoOn) => {
                if self.followers.are_most_in_sync() {
                    memory.stuck.clear();
                }
                self.drive(memory, cx);
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
        self.drive(memory, cx);
        Next::Stay
    }

    fn deadline(&self) -> Option<Timestamp> {
        let due = [self.followers.deadline(), self.tidying.deadline()];
        let due = due.into_iter().chain([self.leavers.deadline()]);
        due.flatten().min()
    }

    fn server_running(
        &mut self,
        server: &ServerId,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Next {
        self.leavers.hurry(server);
        if self.followers.hurry(server, cx.context) {
            // Its disk may be an older one: it is judged by what is committed by now.
            return Next::Verify(std::mem::take(&mut self.followers), None);
        }
        self.drive(memory, cx);
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
        if let Some(looking) = self.looking.take_if(|it| it.concerns(server)) {
            cx.context.cancel(looking.request());
            memory.not_exchanged(&Unfit::Away(server.clone()), cx);
        }
        // It falls behind.
        self.followers.look_at(server, cx.context.now);
        self.drive(memory, cx);
        Next::Stay
    }

    fn doubted(&mut self, _: Option<&ServerId>, _: &Memory, _: &ShardContext<'_>) -> Next {
        self.verify()
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn in_sync(&self) -> usize {
        self.followers.in_sync() + 1
    }

    fn cancel(&mut self, cx: &mut ShardContext<'_>) {
        if let Some(looking) = self.looking.take() {
            cx.context.cancel(looking.request());
        }
        self.tidying.cancel(cx);
        self.leavers.cancel(cx);
        self.followers.cancel(cx);
    }
}
