//! Why the machine wants to be woken.

/// Why the machine wants to be woken; for people who debug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Authority ends.
    Authority,
    /// The next campaign begins.
    Campaign,
    /// A server, a shard, a push or a sweep is due.
    Controllers,
    /// The document is loaded again.
    Load,
    /// The office should have been opened by now, or should be of some use.
    Office,
    /// A store, a read-back or a look at the version is due.
    Store,
}
