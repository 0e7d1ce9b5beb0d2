//! What is in a document, in numbers, and what ought to be and is not.

use std::fmt;
use std::sync::Arc;

use stepdown_core::cluster::{ClusterStatus, ShardStatus, StatusProblem};

use crate::lacks::{Lack, is_lack};

/// What is in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// How many namespaces it has.
    pub namespaces: usize,
    /// How many shards it has.
    pub shards: usize,
    /// How many of them have a leader in it.
    pub led: usize,
    /// The id that data servers are bound to; empty where there is none.
    pub instance_id: Arc<str>,
    /// What belongs in it and is not there.
    pub lacks: Vec<Lack>,
    /// What it says that can't be so.
    pub problems: Vec<StatusProblem>,
}

impl Contents {
    pub(super) fn of(status: &ClusterStatus, lacks: Vec<Lack>) -> Self {
        let is_led = |status: ShardStatus| status == ShardStatus::SteadyState;
        let mut problems = status.problems();
        if !lacks.is_empty() {
            problems.retain(|problem| !is_lack(problem));
        }
        Self {
            namespaces: status.namespaces.len(),
            shards: status.shards().count(),
            led: status
                .shards()
                .filter(|(_, _, it)| is_led(it.status))
                .count(),
            instance_id: status.instance_id.clone(),
            lacks,
            problems,
        }
    }

    /// Whether to lead on it would do harm.
    pub(super) fn is_fatal(&self) -> bool {
        self.problems.iter().any(StatusProblem::is_fatal)
    }
}

/// In one line.
pub(super) fn counted(contents: &Contents) -> String {
    let Contents {
        namespaces,
        shards,
        led,
        ..
    } = contents;
    format!(
        "{namespaces} {}, {shards} {}, of which {led} had a leader",
        plural(*namespaces, "namespace"),
        plural(*shards, "shard"),
    )
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

/// The rest, a line each.
impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.instance_id {
            "" => writeln!(f, "instance id: none")?,
            id => writeln!(f, "instance id: {id}")?,
        }
        for lack in &self.lacks {
            writeln!(f, "lacks: {lack}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        Ok(())
    }
}
