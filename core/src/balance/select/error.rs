//! Why there is no ensemble.

use std::sync::Arc;

/// No ensemble can be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectionError {
    /// There are fewer servers than replicas.
    #[error("{needed} servers are needed and there are {servers}; add servers")]
    TooFewServers {
        /// How many more servers the ensemble needs.
        needed: usize,
        /// How many there are to choose from.
        servers: usize,
    },
    /// A strict rule asks for more values of a label than there are.
    #[error(
        "antiAffinities[{rule}] is strict and needs {needed} different values of the label \
         '{label}', and the servers that may be chosen have {values}; label more servers, add \
         some, or make the rule relaxed"
    )]
    TooFewValues {
        /// The rule's place in the namespace's list.
        rule: usize,
        /// Its label.
        label: Arc<str>,
        /// How many values are needed.
        needed: usize,
        /// How many there are, of servers that have all strict labels.
        values: usize,
    },
    /// Each strict rule could be kept, but not all at once.
    #[error(
        "no {needed} servers differ in all labels that strict anti-affinities name: {}; \
         label or add servers, or make a rule relaxed", .labels.join(", ")
    )]
    Unsatisfiable {
        /// How many servers are needed.
        needed: usize,
        /// The labels.
        labels: Vec<Arc<str>>,
    },
    /// The search took too long.
    #[error(
        "no {needed} servers that differ in all labels that strict anti-affinities name were \
         found in time: {}; make a rule relaxed", .labels.join(", ")
    )]
    TooHard {
        /// How many servers are needed.
        needed: usize,
        /// The labels.
        labels: Vec<Arc<str>>,
    },
}
