//! What a status document lacks that was not written by a coordinator: whoever leads on it would make
//! that the truth. Each is refused until somebody accepts it by its name.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod ids;
mod remembered;

use std::fmt;
use std::sync::Arc;

use stepdown_core::ShardId;
use stepdown_core::cluster::{ClusterStatus, HashRange, StatusProblem};

pub(crate) use ids::Ids;
pub(crate) use remembered::Remembered;

/// Something that belongs in a status document and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Its end.
    End,
    /// A shard that serves these hashes.
    Hashes {
        /// The namespace.
        namespace: Arc<str>,
        /// The hashes.
        range: HashRange,
    },
    /// The id that data servers are bound to.
    InstanceId {
        /// What it was, where that is remembered.
        was: Option<String>,
    },
    /// The replicas of a shard.
    Ensemble {
        /// The namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
    },
    /// The hashes of a shard.
    Range {
        /// The namespace.
        namespace: Arc<str>,
        /// The shard.
        shard: ShardId,
    },
    /// The instance id that is remembered: there is another one.
    SameInstanceId {
        /// What it is.
        is: String,
        /// What it was.
        was: String,
    },
    /// Shards that are remembered.
    Shards {
        /// The namespace.
        namespace: Arc<str>,
        /// Their ids, as in `0-3,7`.
        shards: Ids,
    },
}

impl Lack {
    /// By which it is accepted.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::End => "end".to_owned(),
            Self::Ensemble { namespace, shard } => format!("ensemble:{namespace}:{shard}"),
            Self::Hashes { namespace, range } => {
                format!("hashes:{namespace}:{}-{}", range.min, range.max)
            }
            Self::InstanceId { .. } => "instance-id".to_owned(),
            Self::Range { namespace, shard } => format!("range:{namespace}:{shard}"),
            Self::SameInstanceId { is, .. } => format!("instance-id:{is}"),
            Self::Shards { namespace, shards } => format!("shards:{namespace}:{shards}"),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("its end, and whatever was in it"),
            Self::Ensemble { namespace, shard } => {
                write!(f, "the ensemble of shard {shard} of {namespace}")
            }
            Self::Hashes { namespace, range } => {
                let HashRange { min, max } = range;
                write!(f, "a shard of {namespace} for the hashes {min} to {max}")
            }
            Self::InstanceId { was: Some(was) } => {
                write!(
                    f,
                    "the instance id, which was {was}: data servers are bound to it"
                )
            }
            Self::InstanceId { was: None } => {
                f.write_str("the instance id: data servers are bound to it")
            }
            Self::Range { namespace, shard } => {
                write!(f, "the hash range of shard {shard} of {namespace}")
            }
            Self::SameInstanceId { is, was } => write!(
                f,
                "the instance id {was}, which data servers are bound to: there is {is} instead"
            ),
            Self::Shards { namespace, shards } => {
                write!(f, "shards of {namespace} that were there before: {shards}")
            }
        }
    }
}

/// Everything that a document lacks, by itself and by what is remembered of the one before.
pub(crate) fn lacks(status: &ClusterStatus, remembered: Option<&Remembered>) -> Vec<Lack> {
    let mut lacks: Vec<Lack> = status
        .problems()
        .into_iter()
        .filter_map(of_problem)
        .collect();
    let shards = remembered
        .into_iter()
        .flat_map(|it| lost_shards(status, it));
    lacks.extend(shards);
    lacks.extend(lost_id(status, remembered));
    lacks
}

/// Those that nobody has accepted by their names.
pub(crate) fn but_for(lacks: Vec<Lack>, accepted: &[String]) -> Vec<Lack> {
    let is_accepted = |lack: &Lack| accepted.contains(&lack.name());
    lacks.into_iter().filter(|it| !is_accepted(it)).collect()
}

/// The first of them, and how many more there are.
pub(crate) fn listed(lacks: &[Lack]) -> String {
    const MOST: usize = 5;
    let mut words: Vec<String> = lacks.iter().take(MOST).map(ToString::to_string).collect();
    let more = lacks.len().saturating_sub(MOST);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words.join("; ")
}

/// Whether it is one that [`lacks`] tells.
pub(crate) fn is_lack(problem: &StatusProblem) -> bool {
    of_problem(problem.clone()).is_some()
}

/// How a document differs from what is remembered of the one before, in words.
pub(crate) fn changes(status: &ClusterStatus, remembered: &Remembered) -> Vec<String> {
    let lost = lost_shards(status, remembered);
    let lost = lost.into_iter().chain(lost_id(status, Some(remembered)));
    let mut changes: Vec<String> = lost.map(|lack| format!("it lacks {lack}")).collect();
    for (name, now) in Remembered::of(status).shards {
        let before = remembered.shards.get(&name);
        let is_new = |id: &i64| !before.is_some_and(|it| it.contains(*id));
        let new: Ids = now.iter().filter(is_new).collect();
        if !new.is_empty() {
            changes.push(format!(
                "it has shards of {name} that were not there before: {new}"
            ));
        }
    }
    changes
}

fn of_problem(problem: StatusProblem) -> Option<Lack> {
    match problem {
        StatusProblem::Gap { namespace, range } => Some(Lack::Hashes { namespace, range }),
        StatusProblem::NoEnsemble { namespace, shard } => Some(Lack::Ensemble { namespace, shard }),
        StatusProblem::NoRange { namespace, shard } => Some(Lack::Range { namespace, shard }),
        StatusProblem::ForeignLeader { .. }
        | StatusProblem::GeneratorTooLow { .. }
        | StatusProblem::InstanceId { .. }
        | StatusProblem::Overlap { .. }
        | StatusProblem::RepeatedMember { .. }
        | StatusProblem::SharedShardId { .. } => None,
    }
}

/// The shards that are gone, but for those in whose place others have come since: a coordinator that can
/// has split them, and a hash that nobody serves then is missed by itself.
fn lost_shards(status: &ClusterStatus, remembered: &Remembered) -> Vec<Lack> {
    let mut lost = Vec::new();
    for (name, before) in &remembered.shards {
        let now = status.namespaces.get(name.as_str());
        let here = now.into_iter().flat_map(|it| it.shards.keys());
        let gone = before.without(&here.map(|id| id.0).collect());
        let has_new = now.is_some_and(|it| it.shards.keys().any(|id| !before.contains(id.0)));
        if !gone.is_empty() && !has_new {
            lost.push(Lack::Shards {
                namespace: name.as_str().into(),
                shards: gone,
            });
        }
    }
    lost
}

fn lost_id(status: &ClusterStatus, remembered: Option<&Remembered>) -> Option<Lack> {
    let is = &*status.instance_id;
    let was = remembered.map(|it| it.instance_id.clone());
    let was = was.filter(|it| !it.is_empty());
    match was {
        Some(was) if !is.is_empty() && was != is => Some(Lack::SameInstanceId {
            is: is.to_owned(),
            was,
        }),
        was if is.is_empty() && (was.is_some() || has_terms(status)) => {
            Some(Lack::InstanceId { was })
        }
        Some(_) | None => None,
    }
}

/// Whether data servers were told of a shard, and so are bound.
fn has_terms(status: &ClusterStatus) -> bool {
    status.shards().any(|(_, _, shard)| shard.term.0 >= 0)
}

#[cfg(test)]
mod tests;
