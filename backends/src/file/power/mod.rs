//! Cuts the power, fails, or lets a stranger write, at every single operation, and looks at what
//! is left.

mod foreign;
mod simulated;

use std::path::Path;
use std::sync::Arc;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Epoch, ProcessId, RequestId, Version, WriteId};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::disk::{Disk, Taken};
use super::leadership::FileLeadership;
use super::outcome;
use super::store::FileStore;
use crate::backend::{Leadership, StatusStore};
use simulated::{Data, Fault, Names, Simulated};

const PATH: &str = "/data/status";

/// What the disk held before.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    Sealed,
    Foreign,
}

fn document(number: u64) -> StatusDocument {
    StatusDocument {
        admits: false,
        epoch: Epoch(number),
        write_id: WriteId {
            epoch: Epoch(number),
            request: RequestId(number),
            process: ProcessId(1),
        },
        status: Arc::new(ClusterStatus {
            instance_id: "theirs".into(),
            shard_id_generator: i64::try_from(number).unwrap(),
            ..ClusterStatus::default()
        }),
    }
}

fn open(disk: &Simulated) -> Option<Disk> {
    let disk = Disk::new(Arc::new(disk.clone()), Path::new(PATH), false).ok()?;
    match disk.try_lock().ok()? {
        Taken::Held(held) => disk.hold(held),
        Taken::ByAnother | Taken::ByOxia => return None,
    }
    Some(disk)
}

fn load(disk: &Disk) -> LoadOutcome {
    outcome::load(Path::new(PATH), disk.read())
}

/// The number of the document that is there; zero for none.
fn number(loaded: &LoadOutcome) -> u64 {
    match loaded {
        LoadOutcome::Found(found) => u64::try_from(found.status.shard_id_generator).unwrap(),
        LoadOutcome::Absent { .. } => 0,
        LoadOutcome::Corrupt(_) | LoadOutcome::Forbidden(_) | LoadOutcome::Unavailable { .. } => {
            panic!("{loaded:?}")
        }
    }
}

fn prepared(before: Before) -> (Simulated, u64) {
    let simulated = Simulated::new();
    match before {
        Before::Nothing => return (simulated, 0),
        Before::Foreign => simulated.put(PATH, b"instanceId: theirs\nshardIdGenerator: 1\n"),
        Before::Sealed => {
            let disk = open(&simulated).unwrap();
            let stored = disk.store(None, &document(1));
            assert!(matches!(stored, StoreOutcome::Stored(_)), "{stored:?}");
        }
    }
    (simulated, 1)
}

/// What is known of the disk after a run.
struct Run {
    /// The last document that was acknowledged, or found under the lock.
    sure: u64,
    /// The last one whose store did not say no.
    tried: u64,
}

/// Stores three documents, each as core would, until they are stored or nothing works any more.
fn run(simulated: &Simulated, first: u64) -> Run {
    let mut run = Run {
        sure: first,
        tried: first,
    };
    let Some(disk) = (0..2).find_map(|_| open(simulated)) else {
        return run;
    };
    let mut version = None;
    for next in first + 1..=first + 3 {
        for attempt in 0..3 {
            if attempt > 0 || next == first + 1 {
                match load(&disk) {
                    LoadOutcome::Found(found) => version = Some(found.version),
                    LoadOutcome::Absent { .. } => version = None,
                    LoadOutcome::Unavailable { .. } => continue,
                    refused @ (LoadOutcome::Corrupt(_) | LoadOutcome::Forbidden(_)) => {
                        panic!("{refused:?}")
                    }
                }
            }
            if store(&disk, next, &mut version, &mut run) {
                break;
            }
        }
    }
    run
}

