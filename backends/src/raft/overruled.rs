//! A leader that takes back what is known here to be stored.
//!
//! That a majority has an entry is final, and Raft takes it for granted: it looks at nothing that a leader
//! says of what is committed. But a majority of which one has forgotten what it had, as its directory is an
//! older copy, elects a leader that stores something else there.

use openraft::LogId;

use super::machine::Machine;
use super::types::NodeId;

/// What is taken back. The node must not go on: there are two histories by now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overruled {
    /// A document is at a version before the one here.
    #[error(
        "the {what} is at {ours} here, and the leader, which has more entries, has it at {theirs}: \
         {ADVICE}"
    )]
    Document {
        /// Which one.
        what: &'static str,
        /// Its version here.
        ours: u64,
        /// Its version there.
        theirs: u64,
    },
    /// There is another entry in the place of one that was committed.
    #[error(
        "entry {0} was committed here, and the leader has another there or before it: {ADVICE}"
    )]
    Entry(u64),
}

const ADVICE: &str = "a node was started on an old copy of its directory; export the documents of \
                      every node before you go on";

/// Whether an entry can be of the log in which this one is committed: leaders come one after another.
pub(super) fn agrees(id: &LogId<NodeId>, committed: &LogId<NodeId>) -> Result<(), Overruled> {
    let by_index = id.index.cmp(&committed.index);
    let by_leader = id.leader_id.cmp(&committed.leader_id);
    if by_leader == by_index || (by_leader.is_eq() && by_index.is_ne()) {
        Ok(())
    } else {
        Err(Overruled::Entry(committed.index))
    }
}

/// Whether a machine that is further gives up what this one has.
pub(super) fn takes_back(ours: &Machine, theirs: &Machine) -> Result<(), Overruled> {
    let versions = |it: &Machine| {
        [
            ("status", it.version().unwrap_or_default()),
            ("configuration", it.configuration.version),
        ]
    };
    for ((what, ours), (_, theirs)) in versions(ours).into_iter().zip(versions(theirs)) {
        if theirs < ours {
            return Err(Overruled::Document { what, ours, theirs });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use openraft::testing::log_id;

    use super::*;

    #[test]
    fn an_entry_agrees_with_a_committed_one_if_both_can_be_of_one_log() {
        let committed = log_id(3, 1, 10);
        for id in [
            log_id(3, 1, 10),
            log_id(3, 1, 9),
            log_id(2, 7, 9),
            log_id(3, 1, 11),
            log_id(3, 2, 11),
            log_id(4, 1, 11),
        ] {
            assert_eq!(agrees(&id, &committed), Ok(()), "{id}");
        }
        for id in [
            log_id(4, 1, 10),
            log_id(2, 1, 10),
            log_id(4, 1, 9),
            log_id(3, 2, 9),
            log_id(2, 7, 11),
        ] {
            assert_eq!(agrees(&id, &committed), Err(Overruled::Entry(10)), "{id}");
        }
    }
}
