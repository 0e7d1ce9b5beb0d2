//! The status document, as one coordinator reads and writes it through its node.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stepdown_core::Version;
use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome, WrittenBy,
};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::debug;

use super::assemble::Owned;
use super::command::{Applied, Command, Store};
use super::delta::Delta;
use super::error::WriteError;
use super::machine::StatusRecord;
use super::node::Node;
use super::room::{check_status, size};
use super::seat::{Coordinator, Sitter};
use crate::backend::StatusStore;
use crate::status_size::StatusSize;
use crate::under_way::UnderWay;

const RETRY: Duration = Duration::from_millis(200);

pub(super) struct RaftStore {
    pub(super) writer: Writer,
    /// How many stores are under way.
    pub(super) stores: watch::Sender<usize>,
    /// How much room the status takes.
    pub(super) sizes: watch::Sender<Option<StatusSize>>,
    pub(super) _owned: Owned,
}

/// What a store takes with it.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) node: Arc<Node>,
    pub(super) coordinator: Coordinator,
    /// What was stored last, as it was given. The next one shares most of it; with the machine's
    /// copy, which came out of the log, it shares nothing.
    pub(super) stored: Arc<Mutex<Option<StatusRecord>>>,
}

#[async_trait]
impl StatusStore for RaftStore {
    async fn load(&self) -> LoadOutcome {
        let held = match self.writer.node.read().await {
            Ok(held) => held,
            Err(reason) => {
                let after = RETRY;
                return LoadOutcome::Unavailable { after, reason };
            }
        };
        let epoch = held.machine.epoch;
        // Another one may have stored since.
        *self.writer.last() = None;
        match &held.machine.status {
            None => LoadOutcome::Absent { epoch },
            Some(record) if !is_whole(record).await => {
                LoadOutcome::Corrupt(self.writer.is_damaged().to_owned())
            }
            Some(record) => {
                self.sizes.send_replace(Some(size(&record.status)));
                LoadOutcome::Found(LoadedStatus {
                    version: version(record.version),
                    epoch,
                    write_id: record.write_id,
                    intact: record.write_id.is_some(),
                    status: record.status.clone(),
                    bytes: record.status.estimated_bytes(),
                })
            }
        }
    }

    async fn head(&self) -> HeadOutcome {
        match self.writer.node.read().await {
            Ok(held) => match &held.machine.status {
                None => HeadOutcome::Absent,
                Some(record) => HeadOutcome::Found(Head {
                    version: version(record.version),
                    write_id: record.write_id,
                    intact: record.write_id.is_some(),
                }),
            },
            Err(reason) => {
                let after = RETRY;
                HeadOutcome::Unavailable { after, reason }
            }
        }
    }

    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        let (writer, sizes) = (self.writer.clone(), self.sizes.clone());
        let under_way = UnderWay::begin(&self.stores);
        // It goes on even if nobody waits for it any more.
        let write = tokio::spawn(async move {
            let (write_id, status) = (document.write_id, document.status.clone());
            let outcome = writer.store(expected, document).await;
            if let StoreOutcome::Stored(version) = &outcome {
                debug!(version = &*version.0, %write_id, "A majority has the status");
                sizes.send_replace(Some(size(&status)));
            }
            drop(under_way);
            outcome
        });
        write
            .await
            .unwrap_or_else(|error| StoreOutcome::Ambiguous(error.to_string()))
    }
}

impl Writer {
    async fn store(&self, expected: Option<Version>, document: StatusDocument) -> StoreOutcome {
        if !self.leads() {
            return StoreOutcome::Conflict("this node does not lead".to_owned());
        }
        if let Err(reason) = check_status(&document) {
            return StoreOutcome::TooLarge(reason);
        }
        let base = match self.base(expected.as_ref(), &document).await {
            Ok(base) => base,
            Err(outcome) => return outcome,
        };
        let expected = base.as_ref().map(|record| record.version);
        let base = match self.as_given(base.unwrap_or_default()).await {
            Ok(base) => base,
            Err(reason) => return StoreOutcome::Conflict(reason.to_owned()),
        };
        let checksum = base.checksum.after(&base.status, &document.status);
        let command = Command::Store(Store {
            expected,
            epoch: document.epoch,
            write_id: document.write_id,
            base: base.checksum,
            delta: Delta::between(&base.status, &document.status),
            checksum,
        });
        match self.node.write(command).await {
            Ok(applied) => {
                if let Applied::Stored(version) = applied {
                    *self.last() = Some(StatusRecord {
                        version,
                        write_id: Some(document.write_id),
                        checksum,
                        status: document.status,
                    });
                }
                outcome(applied)
            }
            Err(error @ WriteError::TooLarge { .. }) => StoreOutcome::TooLarge(error.to_string()),
            // Even an entry that this node had to drop may have reached a node that leads later.
            Err(error) => StoreOutcome::Ambiguous(error.to_string()),
        }
    }

