//! Whom a round asks, and whom no more.

use super::{Asked, Fencing, Round, voters};
use crate::cluster::DataServerIdentity;
use crate::id::ServerId;
use crate::shard::context::ShardContext;
use crate::shard::fence::Fence;
use crate::shard::memory::Memory;

impl Fencing {
    /// Asks a voter, if it is known to remember.
    pub(super) fn ask(
        &mut self,
        server: &DataServerIdentity,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let Some((status, was)) = self.recall.vote_of(&server.id()) else {
            return;
        };
        if cx.is_foreign(server) {
            let why = "it belongs to another cluster".to_owned();
            self.failures.insert(server.id(), why);
        } else if cx.is_away(server) {
            let why = "it is unavailable".to_owned();
            self.failures.insert(server.id(), why);
        } else {
            let (request, fence) = Fence::begin(self.term, was, server, memory, cx);
            let server = server.clone();
            let asked = Asked {
                server,
                status,
                fence,
            };
            self.asked.insert(request, asked);
        }
    }

    /// A server is back: it is asked what it remembers, if it votes and is not being asked.
    pub(in crate::shard) fn ask_too(
        &mut self,
        server: &ServerId,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let Some(shard) = memory.metadata(cx) else {
            return;
        };
        let is_heard = self.votes.iter().any(|vote| vote.server.id() == *server);
        let resting = self.resting.iter().map(|(_, it)| it);
        let mut asked = self.asked.values().chain(resting);
        let is_asked = asked.any(|it| it.server.id() == *server);
        let voter = voters(&shard).into_iter().find(|it| it.id() == *server);
        if let Some(voter) = voter
            && !is_heard
            && !is_asked
            && !self.uncut.contains(server)
        {
            self.failures.remove(server);
            self.recall.forget(server, "it is asked again", cx);
            self.recall.ask_too(voter, memory, cx);
        }
    }

    /// A server has lost its data: a vote that it may have given before does not count.
    pub(in crate::shard) fn forget(&mut self, server: &ServerId, cx: &mut ShardContext<'_>) {
        self.votes.retain(|vote| vote.server.id() != *server);
        self.withdraw(server, cx);
        self.failures.remove(server);
        self.recall.forget(server, "it has lost its data", cx);
    }

    fn withdraw(&mut self, server: &ServerId, cx: &mut ShardContext<'_>) {
        self.resting.retain(|(_, it)| it.server.id() != *server);
        let asked = self.asked.iter();
        let asked = asked.filter(|(_, it)| it.server.id() == *server);
        let requests: Vec<_> = asked.map(|(request, _)| *request).collect();
        for request in requests {
            if self
                .asked
                .remove(&request)
                .is_some_and(|it| it.fence.is_cutting())
            {
                self.uncut.insert(server.clone());
            }
            cx.context.cancel(request);
        }
    }

    /// Whether this one was not asked, since a majority does without it.
    pub(in crate::shard) fn spares(&self, server: &ServerId) -> bool {
        self.recall.spares(server)
    }

    /// Turns to those that were spared, which are needed now; says whether there are any.
    pub(super) fn turn_to_spared(&mut self, memory: &Memory, cx: &mut ShardContext<'_>) -> bool {
        let before = self.recall.pending();
        if let Some(shard) = memory.metadata(cx) {
            self.recall.spare_nobody(&voters(&shard), memory, cx);
        }
        self.recall.pending() > before
    }

    /// A server that is unavailable won't answer.
    pub(in crate::shard) fn give_up_on(
        &mut self,
        server: &ServerId,
        reason: &str,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        if self.votes.iter().any(|vote| vote.server.id() == *server) {
            return Round::Open;
        }
        let why = format!("it is unavailable: {reason}");
        self.failures.insert(server.clone(), why);
        self.withdraw(server, cx);
        self.recall.forget(server, reason, cx);
        self.count(memory, cx)
    }
}
