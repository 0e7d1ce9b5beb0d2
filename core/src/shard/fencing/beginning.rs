//! With what log the chosen one is to lead, which is stored before it is told.

use super::{Fencing, Round, Vote};
use crate::call::EntryId;
use crate::id::Term;
use crate::shard::context::ShardContext;
use crate::shard::intent::Intent;
use crate::shard::memory::Memory;

/// On its way to the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    head: EntryId,
    is_stored: bool,
}

impl Fencing {
    /// Whether with what this one begins is stored, if it has to be before it is told to lead: a
    /// coordinator that comes after has to know it. Else what was committed by then, and read, would
    /// look like less than what another one wrote alone before.
    pub(in crate::shard) fn is_recorded(&self, winner: &Vote, memory: &Memory) -> bool {
        let head = winner.position.head();
        match self.beginning {
            // The document must not tell of another one.
            Some(beginning) => beginning.is_stored && beginning.head == head,
            None => !memory.led.is_to_be_stored(self.term, head),
        }
    }

    /// Stores with what this one begins.
    pub(in crate::shard) fn record(
        &mut self,
        winner: &Vote,
        memory: &Memory,
        cx: &mut ShardContext<'_>,
    ) {
        let head = winner.position.head();
        if self.beginning.is_some_and(|it| it.head == head) {
            return;
        }
        self.beginning = Some(Beginning {
            head,
            is_stored: false,
        });
        let beginnings = memory.led.kept(Some((self.term, head)));
        let (namespace, promote) = (&memory.namespace, Intent::Promote(self.term));
        cx.ledger.change(namespace, memory.id, promote, |shard| {
            shard.beginnings = beginnings;
        });
    }

    /// It is stored: the choice is made again, as things stand now.
    pub(in crate::shard) fn recorded(
        &mut self,
        term: Term,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        match &mut self.beginning {
            Some(beginning) if self.term == term => beginning.is_stored = true,
            Some(_) | None => return Round::Open,
        }
        self.choose(memory, cx)
    }
}
