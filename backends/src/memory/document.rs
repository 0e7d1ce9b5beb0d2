//! The status document, its version, and what is to go wrong with it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
};
use stepdown_core::{Epoch, Version, WriteId};
use tokio::sync::watch;

use super::fault::Fault;

/// One coordinator, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coordinator(usize);

#[derive(Default)]
pub(super) struct Documents {
    content: Content,
    /// The number of the version given last; none is ever given twice.
    last_version: u64,
    epoch: Epoch,
    pub(super) accepted: u64,
    pub(super) faults: VecDeque<Fault>,
    pub(super) failed_reads: u32,
    pub(super) byte_limit: Option<u64>,
    pub(super) shard_limit: Option<usize>,
    hints: Vec<watch::Sender<u64>>,
}

#[derive(Default)]
enum Content {
    #[default]
    Absent,
    Corrupt(String),
    Found {
        version: Version,
        write_id: Option<WriteId>,
        intact: bool,
        status: Arc<ClusterStatus>,
    },
}

impl Documents {
    pub(super) fn join(&mut self) -> (Coordinator, watch::Receiver<u64>) {
        let (sender, receiver) = watch::channel(0);
        self.hints.push(sender);
        (Coordinator(self.hints.len()), receiver)
    }

    /// Compares and sets.
    pub(super) fn store(
        &mut self,
        by: Coordinator,
        expected: Option<&Version>,
        document: StatusDocument,
    ) -> StoreOutcome {
        let present = match &self.content {
            Content::Absent => None,
            Content::Corrupt(reason) => return StoreOutcome::Corrupt(reason.clone()),
            Content::Found { version, .. } => Some(version),
        };
        if present != expected {
            return StoreOutcome::Conflict(format!(
                "the document is at {}, not at {}",
                shown(present),
                shown(expected)
            ));
        }
        let too_large = self.too_large(&document.status).or_else(|| {
            let grown = document.admits.then(|| document.status.grown())?;
            self.too_large(&grown)
        });
        if let Some(reason) = too_large {
            return StoreOutcome::TooLarge(reason);
        }
        let version = self.next_version();
        self.epoch = self.epoch.max(document.epoch);
        self.accepted += 1;
        self.content = Content::Found {
            version: version.clone(),
            write_id: Some(document.write_id),
            intact: true,
            status: document.status,
        };
        self.hint(Some(by));
        StoreOutcome::Stored(version)
    }

    pub(super) fn load(&mut self) -> LoadOutcome {
        if self.fails_read() {
            return LoadOutcome::Unavailable {
                after: RETRY,
                reason: INJECTED.to_owned(),
            };
        }
        match &self.content {
            Content::Absent => LoadOutcome::Absent { epoch: self.epoch },
            Content::Corrupt(reason) => LoadOutcome::Corrupt(reason.clone()),
            Content::Found {
                version,
                write_id,
                intact,
                status,
            } => LoadOutcome::Found(LoadedStatus {
                version: version.clone(),
                epoch: self.epoch,
                write_id: *write_id,
                intact: *intact,
                status: status.clone(),
                bytes: status.estimated_bytes(),
            }),
        }
    }

    pub(super) fn head(&mut self) -> HeadOutcome {
        if self.fails_read() {
            return HeadOutcome::Unavailable {
                after: RETRY,
                reason: INJECTED.to_owned(),
            };
        }
        match &self.content {
            Content::Absent => HeadOutcome::Absent,
            Content::Corrupt(reason) => HeadOutcome::Corrupt(reason.clone()),
            Content::Found {
                version,
                write_id,
                intact,
                ..
            } => HeadOutcome::Found(Head {
                version: version.clone(),
                write_id: *write_id,
                intact: *intact,
            }),
        }
    }

    pub(super) fn overwrite(&mut self, status: Arc<ClusterStatus>) -> Version {
        let version = self.next_version();
        self.content = Content::Found {
            version: version.clone(),
            write_id: None,
            intact: false,
            status,
        };
        self.hint(None);
        version
    }

    pub(super) fn corrupt(&mut self, reason: &str) {
        self.content = Content::Corrupt(reason.to_owned());
        self.hint(None);
    }

    pub(super) fn erase(&mut self) {
        self.content = Content::Absent;
        self.hint(None);
    }

    pub(super) fn status(&self) -> Option<Arc<ClusterStatus>> {
        match &self.content {
            Content::Absent | Content::Corrupt(_) => None,
            Content::Found { status, .. } => Some(status.clone()),
        }
    }

    fn too_large(&self, status: &ClusterStatus) -> Option<String> {
        if let Some(limit) = self.byte_limit {
            let bytes = status.estimated_bytes();
            if bytes > limit {
                return Some(format!("{bytes} bytes are more than {limit}"));
            }
        }
        if let Some(limit) = self.shard_limit {
            let shards = status.shards().count();
            if shards > limit {
                return Some(format!("{shards} shards are more than {limit}"));
            }
        }
        None
    }

    fn fails_read(&mut self) -> bool {
        let fails = self.failed_reads > 0;
        self.failed_reads = self.failed_reads.saturating_sub(1);
        fails
    }

    fn next_version(&mut self) -> Version {
        self.last_version += 1;
        Version::new(self.last_version.to_string())
    }

    /// Nobody needs a hint of his own write.
    fn hint(&self, by: Option<Coordinator>) {
        for (index, hints) in self.hints.iter().enumerate() {
            if by != Some(Coordinator(index + 1)) {
                hints.send_modify(|count| *count += 1);
            }
        }
    }
}

pub(super) const RETRY: Duration = Duration::from_millis(100);
pub(super) const INJECTED: &str = "made to fail";

fn shown(version: Option<&Version>) -> &str {
    version.map_or("none", |version| &version.0)
}
