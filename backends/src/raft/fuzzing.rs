//! What has to hold of what nodes send each other, and of what they keep.

use std::sync::Arc;

use stepdown_core::Epoch;
use stepdown_core::cluster::ClusterStatus;

use super::checksum::Checksum;
use super::command::{Applied, Command, Store};
use super::delta::Delta;
use super::machine::{Configuration, Diverged, Machine, StatusRecord};

pub use super::network::fuzzing::{message, node_address};
pub use super::storage::fuzzing::{image, records};

/// Commands, each a line of JSON: each is what it was once it is written and read, and whatever they are,
/// the machine that applies them has a whole document.
pub fn commands(lines: &str) {
    let mut machine = Machine::default();
    for line in lines.lines() {
        let Ok(command) = serde_json::from_str::<Command>(line) else {
            continue;
        };
        let json = serde_json::to_string(&command).unwrap_or_else(|error| panic!("{error}"));
        let again = serde_json::from_str::<Command>(&json);
        assert_eq!(again.ok().as_ref(), Some(&command));
        // As it is: mostly refused.
        let _ = apply(&mut machine.clone(), &command);
        if let Command::Adopt { status, .. } = &command {
            check_delta(&machine, status);
        }
        let command = match command {
            Command::Store(store) => Command::Store(honest(&machine, store)),
            Command::Adopt { status, .. } => Command::Adopt {
                expected: machine.version(),
                status,
            },
            other @ (Command::Configure { .. } | Command::Form { .. }) => other,
        };
        if let Command::Store(store) = &command {
            let epoch = Epoch(machine.epoch.0.saturating_sub(1));
            let late = Command::Store(Store {
                epoch,
                ..store.clone()
            });
            let _ = apply(&mut machine.clone(), &late);
        }
        let applied = apply(&mut machine, &command);
        if matches!(command, Command::Store(_) | Command::Adopt { .. }) {
            assert!(matches!(applied, Ok(Applied::Stored(_))), "{applied:?}");
        }
        if let Some(record) = &machine.status {
            assert!(record.is_whole(), "by {line}");
        }
    }
}

/// Applies it, which changes what it says where it was made for what is there, and else nothing.
fn apply(machine: &mut Machine, command: &Command) -> Result<Applied, Diverged> {
    let before = machine.clone();
    let applied = machine.apply(command);
    let (is_for_this, next) = match command {
        Command::Store(store) => {
            let is_in_time = store.epoch >= before.epoch;
            (
                store.expected == before.version() && is_in_time,
                before.version(),
            )
        }
        Command::Adopt { expected, .. } => (*expected == before.version(), before.version()),
        Command::Configure { expected, .. } => {
            let version = before.configuration.version;
            (*expected == version, Some(version))
        }
        Command::Form { cluster } => (before.cluster.is_none_or(|it| it == *cluster), None),
    };
    let next = next.unwrap_or(0).saturating_add(1);
    let (Ok(Applied::Stored(version) | Applied::Configured(version)), true) =
        (&applied, is_for_this)
    else {
        assert!(*machine == before || matches!(applied, Ok(Applied::Formed(_))));
        assert!(is_for_this || !matches!(applied, Ok(Applied::Formed(_) | Applied::Configured(_))));
        // Unless it was sent before.
        if let (Ok(Applied::Stored(version)), Command::Store(store)) = (&applied, command) {
            let present = before.status.as_ref();
            let present = present.map(|it| (it.version, it.write_id));
            assert_eq!(present, Some((*version, Some(store.write_id))));
        }
        return applied;
    };
    assert_eq!(*version, next);
    let mut expected = before;
    match command {
        Command::Store(store) => {
            let status = machine.status.as_ref();
            let stored = status.map(|it| (it.version, it.write_id, it.checksum));
            assert_eq!(stored, Some((next, Some(store.write_id), store.checksum)));
            expected.epoch = store.epoch;
            expected.status = machine.status.clone();
        }
        Command::Adopt { status, .. } => {
            expected.status = Some(StatusRecord {
                version: next,
                write_id: None,
                checksum: Checksum::of(status),
                status: status.clone(),
            });
        }
        Command::Configure { text, .. } => {
            expected.configuration = Configuration {
                version: next,
                text: text.clone(),
            };
        }
        Command::Form { .. } => {}
    }
    assert_eq!(*machine, expected, "nothing else has changed");
    applied
}

/// What differs between two documents makes the one of the other.
fn check_delta(machine: &Machine, status: &ClusterStatus) {
    let present = machine.status.clone().unwrap_or_default().status;
    let delta = Delta::between(&present, status);
    let mut changed = ClusterStatus::clone(&present);
    delta.apply(&mut changed);
    assert_eq!(changed, *status);
    let sum = delta.checksum(Checksum::of(&present), &present);
    assert_eq!(sum, Checksum::of(status));
}

/// The store as its writer would have made it for this machine.
fn honest(machine: &Machine, store: Store) -> Store {
    let present = machine.status.as_ref().map(|record| record.status.clone());
    let base = present.unwrap_or_else(|| Arc::new(ClusterStatus::default()));
    let sum = Checksum::of(&base);
    Store {
        expected: machine.version(),
        epoch: machine.epoch.max(store.epoch),
        base: sum,
        checksum: store.delta.checksum(sum, &base),
        ..store
    }
}
