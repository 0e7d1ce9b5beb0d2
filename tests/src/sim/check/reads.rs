//! E6, for entries that were readable: what a leader had committed, and so let clients read, is in
//! the log of every later leader, whether the leader wrote it itself or not.

use stepdown_core::{ShardId, Term};
use stepdown_sandbox::replica::{Log, Run};

use super::Check;
use crate::sim::world::World;

/// What could be read of a shard, and in which term last.
#[derive(Clone, Debug)]
pub struct Readable {
    term: Term,
    log: Log,
}

impl World<'_> {
    pub(in crate::sim) fn check_reads(&mut self, server: usize, shard: ShardId) -> Check {
        let model = &self.servers[server].model;
        let (Some(term), Some((log, committed))) = (model.leads(shard), model.log(shard)) else {
            return Ok(());
        };
        let before = self.history.readable.get(&shard);
        if let Some(before) = before {
            // A deposed leader shows what it had.
            if before.term > term {
                return Ok(());
            }
            if before.log.head().offset >= committed && before.term == term {
                return Ok(());
            }
            if !log.starts_with(&before.log) {
                return Err(self.violation(
                    "E6 read",
                    format!("shard {shard}: the leader of term {term} has {log:?}, but {before:?} could be read"),
                ));
            }
        }
        let log = prefix(log, committed);
        if before.is_none_or(|before| log.starts_with(&before.log)) {
            self.history.readable.insert(shard, Readable { term, log });
        }
        Ok(())
    }
}

/// The entries up to `offset`.
fn prefix(log: &Log, offset: i64) -> Log {
    let mut left = offset + 1;
    let mut kept: Vec<Run> = Vec::new();
    for run in Vec::from(log.clone()) {
        let count = u32::try_from(left.clamp(0, i64::from(run.count))).unwrap_or(0);
        left -= i64::from(count);
        if count > 0 {
            kept.push(Run { count, ..run });
        }
    }
    kept.into()
}
