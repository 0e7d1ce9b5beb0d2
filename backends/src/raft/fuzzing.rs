//! What has to hold of what nodes send each other, and of what they keep.

use std::sync::Arc;

use stepdown_core::cluster::ClusterStatus;

use super::checksum::Checksum;
use super::command::{Applied, Command, Store};
use super::machine::Machine;

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
        let _ = machine.clone().apply(&command);
        let command = match command {
            Command::Store(store) => Command::Store(honest(&machine, store)),
            Command::Adopt { status, .. } => Command::Adopt {
                expected: machine.version(),
                status,
            },
            other @ (Command::Configure { .. } | Command::Form { .. }) => other,
        };
        let applied = machine.apply(&command);
        if matches!(command, Command::Store(_)) {
            assert!(matches!(applied, Ok(Applied::Stored(_))), "{applied:?}");
        }
        if let Some(record) = &machine.status {
            assert!(record.is_whole(), "by {line}");
        }
    }
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
