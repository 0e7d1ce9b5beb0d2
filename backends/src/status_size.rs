//! How full the place is that the status document is kept in.

use std::fmt;

use tokio::sync::watch;

/// The size of the status as it is stored, and what there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusSize {
    /// What is stored, in bytes: beside the status what counts against the same limit.
    pub bytes: usize,
    /// The most that it may be, in bytes.
    pub limit: usize,
}

impl StatusSize {
    /// What a backend without a limit has to tell: nothing, ever.
    pub(crate) fn unlimited() -> watch::Receiver<Option<Self>> {
        watch::channel(None).1
    }
}

impl fmt::Display for StatusSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.bytes, self.limit)
    }
}
