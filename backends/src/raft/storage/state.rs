//! The machine as Raft drives it. It lives in memory; on disk are its last snapshot, and the log.

use std::io::Cursor;
use std::sync::Arc;

use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{
    Entry, EntryPayload, ErrorSubject, ErrorVerb, LogId, OptionalSend, RaftSnapshotBuilder,
    SnapshotMeta, StorageError, StoredMembership,
};
use tokio::sync::watch;

use super::super::command;
use super::super::overruled::takes_back;
use super::super::types::{Member, NodeId, TypeConfig};
use super::database::{Database, before, blocking, put_bytes};
use super::error::{Fault, OpenError};
pub use super::image::Applied as Held;
use super::log::{drop_log, entries};

const SNAPSHOT: &str = "snapshot";

/// The machine of one node.
pub struct StateStore {
    database: Arc<Database>,
    held: watch::Sender<Arc<Held>>,
    /// Whether each entry has to follow the one before it.
    guards: bool,
}

impl StateStore {
    /// The machine as of the last snapshot in this file.
    pub fn new(database: Arc<Database>) -> Result<Self, OpenError> {
        let held = last_held(&database).map_err(|fault| database.refuse(fault))?;
        database.has_snapshot(held.last);
        Ok(Self {
            database,
            held: watch::Sender::new(Arc::new(held)),
            guards: true,
        })
    }

    /// The same, for a suite that leaves entries out.
    #[cfg(test)]
    pub(super) fn unguarded(database: Arc<Database>) -> Result<Self, OpenError> {
        Ok(Self {
            guards: false,
            ..Self::new(database)?
        })
    }

    /// What the machine holds, as it changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Held>> {
        self.held.subscribe()
    }

    fn held(&self) -> Arc<Held> {
        self.held.borrow().clone()
    }
}

/// What the machine would hold, had it taken in all that is in the log of this file. Blocks.
pub fn held_with_log(database: &Database) -> Result<Held, Fault> {
    let mut held = last_held(database)?;
    for entry in entries(database, before(held.last).., usize::MAX)? {
        held.take_in(entry)?;
    }
    Ok(held)
}

impl Held {
    /// Takes in the entry that follows.
    fn take_in(&mut self, entry: Entry<TypeConfig>) -> Result<command::Applied, Fault> {
        let (expected, found) = (before(self.last), entry.log_id.index);
        if found != expected {
            return Err(Fault::Gap { expected, found });
        }
        self.take_in_any(entry)
    }

    fn take_in_any(&mut self, entry: Entry<TypeConfig>) -> Result<command::Applied, Fault> {
        let answer = match entry.payload {
            EntryPayload::Blank => command::Applied::Nothing,
            EntryPayload::Membership(members) => {
                self.membership = StoredMembership::new(Some(entry.log_id), members);
                command::Applied::Nothing
            }
            EntryPayload::Normal(command) => self.machine.apply(&command)?,
        };
        self.last = Some(entry.log_id);
        Ok(answer)
    }
}

impl RaftStateMachine<TypeConfig> for StateStore {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<NodeId>>, StoredMembership<NodeId, Member>), StorageError<NodeId>>
    {
        let held = self.held();
        Ok((held.last, held.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<command::Applied>, StorageError<NodeId>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut held = (*self.held()).clone();
        let mut answers = Vec::new();
        for entry in entries {
            let id = entry.log_id;
            let answer = if self.guards {
                held.take_in(entry)
            } else {
                held.take_in_any(entry)
            };
            let answer = answer.map_err(|fault| {
                let subject = ErrorSubject::Apply(id);
                fault.at(self.database.name(), subject, ErrorVerb::Write)
            })?;
            answers.push(answer);
        }
        self.held.send_replace(Arc::new(held));
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            database: self.database.clone(),
            held: self.held(),
        }
    }

    async fn begin_receiving_snapshot(
        &mut self,
    ) -> Result<Box<Cursor<Vec<u8>>>, StorageError<NodeId>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<NodeId, Member>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<NodeId>> {
        let present = self.held();
        let install = move |database: &Database| {
            let bytes = snapshot.into_inner();
            let held = Held::decode(&bytes).map_err(|it| Fault::Received(Box::new(it)))?;
            takes_back(&present.machine, &held.machine)?;
            keep(database, &bytes, held.last, Kept::InsteadOfTheLog)?;
            Ok(held)
        };
        let held = blocking(&self.database, install).await.map_err(|fault| {
            self.database.has_no_later_snapshot();
            let subject = ErrorSubject::Snapshot(Some(meta.signature()));
            fault.at(self.database.name(), subject, ErrorVerb::Write)
        })?;
        self.held.send_replace(Arc::new(held));
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<Snapshot<TypeConfig>>, StorageError<NodeId>> {
        let read = |database: &Database| {
            let Some(bytes) = database.read_bytes(SNAPSHOT)? else {
                return Ok(None);
            };
            let meta = Held::decode(&bytes)?.meta();
            Ok(Some((meta, bytes)))
        };
        let found = blocking(&self.database, read).await;
        let found = found.map_err(|fault| {
            fault.at(
                self.database.name(),
                ErrorSubject::Snapshot(None),
                ErrorVerb::Read,
            )
        })?;
        Ok(found.map(|(meta, bytes)| snapshot(meta, bytes)))
    }
}

/// Makes a snapshot of what the machine held when this was made.
pub struct SnapshotBuilder {
    database: Arc<Database>,
    held: Arc<Held>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<NodeId>> {
        let held = self.held.clone();
        let build = move |database: &Database| {
            let bytes = held.encode()?;
            keep(database, &bytes, held.last, Kept::BesideTheLog)?;
            Ok(bytes)
        };
        let built = blocking(&self.database, build).await;
        let bytes = built.map_err(|fault| {
            fault.at(
                self.database.name(),
                ErrorSubject::Snapshot(None),
                ErrorVerb::Write,
            )
        })?;
        Ok(snapshot(self.held.meta(), bytes))
    }
}

/// Whether the log goes on from the snapshot as it is, or need not reach it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    BesideTheLog,
    InsteadOfTheLog,
}

/// Puts a snapshot into the file, unless there is a later one: one may be built while another is
/// installed. The log that an installed one stands for goes in the same step, so that there is never
/// a gap between the two.
fn keep(
    database: &Database,
    bytes: &[u8],
    last: Option<LogId<NodeId>>,
    kept: Kept,
) -> Result<(), Fault> {
    database.write(|transaction| {
        if before(last) < database.snapshot_before() {
            return Ok(());
        }
        put_bytes(transaction, SNAPSHOT, bytes)?;
        database.has_snapshot(last);
        match last {
            Some(last) if kept == Kept::InsteadOfTheLog => drop_log(transaction, &last),
            Some(_) | None => Ok(()),
        }
    })?;
    database.compacted();
    Ok(())
}

fn last_held(database: &Database) -> Result<Held, Fault> {
    match database.read_bytes(SNAPSHOT)? {
        Some(bytes) => Held::decode(&bytes),
        None => Ok(Held::default()),
    }
}

fn snapshot(meta: SnapshotMeta<NodeId, Member>, bytes: Vec<u8>) -> Snapshot<TypeConfig> {
    Snapshot {
        meta,
        snapshot: Box::new(Cursor::new(bytes)),
    }
}
