//! What has room in a message from node to node.

use std::io;

use serde::Serialize;
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::StatusDocument;

use super::command::Command;
use super::error::WriteError;
use super::escapes;
use crate::status_size::StatusSize;

/// The largest status, by estimate, in bytes.
pub(super) const LARGEST_STATUS: u64 = 32 << 20;
/// One that is smaller by estimate has room in a snapshot whatever is in its texts: there a byte takes six
/// at most.
const SMALL: u64 = LARGEST_STATUS / 4;
/// The largest entry, as it is written. A message takes it, and what it is sent with.
pub(super) const LARGEST_ENTRY: u64 = 48 << 20;

/// How much of the room for a status this one takes.
pub(super) fn size(status: &ClusterStatus) -> StatusSize {
    let counted = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    StatusSize {
        bytes: counted(bytes(status)),
        limit: counted(LARGEST_STATUS),
    }
}

/// Says why a status is too large, if it is, or would be once every shard that it admits is led.
pub(super) fn check_status(document: &StatusDocument) -> Result<(), String> {
    let bytes = bytes(&document.status);
    if bytes > LARGEST_STATUS {
        return Err(format!("{bytes} bytes are more than {LARGEST_STATUS}"));
    }
    if document.admits {
        check_grown(&document.status).map_err(|bytes| {
            format!("once every shard is led, {bytes} bytes are more than {LARGEST_STATUS}")
        })?;
    }
    Ok(())
}

/// Says how many bytes a status takes once every shard is led, if that is too much.
pub(super) fn check_grown(status: &ClusterStatus) -> Result<(), u64> {
    let bytes = bytes(&status.grown());
    if bytes > LARGEST_STATUS {
        return Err(bytes);
    }
    Ok(())
}

/// About how many bytes it takes as others are sent it, or less where it is small.
fn bytes(status: &ClusterStatus) -> u64 {
    let estimated = status.estimated_bytes();
    let estimated = estimated.saturating_add(escapes::left_out(status));
    match estimated > SMALL {
        true => estimated.saturating_add(escapes::in_status(status)),
        false => estimated,
    }
}

/// Refuses an entry that no other node could be sent: nothing after it would be agreed upon either.
pub(super) fn check_entry(command: &Command) -> Result<(), WriteError> {
    let bytes = written(command);
    if bytes > LARGEST_ENTRY {
        return Err(WriteError::TooLarge {
            bytes,
            most: LARGEST_ENTRY,
        });
    }
    Ok(())
}

/// How many bytes this takes as it is written. More than there are where it can't be.
pub(super) fn written(value: &impl Serialize) -> u64 {
    let mut length = Length(0);
    match serde_json::to_writer(&mut length, value) {
        Ok(()) => length.0,
        Err(_) => u64::MAX,
    }
}

/// Counts what is written to it.
struct Length(u64);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0 = self.0.saturating_add(length);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepdown_core::Epoch;

    use super::super::fixtures::{status, write_id};
    use super::*;

    fn document(status: ClusterStatus, admits: bool) -> StatusDocument {
        StatusDocument {
            admits,
            epoch: Epoch(1),
            write_id: write_id(1, 1),
            status: Arc::new(status),
        }
    }

    #[test]
    fn shards_that_fit_only_while_nobody_leads_them_are_not_admitted() {
        let mut unled = status(50_000);
        for namespace in unled.namespaces.values_mut() {
            for shard in namespace.shards.values_mut() {
                Arc::make_mut(shard).leader = None;
            }
        }
        assert!(unled.estimated_bytes() <= LARGEST_STATUS);
        let refused = check_status(&document(unled.clone(), true)).unwrap_err();
        assert!(refused.starts_with("once every shard is led"), "{refused}");
        check_status(&document(unled, false)).unwrap();
    }

    #[test]
    fn a_status_that_is_large_only_as_others_are_sent_it_is_refused() {
        let mut odd = status(20_000);
        assert!(check_status(&document(odd.clone(), true)).is_ok());
        for shard in odd
            .namespaces
            .values_mut()
            .flat_map(|it| it.shards.values_mut())
        {
            let leader = &mut Arc::make_mut(shard).leader;
            leader.as_mut().unwrap().public = "\u{1}".repeat(200).into();
        }
        assert!(odd.estimated_bytes() <= LARGEST_STATUS);
        assert!(written(&odd) > LARGEST_STATUS);
        assert!(check_status(&document(odd.clone(), false)).is_err());
        assert!(check_grown(&odd).is_err());
    }

    #[test]
    fn an_entry_that_is_large_only_as_it_is_written_is_refused() {
        let mut odd = status(1);
        odd.instance_id = "\u{1}".repeat(9 << 20).into();
        assert!(odd.estimated_bytes() <= LARGEST_STATUS);
        let adopt = |status: ClusterStatus| Command::Adopt {
            expected: None,
            status: Arc::new(status),
        };
        let refused = check_entry(&adopt(odd)).unwrap_err();
        assert!(
            matches!(refused, WriteError::TooLarge { .. }),
            "{refused:?}"
        );
        check_entry(&adopt(status(10_000))).unwrap();
    }
}
