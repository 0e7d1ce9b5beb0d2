use std::collections::{BTreeMap, BTreeSet};

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, ProcessId, ShardId, Term, WriteId};

/// What a status file's first line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstLine {
    /// Counts the writes.
    pub version: u64,
    /// The writer's epoch.
    pub epoch: Epoch,
    /// The write; `None` where `stepdown status-file adopt` wrote.
    pub write_id: Option<WriteId>,
}

impl FirstLine {
    /// Reads the first line of a status file; `None` where a stranger has left it out.
    pub fn of(text: &str) -> Option<Self> {
        let words = text.lines().next()?.strip_prefix("# oxia v1 ")?;
        let word = |name: &str| {
            let mut words = words.split(' ').filter_map(|word| word.split_once('='));
            words
                .find(|(found, _)| *found == name)
                .map(|(_, value)| value)
        };
        Some(Self {
            version: word("version")?.parse().ok()?,
            epoch: Epoch(word("epoch")?.parse().ok()?),
            write_id: word("write-id")?.parse().ok(),
        })
    }
}

/// What was seen of a status file so far, and may never be taken back.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The greatest epoch.
    pub epoch: Epoch,
    /// How many different documents were seen.
    pub documents: u64,
    newest: String,
    version: u64,
    writers: BTreeMap<Epoch, ProcessId>,
    generator: i64,
    terms: BTreeMap<ShardId, Term>,
    present: BTreeSet<ShardId>,
    instance_id: String,
    reserves_ids: bool,
}

impl History {
    /// For a document that upstream's coordinator may write: it raises the generator in one write,
    /// and adds the shards in the next.
    pub(crate) fn with_reserved_ids() -> Self {
        Self {
            reserves_ids: true,
            ..Self::default()
        }
    }

    /// Takes in the newest document; says what is wrong with it, given those before.
    pub fn take(&mut self, text: String) -> Result<(), String> {
        if text == self.newest {
            return Ok(());
        }
        let status = ClusterStatus::decode(&text).map_err(|error| error.to_string())?;
        if let Some(line) = FirstLine::of(&text) {
            self.take_line(line)?;
        }
        self.take_status(&status)?;
        self.documents += 1;
        self.newest = text;
        Ok(())
    }

    fn take_line(&mut self, line: FirstLine) -> Result<(), String> {
        if line.version < self.version {
            return Err(format!("version {} after {}", line.version, self.version));
        }
        if line.epoch < self.epoch {
            return Err(format!("epoch {} after {}", line.epoch, self.epoch));
        }
        (self.version, self.epoch) = (line.version, line.epoch);
        if let Some(id) = line.write_id {
            let first = *self.writers.entry(id.epoch).or_insert(id.process);
            if first != id.process {
                return Err(format!(
                    "processes {first} and {} both wrote in epoch {}",
                    id.process, id.epoch
                ));
            }
        }
        Ok(())
    }

    fn take_status(&mut self, status: &ClusterStatus) -> Result<(), String> {
        if !self.instance_id.is_empty() && *status.instance_id != self.instance_id {
            return Err(format!(
                "instance {} after {}",
                status.instance_id, self.instance_id
            ));
        }
        self.instance_id = status.instance_id.to_string();
        let mut present = BTreeSet::new();
        for (namespace, id, shard) in status.shards() {
            if !present.insert(id) {
                return Err(format!("shard {id} is there twice, also in {namespace}"));
            }
            let is_old = id.0 < self.generator && !self.reserves_ids;
            if is_old && !self.present.contains(&id) {
                return Err(format!(
                    "shard {id} of {namespace} has an id that was used before"
                ));
            }
            let term = self.terms.entry(id).or_insert(shard.term);
            if shard.term < *term {
                return Err(format!("shard {id}: term {} after {term}", shard.term));
            }
            *term = shard.term;
        }
        if status.shard_id_generator < self.generator {
            let now = status.shard_id_generator;
            return Err(format!("shard id generator {now} after {}", self.generator));
        }
        self.generator = status.shard_id_generator;
        self.present = present;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(version: u64, epoch: u64, process: &str, generator: i64) -> String {
        let id = format!("{epoch}.1.{process:0>32}");
        format!(
            "# oxia v1 version={version} epoch={epoch} write-id={id} len=1 crc32c=0\n\
             namespaces: {{}}\nshardIdGenerator: {generator}\ninstanceId: abc\n"
        )
    }

    #[test]
    fn what_moves_on_is_fine_and_what_moves_back_is_not() {
        let mut history = History::default();
        history.take(document(1, 1, "a", 3)).unwrap();
        history.take(document(2, 2, "b", 3)).unwrap();
        history.take(document(2, 2, "b", 5)).unwrap();
        assert_eq!(history.documents, 3);
        for (bad, what) in [
            (document(1, 2, "b", 5), "version 1 after 2"),
            (document(3, 1, "b", 5), "epoch 1 after 2"),
            (document(3, 2, "c", 5), "both wrote in epoch 2"),
            (document(3, 2, "b", 4), "generator 4 after 5"),
        ] {
            let error = history.clone().take(bad).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_shard_with_an_old_id_is_fine_where_ids_are_reserved_before() {
        let shard = "namespaces:\n  n:\n    replicationFactor: 1\n    shards:\n      3: {status: 2, term: -1}\n";
        let before = || "shardIdGenerator: 4\ninstanceId: abc\n".to_owned();
        let after = || shard.to_owned() + &before();
        let mut history = History::with_reserved_ids();
        history.take(before()).unwrap();
        history.take(after()).unwrap();
        let mut history = History::default();
        history.take(before()).unwrap();
        let error = history.take(after()).unwrap_err();
        assert!(error.contains("an id that was used before"), "{error}");
    }
}
