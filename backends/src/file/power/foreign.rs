use super::*;

const THEIRS: &[u8] = b"instanceId: theirs\nshardIdGenerator: 9\n";

#[test]
fn a_foreign_write_during_a_store_is_a_conflict_until_the_very_rename() {
    let mut lost = 0;
    let mut conflicts = 0;
    for operation in 0.. {
        let (simulated, _) = prepared(Before::Sealed);
        let disk = open(&simulated).unwrap();
        let LoadOutcome::Found(before) = load(&disk) else {
            panic!("no document");
        };
        let start = simulated.operations();
        simulated.fail(start + operation, Fault::ForeignWrite(PATH, THEIRS));
        let outcome = disk.store(Some(&before.version), &document(2));
        if start + operation >= simulated.operations() {
            break;
        }
        let found = number(&load(&disk));
        match outcome {
            StoreOutcome::Conflict(_) => {
                assert_eq!(found, 9, "at {operation}");
                conflicts += 1;
            }
            StoreOutcome::Stored(_) => lost += usize::from(found != 9),
            refused @ (StoreOutcome::Ambiguous(_)
            | StoreOutcome::Corrupt(_)
            | StoreOutcome::Forbidden(_)
            | StoreOutcome::Invalid(_)
            | StoreOutcome::TooLarge(_)
            | StoreOutcome::Unavailable { .. }) => panic!("at {operation}: {refused:?}"),
        }
    }
    // A rename can't compare: what is written between the last look and it is beyond help.
    assert_eq!(lost, 1);
    assert!(conflicts > 10, "{conflicts}");
}
