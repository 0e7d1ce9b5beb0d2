//! Reads back what one shard has acknowledged.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::Writer;
use super::outcome::Entries;
use super::shard::{Found, ShardLoad};
use crate::proto::Entry;
use crate::proto::data_client::DataClient;

const AT_ONCE: usize = 64;
const AGAIN: Duration = Duration::from_millis(50);

/// Reads from one shard after the other.
pub(super) async fn read_all(readers: Vec<Reader>, deadline: Instant) -> Entries {
    let mut entries = Entries::default();
    for reader in readers {
        entries += reader.read(deadline).await;
    }
    entries
}

/// Reads from whoever leads.
#[derive(Clone)]
pub(super) struct Reader {
    load: Arc<ShardLoad>,
    leader: watch::Receiver<Option<DataClient<Channel>>>,
}

impl Reader {
    pub(super) fn of(writer: &Writer) -> Self {
        Self {
            load: Arc::clone(&writer.load),
            leader: writer.leader.subscribe(),
        }
    }

    /// Reads every entry; asks again where none answers, until `deadline`.
    async fn read(self, deadline: Instant) -> Entries {
        let mut entries = Entries::default();
        let mut found = stream::iter(self.load.entries())
            .map(|entry| self.clone().find(entry, deadline))
            .buffer_unordered(AT_ONCE);
        while let Some(found) = found.next().await {
            entries.acknowledged += 1;
            match found {
                Found::There => entries.verified += 1,
                Found::Lost => entries.lost += 1,
                Found::Unread => {}
            }
        }
        entries
    }

    async fn find(self, entry: Entry, deadline: Instant) -> Found {
        loop {
            let client = self.leader.borrow().clone();
            if let Some(found) = self.load.find(client, entry).await {
                return found;
            }
            if Instant::now() >= deadline {
                return Found::Unread;
            }
            sleep(AGAIN).await;
        }
    }
}
