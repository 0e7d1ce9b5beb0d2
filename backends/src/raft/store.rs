//! The status document, as one coordinator reads and writes it through its node.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stepdown_core::Version;
use stepdown_core::store::{
    Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument, StoreOutcome,
};
use tokio::sync::watch;

use super::assemble::Owned;
use super::command::{Applied, Command, Store};
use super::delta::Delta;
use super::machine::StatusRecord;
use super::node::Node;
use super::seat::{Coordinator, Sitter};
use crate::backend::StatusStore;
use crate::under_way::UnderWay;

const RETRY: Duration = Duration::from_millis(200);
/// What every node takes in one message, with room to spare.
pub(super) const MAX_BYTES: u64 = 32 << 20;

pub(super) struct RaftStore {
    pub(super) writer: Writer,
    /// How many stores are under way.
    pub(super) stores: watch::Sender<usize>,
    pub(super) _owned: Owned,
}

/// What a store takes with it.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) node: Arc<Node>,
    pub(super) coordinator: Coordinator,
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
        match &held.machine.status {
            None => LoadOutcome::Absent { epoch },
            Some(record) => LoadOutcome::Found(LoadedStatus {
                version: version(record.version),
                epoch,
                write_id: record.write_id,
                intact: record.write_id.is_some(),
                status: record.status.clone(),
                bytes: record.status.estimated_bytes(),
            }),
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
        let writer = self.writer.clone();
        let under_way = UnderWay::begin(&self.stores);
        // It goes on even if nobody waits for it any more.
        let write = tokio::spawn(async move {
            let outcome = writer.store(expected, document).await;
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
        let bytes = document.status.estimated_bytes();
        if bytes > MAX_BYTES {
            return StoreOutcome::TooLarge(format!("{bytes} bytes are more than {MAX_BYTES}"));
        }
        let base = match self.base(expected.as_ref(), &document).await {
            Ok(base) => base,
            Err(outcome) => return outcome,
        };
        let expected = base.as_ref().map(|record| record.version);
        let base = base.unwrap_or_default();
        let command = Command::Store(Store {
            expected,
            epoch: document.epoch,
            write_id: document.write_id,
            delta: Delta::between(&base.status, &document.status),
            checksum: base.checksum.after(&base.status, &document.status),
        });
        match self.node.write(command).await {
            Ok(applied) => outcome(applied),
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
            present => StoreOutcome::Conflict(format!(
                "the document is at {}, not at {}",
                shown(present.as_ref().map(named).as_ref()),
                shown(expected)
            )),
        })
    }

    /// Whether its coordinator leads: it sits, and the node leads in the same term as then.
    fn leads(&self) -> bool {
        match self.node.seat.sitter() {
            Sitter::Coordinator(present, term) => {
                present == self.coordinator && self.node.leads() == Some(term)
            }
            Sitter::Nobody | Sitter::Promised(_) => false,
        }
    }
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
