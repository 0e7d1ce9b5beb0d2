//! Why the data of one that has left a shard, or of a shard that is deleted, is still there.

use super::context::Known;
use crate::call::CallErrorKind;
use crate::cluster::DataServerIdentity;
use crate::id::ServerId;

/// What keeps a data server from deleting what it has of a shard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Holdup {
    /// It does not answer.
    #[error("it is away; forget it if it never comes back")]
    Away,
    /// It answers, and says that it does not serve.
    #[error("it does not serve yet")]
    NotServing,
    /// It says that it belongs to another cluster.
    #[error("it belongs to another cluster")]
    Foreign,
    /// It is asked once somebody leads.
    #[error("nobody leads the shard")]
    NotLed,
    /// At its address is one by now that has to keep what it has.
    #[error("{0}, which keeps the shard, is at its address by now")]
    Replaced(ServerId),
    /// It is asked again and again.
    #[error("it does not do so ({0:?})")]
    Refused(CallErrorKind),
    /// What has left may be needed until this replica has all that is committed.
    #[error("{0}, a replica, does not have all that is committed yet")]
    Behind(ServerId),
    /// This one may still lead, and would feed again whoever has deleted.
    #[error("{0} has not said yet that it leads no more; forget that one if it never comes back")]
    Unfenced(ServerId),
}

impl Holdup {
    /// Where nothing else matters than that the server can't be asked.
    pub(super) fn of_absence(server: &DataServerIdentity, known: &Known<'_>) -> Option<Self> {
        if known.is_away(server) {
            return Some(Self::Away);
        }
        known.is_foreign(server).then_some(Self::Foreign)
    }
}
