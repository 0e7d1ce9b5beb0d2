//! Cuts the power, or fails, at every single operation of the disk, and looks at what is left.

use std::io::Cursor;
use std::sync::Arc;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::testing::{blank_ent, log_id};
use openraft::{
    AnyError, LogId, RaftLogReader, RaftSnapshotBuilder, StorageError, StorageIOError, Vote,
};

use super::super::types::{NodeId, TypeConfig};
use super::simulated::{Fault, SURVIVES, Simulated, Survives};
use super::state::Held;
use super::{Database, Identity, LogStore, OpenError, StateStore};

const NODE: NodeId = 7;

/// All that is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kept {
    identity: Option<Identity>,
    vote: Option<Vote<NodeId>>,
    log: Vec<LogId<NodeId>>,
    purged: Option<LogId<NodeId>>,
    snapshot: Option<LogId<NodeId>>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Append(u64, u64),
    Apply(u64, u64),
    Commit(u64, u64),
    Identify,
    /// A leader's snapshot, up to here.
    Install(u64, u64),
    Purge(u64, u64),
    /// The node is ended, and started again.
    Reopen,
    Snapshot,
    Truncate(u64, u64),
    Vote(u64),
}

/// Terms and indexes, as a node may see them.
const STEPS: [Step; 20] = [
    Step::Identify,
    Step::Vote(1),
    Step::Append(1, 0),
    Step::Append(1, 1),
    Step::Append(1, 2),
    Step::Append(1, 3),
    Step::Commit(1, 2),
    Step::Apply(1, 0),
    Step::Apply(1, 1),
    Step::Apply(1, 2),
    Step::Snapshot,
    Step::Purge(1, 1),
    Step::Reopen,
    Step::Vote(2),
    Step::Truncate(1, 3),
    Step::Append(2, 3),
    Step::Append(2, 4),
    Step::Install(2, 9),
    Step::Append(2, 10),
    Step::Reopen,
];

struct Node {
    database: Arc<Database>,
    log: LogStore,
    state: StateStore,
}

impl Node {
    fn open(disk: &Simulated) -> Result<Self, OpenError> {
        let database = Arc::new(Database::open(Arc::new(disk.clone()))?);
        let state = StateStore::new(database.clone())?;
        Ok(Self {
            log: LogStore::new(database.clone()),
            database,
            state,
        })
    }

    async fn take(&mut self, disk: &Simulated, step: Step) -> Result<(), StorageError<NodeId>> {
        match step {
            Step::Append(term, index) => {
                let entry = blank_ent::<TypeConfig>(term, NODE, index);
                self.log.blocking_append([entry]).await
            }
            Step::Apply(term, index) => {
                let entry = blank_ent::<TypeConfig>(term, NODE, index);
                self.state.apply([entry]).await.map(drop)
            }
            Step::Commit(term, index) => {
                self.log
                    .save_committed(Some(log_id(term, NODE, index)))
                    .await
            }
            Step::Identify => {
                let identified = self.database.identify(&Identity {
                    node: NODE,
                    cluster: None,
                });
                identified.map_err(|fault| {
                    fault.at(
                        self.database.name(),
                        openraft::ErrorSubject::Store,
                        openraft::ErrorVerb::Write,
                    )
                })
            }
            Step::Install(term, index) => {
                let held = Held {
                    last: Some(log_id(term, NODE, index)),
                    ..Held::default()
                };
                let snapshot = Box::new(Cursor::new(held.encode().unwrap()));
                self.state.install_snapshot(&held.meta(), snapshot).await
            }
            Step::Purge(term, index) => self.log.purge(log_id(term, NODE, index)).await,
            Step::Reopen => {
                let reopened = Self::open(disk).map_err(|error| {
                    StorageError::from(StorageIOError::read(AnyError::error(error)))
                })?;
                *self = reopened;
                Ok(())
            }
            Step::Snapshot => {
                let mut builder = self.state.get_snapshot_builder().await;
                builder.build_snapshot().await.map(drop)
            }
            Step::Truncate(term, index) => self.log.truncate(log_id(term, NODE, index)).await,
            Step::Vote(term) => self.log.save_vote(&Vote::new(term, NODE)).await,
        }
    }

    async fn kept(&mut self) -> Kept {
        let entries = self.log.try_get_log_entries(..).await.unwrap();
        let state = self.log.get_log_state().await.unwrap();
        let log: Vec<_> = entries.iter().map(|entry| entry.log_id).collect();
        assert_eq!(
            state.last_log_id,
            log.last().copied().or(state.last_purged_log_id)
        );
        // It may be older than the last, and never newer than the log.
        let committed = self.log.read_committed().await.unwrap();
        assert!(committed <= state.last_log_id, "{committed:?}");
        let snapshot = self.state.get_current_snapshot().await.unwrap();
        Kept {
            identity: self.database.identity().unwrap(),
            vote: self.log.read_vote().await.unwrap(),
            log,
            purged: state.last_purged_log_id,
            snapshot: snapshot.and_then(|snapshot| snapshot.meta.last_log_id),
        }
    }
}

