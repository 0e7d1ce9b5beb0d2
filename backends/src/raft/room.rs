//! What has room in a message from node to node.

use std::io;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::StatusDocument;

use super::command::Command;
use super::error::WriteError;

/// The largest status, by estimate, in bytes.
pub(super) const LARGEST_STATUS: u64 = 32 << 20;
/// The largest entry, as it is written. A message takes it, and what it is sent with.
const LARGEST_ENTRY: u64 = 48 << 20;

/// Says why a status is too large, if it is, or would be once every shard that it admits is led.
pub(super) fn check_status(document: &StatusDocument) -> Result<(), String> {
    let bytes = document.status.estimated_bytes();
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
    let bytes = status.grown().estimated_bytes();
    if bytes > LARGEST_STATUS {
        return Err(bytes);
    }
    Ok(())
}

/// Refuses an entry that no other node could be sent: nothing after it would be agreed upon either.
pub(super) fn check_entry(command: &Command) -> Result<(), WriteError> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, command)
        .map_err(|error| WriteError::Raft(error.to_string()))?;
    if length.0 > LARGEST_ENTRY {
        return Err(WriteError::TooLarge {
            bytes: length.0,
            most: LARGEST_ENTRY,
        });
    }
    Ok(())
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
