//! Looks at every version of the status document that it can see.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, WatchParams};
use kube::core::WatchEvent;
use stepdown_core::Epoch;
use stepdown_core::cluster::ClusterStatus;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::documents::{Documents, STATUS, text};
use crate::processes::History;

const AGAIN: Duration = Duration::from_millis(100);

/// Whoever watches the status document, and judges it.
#[derive(Debug)]
pub struct Onlooker {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    history: History,
    fenced: Option<Arc<ClusterStatus>>,
    wrong: Option<String>,
    is_away: bool,
}

impl Onlooker {
    /// Begins.
    pub fn new(documents: &Documents) -> Self {
        Self::with(documents, History::default())
    }

    /// Begins, and judges by this.
    pub fn with(documents: &Documents, history: History) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            history,
            ..Seen::default()
        }));
        let task = tokio::spawn(watch(documents.config_maps.clone(), seen.clone()));
        Self { seen, task }
    }

    /// The greatest epoch seen.
    pub fn epoch(&self) -> Epoch {
        locked(&self.seen).history.epoch
    }

    /// The first status seen of the greatest epoch: what its leader has found.
    pub fn fenced(&self) -> Option<Arc<ClusterStatus>> {
        locked(&self.seen).fenced.clone()
    }

    /// How many different documents were seen.
    pub fn documents(&self) -> u64 {
        locked(&self.seen).history.documents
    }

    /// The first thing that was wrong.
    pub fn wrong(&self) -> Option<String> {
        locked(&self.seen).wrong.clone()
    }

    /// No longer judges the document: from now on it is put back on purpose.
    pub fn look_away(&self) {
        locked(&self.seen).is_away = true;
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(config_maps: Api<ConfigMap>, seen: Arc<Mutex<Seen>>) {
    loop {
        let got = timeout(Duration::from_secs(5), config_maps.get_opt(STATUS)).await;
        if let Ok(Ok(Some(object))) = got {
            locked(&seen).take(&object);
            let version = object.metadata.resource_version.unwrap_or_default();
            let params = WatchParams::default()
                .fields(&format!("metadata.name={STATUS}"))
                .timeout(60);
            if let Ok(events) = config_maps.watch(&params, &version).await {
                let mut events = std::pin::pin!(events);
                while let Ok(Some(event)) = events.try_next().await {
                    match event {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                            locked(&seen).take(&object);
                        }
                        WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) | WatchEvent::Error(_) => {
                            break;
                        }
                    }
                }
            }
        }
        sleep(AGAIN).await;
    }
}

impl Seen {
    fn take(&mut self, object: &ConfigMap) {
        if self.is_away {
            return;
        }
        let Some(status) = text(object) else { return };
        let metadata = &object.metadata;
        let said = |key: &str| {
            let annotations = metadata.annotations.as_ref()?;
            annotations.get(key).cloned()
        };
        // The line that a status file begins with says the same.
        let line = match (said("oxia.io/epoch"), said("oxia.io/write-id")) {
            (Some(epoch), Some(write_id)) => {
                let version = metadata.resource_version.clone().unwrap_or_default();
                format!("# oxia v1 version={version} epoch={epoch} write-id={write_id}\n")
            }
            _ => String::new(),
        };
        let epoch = self.history.epoch;
        if let Err(wrong) = self.history.take(line + &status) {
            self.wrong.get_or_insert(wrong);
        }
        if self.history.epoch > epoch {
            self.fenced = ClusterStatus::decode(&status).ok().map(Arc::new);
        }
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
