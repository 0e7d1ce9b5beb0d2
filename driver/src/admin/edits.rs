//! Changes of the configuration: read, changed, judged as any configuration is, and stored if nobody
//! else has written in between; else all of it again.

use std::sync::Arc;
use std::time::Duration;

use stepdown_backends::configuration::judge;
use stepdown_backends::{ConfigurationStore, ConfigurationStoreError, StoredConfiguration};
use stepdown_core::cluster::{ClusterConfiguration, EditError};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tonic::Status;

use super::latest::{Latest, said};
use super::office::Office;
use super::refusals::{not_edited, not_stored};

/// Changes that are under way at once.
const AT_ONCE: usize = 8;
/// How often one is tried where others write as well.
const TRIES: u32 = 5;
/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a change may wait for a document to come into force. A call has a little longer.
const PATIENCE: Duration = Duration::from_secs(7);

pub(super) struct Edits {
    store: Arc<dyn ConfigurationStore>,
    latest: Latest,
    places: Semaphore,
    /// Those of one coordinator don't get into each other's way.
    turn: Mutex<()>,
}

impl Edits {
    pub(super) fn new(store: Arc<dyn ConfigurationStore>, latest: Latest) -> Self {
        Self {
            store,
            latest,
            places: Semaphore::new(AT_ONCE),
            turn: Mutex::default(),
        }
    }

    /// Makes a change, and answers what it answers once it is stored.
    pub(super) async fn make<T>(
        &self,
        office: &Office,
        edit: impl Fn(&mut ClusterConfiguration) -> Result<T, EditError> + Send + Sync,
    ) -> Result<T, Status> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Status::resource_exhausted(format!(
                "{AT_ONCE} changes are under way; try again"
            )));
        };
        let until = Instant::now() + PATIENCE;
        let turn = tokio::time::timeout_at(until, self.turn.lock()).await;
        let Ok(_turn) = turn else {
            return Err(Status::unavailable(
                "other changes take their time, and this one was not made; try again",
            ));
        };
        let mut tries = 0;
        loop {
            office.open()?;
            let (stored, before) = self.accepted(office, until).await?;
            let mut after = before.clone();
            let answer = edit(&mut after).map_err(|error| not_edited(&error))?;
            if after == before {
                return Ok(answer);
            }
            let text = judged(&after).await?;
            // The machine may have left office while this was judged.
            office.open()?;
            match self.store(&stored, text, &after).await {
                Ok(()) => {
                    self.latest.wrote(Arc::new(after));
                    return Ok(answer);
                }
                Err(ConfigurationStoreError::Conflict(_)) if tries < TRIES => {
                    tries += 1;
                    sleep(PAUSE * tries).await;
                }
                Err(error) => return Err(not_stored(&error)),
            }
        }
    }

    /// The document as it is stored, once it is one that this coordinator goes by. What somebody is
    /// writing may lack what he is about to add; what is refused has to be mended by whoever wrote it.
    async fn accepted(
        &self,
        office: &Office,
        until: Instant,
    ) -> Result<(StoredConfiguration, ClusterConfiguration), Status> {
        loop {
            let stored = self
                .store
                .load()
                .await
                .map_err(|error| not_stored(&error))?;
            let wait = match said(stored.text.as_deref()) {
                Ok(None) => {
                    if self.latest.is_accepted(None) && office.open()?.status.namespaces.is_empty()
                    {
                        return Ok((stored, ClusterConfiguration::default()));
                    }
                    "there is no configuration, though the cluster has one: put it back first"
                        .to_owned()
                }
                Ok(Some(configuration)) if self.latest.is_accepted(Some(&configuration)) => {
                    return Ok((stored, configuration));
                }
                Ok(Some(_)) => {
                    "it is not in force: it was refused, which the log says, or is being written"
                        .to_owned()
                }
                Err(error) => format!("it can't be read: {error}"),
            };
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(Status::failed_precondition(format!(
                    "the configuration can't be changed as it is stored: {wait}"
                )));
            }
            // It may have come into force before this waits for that.
            self.latest
                .changed(rest.min(Duration::from_millis(500)))
                .await;
        }
    }

    async fn store(
        &self,
        stored: &StoredConfiguration,
        text: String,
        after: &ClusterConfiguration,
    ) -> Result<(), ConfigurationStoreError> {
        match self.store.store(&stored.version, text).await {
            Ok(_) => Ok(()),
            Err(ConfigurationStoreError::Unknown(reason)) => match self.store.load().await {
                Ok(StoredConfiguration {
                    text: Some(text), ..
                }) if ClusterConfiguration::decode(&text).as_ref() == Ok(after) => Ok(()),
                Ok(_) | Err(_) => Err(ConfigurationStoreError::Unknown(reason)),
            },
            Err(error) => Err(error),
        }
    }
}

/// The text of a configuration that can be put in force.
async fn judged(configuration: &ClusterConfiguration) -> Result<String, Status> {
    let expected = configuration.clone();
    // A large document takes its time.
    let judged = spawn_blocking(move || {
        let text = expected.encode();
        match judge(Some(&text)).verdict {
            Ok(read) if read == expected => Ok(text),
            Ok(_) => Err(Status::internal(
                "the configuration would be read otherwise than it is meant; nothing was changed",
            )),
            Err(problems) => Err(Status::invalid_argument(problems)),
        }
    });
    judged
        .await
        .unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}
