//! What a backend offers: the status document, leadership, the configuration document, and hints.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{ConfigurationText, Timestamp, Version};
use tokio::sync::{mpsc, watch};

use crate::configuration_store::ConfigurationStore;
use crate::public_address::PublicAddress;
use crate::status_size::StatusSize;

/// Everything that one coordinator needs of a backend.
#[derive(Clone)]
pub struct Backend {
    /// The status document.
    pub store: Arc<dyn StatusStore>,
    /// Who leads.
    pub leadership: Arc<dyn Leadership>,
    /// The configuration document.
    pub configuration: Arc<dyn ConfigurationSource>,
    /// The configuration document, for those who change it by way of this coordinator.
    pub configuration_store: Arc<dyn ConfigurationStore>,
    /// Hints that the status document was changed.
    pub hints: Arc<dyn StatusHints>,
    /// How full the status document's place is, once that is known. Ends with the backend, and at
    /// once where there is no limit.
    pub sizes: watch::Receiver<Option<StatusSize>>,
    /// How often an idle leader has to look at the document's version by itself.
    pub head_check_every: Duration,
    /// Why the backend can't go on in this process, once that is so: whoever runs it is to end, and
    /// to be started again. Ends at once where there is nothing of that kind.
    pub failure: watch::Receiver<Option<Arc<str>>>,
}

/// Of a backend that can always go on.
pub(crate) fn no_failure() -> watch::Receiver<Option<Arc<str>>> {
    watch::channel(None).1
}

/// The status document, guarded by its version.
#[async_trait]
pub trait StatusStore: Send + Sync + 'static {
    /// Reads the whole document, as it is now and not from any cache.
    async fn load(&self) -> LoadOutcome;

    /// Reads only what tells whose the document is.
    async fn head(&self) -> HeadOutcome;

    /// Writes the document, if its version is still `expected` (`None`: if there is none). It
    /// never tries twice by itself. A write that has begun goes on even if the future is dropped.
    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome;
}

/// Who leads.
#[async_trait]
pub trait Leadership: Send + Sync + 'static {
    /// Campaigns, and then holds leadership; reports `Won`, then perhaps `Extended` many times,
    /// and returns after it has reported `Lost`, or when nobody listens any more. Dropping the
    /// future ends a campaign that is not won yet; leadership that is won stays ours (though
    /// perhaps no longer extended) until [`release`](Self::release), so that an office can be
    /// emptied under it.
    async fn lead(&self, reports: mpsc::Sender<LeadershipReport>);

    /// Leadership is to be given back soon, and held on to until then. Returns once whoever follows can
    /// do so at once; at once, where there is nothing to prepare.
    async fn prepare_release(&self) {}

    /// Gives leadership back, once no write of ours is under way any more, so that another may
    /// lead at once. Does nothing where it is not ours.
    async fn release(&self);

    /// The name of whoever leads, if that is known.
    fn leader(&self) -> Option<Arc<str>>;

    /// Where people reach the coordinator of this name, if it leads, or did a moment ago, and has said so.
    fn leader_address(&self, _leader: &str) -> Option<PublicAddress> {
        None
    }

    /// What keeps this candidate from ever leading, as far as is known: not that somebody else leads.
    /// Ends at once where there can be nothing of that kind.
    fn obstacle(&self) -> watch::Receiver<Option<Arc<str>>> {
        no_failure()
    }
}

/// What happens to a campaign and to leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeadershipReport {
    /// We lead; authority ends at this time, or never where leadership is a lock.
    Won {
        /// When authority ends, unless it is extended.
        authority: Option<Timestamp>,
    },
    /// We still lead.
    Extended {
        /// When authority ends now.
        authority: Timestamp,
    },
    /// We do not lead any more.
    Lost {
        /// Why, in the backend's words.
        reason: String,
    },
}

/// The configuration document.
pub trait ConfigurationSource: Send + Sync + 'static {
    /// The document as it was read last, and a notice of every change. `None` until it was read
    /// for the first time.
    fn watch(&self) -> watch::Receiver<Option<ConfigurationText>>;

    /// Looks at it now, rather than when a change of it is noticed. Does nothing where every change
    /// is.
    fn read_again(&self) {}
}

/// Hints that somebody has changed the status document.
pub trait StatusHints: Send + Sync + 'static {
    /// Changes with every hint. Hints may be missing, late or false.
    fn watch(&self) -> watch::Receiver<u64>;
}
