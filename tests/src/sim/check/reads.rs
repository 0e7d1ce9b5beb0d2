//! E6, for entries that were readable: what a leader had committed, and so let clients read, is in
//! the log of every later leader, whether the leader wrote it itself or not.

use std::collections::BTreeMap;

use stepdown_core::call::EntryId;
use stepdown_core::{ShardId, Term};
use stepdown_sandbox::replica::Log;

use super::Check;
use crate::sim::world::World;

/// What could be read of a shard, and in which term last.
#[derive(Clone, Debug)]
pub struct Readable {
    pub(super) term: Term,
    pub(in crate::sim) log: Log,
}

impl Readable {
    /// Whether it was let be read by a leader that had written nothing by then, so that who comes
    /// after can't tell by the logs.
    fn is_only_read(&self) -> bool {
        self.log.head().term < self.term
    }

    /// Whether a log that ends like this is of a leader between who wrote the end of what could be
    /// read, and who let it be read, and so lacks it or has more that nobody acknowledged.
    pub(super) fn is_left_by(&self, head: EntryId) -> bool {
        self.log.head().term < head.term && head.term < self.term
    }
}

impl World<'_> {
    /// E6: what was committed, and what could be read, is in the log of every leader on a server. Of a shard that is
    /// deleted nothing is: a leader that can't be reached may feed anew those that have deleted it.
    pub(in crate::sim) fn check_logs(&mut self, server: usize) -> Check {
        let Self {
            servers,
            ghost,
            history,
            sometimes,
            store,
            ..
        } = self;
        let model = &servers[server].model;
        let is_kept = |id: ShardId| {
            let mut shards = store.status().into_iter().flat_map(|it| it.shards());
            let found = shards.find(|(_, found, _)| *found == id);
            found.is_none_or(|(_, _, shard)| !shard.is_deleting())
        };
        let lost = model
            .leading()
            .filter(|(shard, ..)| is_kept(*shard))
            .find_map(|(shard, term, log, committed)| {
                match ghost.look(shard, term, log, committed) {
                    Ok(()) => {
                        let readable = &mut history.readable;
                        let untold = history.untold.get(&shard);
                        let is_lost = |it: &Readable| {
                            let is_untold = untold.is_some_and(|untold| it.term <= *untold);
                            is_untold && it.is_only_read() && !log.starts_with(&it.log)
                        };
                        if readable.get(&shard).is_some_and(is_lost) {
                            sometimes.hit("lost_what_was_only_read_unawares");
                            readable.remove(&shard);
                        }
                        note_read(readable, shard, term, log, committed).err()
                    }
                    Err(lost) => Some(("E6", lost.to_string())),
                }
            });
        match lost {
            Some((property, text)) => Err(self.violation(property, text)),
            None => Ok(()),
        }
    }
}

fn note_read(
    readable: &mut BTreeMap<ShardId, Readable>,
    shard: ShardId,
    term: Term,
    log: &Log,
    committed: i64,
) -> Result<(), (&'static str, String)> {
    let Some(before) = readable.get_mut(&shard) else {
        let log = log.up_to(committed);
        // Nothing that can be read leaves no log behind.
        if log.head() != EntryId::NONE {
            readable.insert(shard, Readable { term, log });
        }
        return Ok(());
    };
    // A deposed leader shows what it had.
    if before.term > term || before.log.head().offset >= committed && before.term == term {
        return Ok(());
    }
    if !log.starts_with(&before.log) {
        let text = format!(
            "shard {shard}: the leader of term {term} has {log:?}, but {before:?} could be read"
        );
        return Err(("E6 read", text));
    }
    if before.log.head().offset <= committed {
        let log = log.up_to(committed);
        *before = Readable { term, log };
    }
    Ok(())
}