impl Kept {
    /// What is kept once this step is taken.
    fn after(mut self, step: Step) -> Self {
        match step {
            Step::Append(term, index) => self.log.push(log_id(term, NODE, index)),
            Step::Apply(..) | Step::Commit(..) | Step::Reopen => {}
            Step::Identify => {
                self.identity = Some(Identity {
                    node: NODE,
                    cluster: None,
                })
            }
            Step::Install(term, index) => {
                let last = Some(log_id(term, NODE, index));
                (self.purged, self.snapshot) = (last, last);
                self.log.retain(|id| id.index > index);
            }
            Step::Purge(term, index) => {
                self.purged = Some(log_id(term, NODE, index));
                self.log.retain(|id| id.index > index);
            }
            Step::Snapshot => self.snapshot = Some(log_id(1, NODE, 2)),
            Step::Truncate(_, index) => self.log.retain(|id| id.index < index),
            Step::Vote(term) => self.vote = Some(Vote::new(term, NODE)),
        }
        self
    }
}

/// What was acknowledged last, and what was tried after that.
struct Run {
    sure: Kept,
    tried: Kept,
}

async fn run(disk: &Simulated) -> Run {
    let mut run = Run {
        sure: Kept::default(),
        tried: Kept::default(),
    };
    let Ok(mut node) = Node::open(disk) else {
        return run;
    };
    for step in STEPS {
        run.tried = run.sure.clone().after(step);
        if node.take(disk, step).await.is_err() {
            return run;
        }
        run.sure = run.tried.clone();
    }
    run
}

/// What is found is what was acknowledged or what was tried, and it can be gone on from, without a gap.
async fn check(disk: &Simulated, run: &Run, told: &str) -> Kept {
    let mut node = Node::open(disk).unwrap_or_else(|error| panic!("{told}: {error}"));
    let found = node.kept().await;
    assert!(
        found == run.sure || found == run.tried,
        "{told}: found {found:?}, neither {:?} nor {:?}",
        run.sure,
        run.tried
    );
    let mut expected = found;
    let next = expected
        .log
        .last()
        .or(expected.purged.as_ref())
        .map_or(0, |id| id.index + 1);
    assert!(
        node.take(disk, Step::Append(9, next + 1)).await.is_err(),
        "{told}: a gap"
    );
    for step in [Step::Identify, Step::Vote(9), Step::Append(9, next)] {
        node.take(disk, step)
            .await
            .unwrap_or_else(|error| panic!("{told}: {error}"));
        expected = expected.after(step);
    }
    assert_eq!(node.kept().await, expected, "{told}");
    expected
}

async fn every_operation(fault: Fault) -> usize {
    let disk = Simulated::default();
    let undisturbed = run(&disk).await;
    assert_eq!(undisturbed.sure, undisturbed.tried);
    let operations = disk.operations();
    for operation in 0..operations {
        let disk = Simulated::default();
        disk.fail(operation, fault);
        let run = run(&disk).await;
        let told = format!("{fault:?} at {operation}");
        for survives in SURVIVES {
            let told = format!("{told}, {survives:?} survives");
            check(&disk.rebooted(survives), &run, &told).await;
        }
        if disk.is_off() {
            continue;
        }
        // The disk is well again, and the file is opened anew, with no power cut in between. What
        // is acknowledged then survives the next one.
        disk.mend();
        let kept = check(&disk, &run, &told).await;
        let run = Run {
            sure: kept.clone(),
            tried: kept,
        };
        for survives in SURVIVES {
            let told = format!("{told}, then {survives:?} survives");
            check(&disk.rebooted(survives), &run, &told).await;
        }
    }
    operations
}

#[tokio::test]
async fn power_cut_before_any_operation_keeps_what_was_acknowledged() {
    assert!(every_operation(Fault::CutBefore).await > 60);
}

#[tokio::test]
async fn power_cut_in_the_middle_of_any_operation_keeps_what_was_acknowledged() {
    assert!(every_operation(Fault::CutDuring).await > 60);
}

#[tokio::test]
async fn power_cut_after_any_operation_keeps_what_was_acknowledged() {
    assert!(every_operation(Fault::CutAfter).await > 60);
}

#[tokio::test]
async fn any_operation_that_fails_loses_nothing_acknowledged() {
    assert!(every_operation(Fault::Fails).await > 60);
}

#[tokio::test]
async fn any_operation_that_fails_though_it_is_done_loses_nothing_acknowledged() {
    assert!(every_operation(Fault::FailsThoughDone).await > 60);
}

#[tokio::test]
async fn a_disk_full_from_any_operation_on_loses_nothing_acknowledged() {
    assert!(every_operation(Fault::Full).await > 60);
}

#[tokio::test]
async fn a_bit_that_rots_anywhere_is_reported_or_makes_no_difference() {
    let disk = Simulated::default();
    let kept = run(&disk).await.sure;
    let mut reported = 0;
    let header = 0..512;
    for offset in header.chain((512..disk.len()).step_by(509)) {
        let rotten = disk.rebooted(Survives::Nothing);
        rotten.rot(offset);
        match Node::open(&rotten) {
            Ok(mut node) => assert_eq!(node.kept().await, kept, "{offset}"),
            // Without its first bytes it could be anybody's.
            Err(OpenError::Foreign(_)) if offset < 9 => reported += 1,
            Err(OpenError::Damaged { .. }) => reported += 1,
            Err(error) => panic!("{offset}: {error}"),
        }
    }
    assert!(reported > 0);
}