    /// The document that the new one is compared with, if it is the expected one. It may only be
    /// that this node has not applied it yet: that is waited for.
    async fn base(
        &self,
        expected: Option<&Version>,
        document: &StatusDocument,
    ) -> Result<Option<StatusRecord>, StoreOutcome> {
        let is_expected =
            |record: &Option<StatusRecord>| record.as_ref().map(named).as_ref() == expected;
        let present = self.node.held().machine.status.clone();
        if is_expected(&present) {
            return Ok(present);
        }
        let held = self.node.read().await.map_err(|reason| {
            let after = RETRY;
            StoreOutcome::Unavailable { after, reason }
        })?;
        let present = held.machine.status.clone();
        if is_expected(&present) {
            return Ok(present);
        }
        Err(match present {
            Some(record) if record.write_id == Some(document.write_id) => {
                StoreOutcome::Stored(named(&record))
            }
            Some(record) => {
                let (write_id, intact) = (record.write_id, true);
                StoreOutcome::Conflict(format!(
                    "the document is at {}, written {}, and not at {}",
                    named(&record),
                    WrittenBy { write_id, intact },
                    shown(expected)
                ))
            }
            None => StoreOutcome::Conflict(format!(
                "there is no document, and not one at {}",
                shown(expected)
            )),
        })
    }

    /// The same document as it was given to be stored, if this one has stored it. Else what is to be
    /// said of the next one is said of this node's copy, which has to be what the others have.
    async fn as_given(&self, base: StatusRecord) -> Result<StatusRecord, &'static str> {
        let stored = self.last().clone();
        let same = stored.filter(|it| {
            let key = |it: &StatusRecord| (it.version, it.write_id, it.checksum);
            key(it) == key(&base)
        });
        match same {
            Some(same) => Ok(same),
            None if is_whole(&base).await => Ok(base),
            None => Err(self.is_damaged()),
        }
    }

    /// What is on the disk may be whole: the process ends, and is started again.
    fn is_damaged(&self) -> &'static str {
        let reason = "this node's copy of the status has changed in its memory";
        self.node.failure.send_replace(Some(reason.into()));
        reason
    }

    fn last(&self) -> MutexGuard<'_, Option<StatusRecord>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its coordinator leads: it sits, and the node leads in the same term as then.
    fn leads(&self) -> bool {
        match self.node.seat.sitter() {
            Sitter::Coordinator(present, term) => {
                present == self.coordinator && self.node.leads() == Some(term)
            }
            Sitter::Nobody | Sitter::Promised(..) => false,
        }
    }
}

/// Whether the whole status is as it should be: with many shards it takes a while to look.
async fn is_whole(record: &StatusRecord) -> bool {
    let record = record.clone();
    let looked = spawn_blocking(move || record.is_whole());
    // It fails only where the process ends.
    looked.await.unwrap_or(true)
}

fn outcome(applied: Applied) -> StoreOutcome {
    match applied {
        Applied::Stored(number) => StoreOutcome::Stored(version(number)),
        Applied::Refused(refusal) => StoreOutcome::Conflict(refusal.to_string()),
        other @ (Applied::Configured(_) | Applied::Formed(_) | Applied::Nothing) => {
            StoreOutcome::Invalid(format!("a store was answered by {other:?}"))
        }
    }
}

fn named(record: &StatusRecord) -> Version {
    version(record.version)
}

fn version(number: u64) -> Version {
    Version::new(number.to_string())
}

fn shown(version: Option<&Version>) -> &str {
    version.map_or("none", |version| &version.0)
}