fn store(disk: &Disk, next: u64, version: &mut Option<Version>, run: &mut Run) -> bool {
    let before = run.tried;
    run.tried = next;
    match disk.store(version.as_ref(), &document(next)) {
        StoreOutcome::Stored(stored) => *version = Some(stored),
        StoreOutcome::Unavailable { .. } => {
            run.tried = before;
            return false;
        }
        StoreOutcome::Ambiguous(_) => {
            let HeadOutcome::Found(head) = outcome::head(Path::new(PATH), disk.read()) else {
                return false;
            };
            if head.write_id != Some(document(next).write_id) || !head.intact {
                return false;
            }
            *version = Some(head.version);
        }
        refused @ (StoreOutcome::Conflict(_)
        | StoreOutcome::Corrupt(_)
        | StoreOutcome::Forbidden(_)
        | StoreOutcome::Invalid(_)
        | StoreOutcome::TooLarge(_)) => panic!("{refused:?}"),
    }
    run.sure = next;
    true
}

/// Every way in which the disk may come back holds the last sure document or a tried one.
fn check(simulated: &Simulated, run: &Run, told: &str) {
    for names in [Names::Durable, Names::Written] {
        for data in [Data::Durable, Data::Torn, Data::Written] {
            let rebooted = simulated.rebooted(names, data);
            let told = format!("{told}, {names:?} names, {data:?} data");
            let disk = open(&rebooted).unwrap();
            let loaded = load(&disk);
            let found = number(&loaded);
            assert!(
                (run.sure..=run.tried).contains(&found),
                "{told}: found {found}, not {} to {}",
                run.sure,
                run.tried
            );
            if let LoadOutcome::Found(loaded) = loaded {
                let next = disk.store(Some(&loaded.version), &document(found + 1));
                assert!(matches!(next, StoreOutcome::Stored(_)), "{told}: {next:?}");
                let epoch = if found > 1 { found } else { 0 };
                assert!(loaded.epoch >= Epoch(epoch), "{told}");
            }
        }
    }
}

fn every_operation(fault: Fault) -> usize {
    let mut cases = 0;
    for before in [Before::Nothing, Before::Sealed, Before::Foreign] {
        let (simulated, first) = prepared(before);
        let undisturbed = run(&simulated, first);
        assert_eq!(undisturbed.sure, first + 3);
        let operations = simulated.operations();
        for operation in 0..operations {
            let (simulated, first) = prepared(before);
            let start = simulated.operations();
            if start + operation >= operations {
                break;
            }
            simulated.fail(start + operation, fault);
            let run = run(&simulated, first);
            check(
                &simulated,
                &run,
                &format!("{before:?}, {fault:?} at {operation}"),
            );
            cases += 1;
        }
    }
    cases
}

#[test]
fn power_cut_before_any_operation_leaves_a_whole_document() {
    assert!(every_operation(Fault::CutBefore) > 60);
}

#[test]
fn power_cut_in_the_middle_of_any_operation_leaves_a_whole_document() {
    assert!(every_operation(Fault::CutDuring) > 60);
}

#[test]
fn power_cut_after_any_operation_leaves_a_whole_document() {
    assert!(every_operation(Fault::CutAfter) > 60);
}

#[test]
fn any_operation_that_fails_loses_nothing_acknowledged() {
    assert!(every_operation(Fault::Fails) > 60);
}

#[test]
fn any_operation_that_fails_though_it_is_done_loses_nothing_acknowledged() {
    assert!(every_operation(Fault::FailsThoughDone) > 60);
}

#[test]
fn a_full_disk_at_any_operation_loses_nothing_acknowledged() {
    assert!(every_operation(Fault::Full) > 60);
}

#[tokio::test]
async fn release_waits_for_a_store_on_a_stalled_disk_whose_caller_is_gone() {
    let simulated = Simulated::new();
    let disk = Arc::new(open(&simulated).unwrap());
    let stores = watch::Sender::new(0);
    let store = FileStore {
        disk: disk.clone(),
        stores: stores.clone(),
    };
    let leadership = Arc::new(FileLeadership::new(disk, "a", stores));
    let (stalled, resume) = simulated.stall_rename();
    let caller = tokio::spawn(async move { store.store(None, document(1)).await });
    spawn_blocking(move || stalled.recv())
        .await
        .unwrap()
        .unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    let release = tokio::spawn(async move { leadership.release().await });
    assert!(
        open(&simulated).is_none(),
        "the lock was given back too early"
    );
    drop(resume);
    release.await.unwrap();
    let next = open(&simulated).unwrap();
    assert_eq!(number(&load(&next)), 1);
}
