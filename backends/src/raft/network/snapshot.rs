//! A snapshot on the wire: a head that says what it is, then its bytes in parts.

use std::io::Cursor;

use openraft::{Snapshot, SnapshotMeta, StoredMembership, Vote};
use stepdown_wire::raft as wire;
use tonic::Status;
use xxhash_rust::xxh3::xxh3_64;

use super::convert::{self, Malformed};
use crate::raft::types::{Member, NodeId, TypeConfig};

/// Bytes of one part.
pub(super) const PART: usize = 64 << 10;
/// The largest part that is taken in, in bytes, and the largest head: it has all members.
pub(super) const LARGEST_PART: usize = 4 * PART;
/// The largest snapshot that is taken in, in bytes: it has both documents, which fit into one message
/// each, and is kept in memory until all of it is there.
pub(super) const LARGEST_SNAPSHOT: u64 = 64 << 20;

/// What came is not what its head has promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// The bytes differ.
    #[error("the snapshot was damaged on its way: its checksum differs")]
    Checksum,
    /// There are more or fewer bytes.
    #[error("the snapshot has {heard} bytes and should have {promised}")]
    Length {
        /// How many came.
        heard: u64,
        /// How many were promised.
        promised: u64,
    },
    /// It is larger than any that is taken in.
    #[error("the snapshot has {0} bytes; no more than {LARGEST_SNAPSHOT} are taken in")]
    TooLarge(u64),
}

pub(super) fn head(
    envelope: wire::Envelope,
    vote: &Vote<NodeId>,
    meta: &SnapshotMeta<NodeId, Member>,
    data: &[u8],
) -> Result<wire::SnapshotHead, Malformed> {
    let stored = &meta.last_membership;
    Ok(wire::SnapshotHead {
        envelope: Some(envelope),
        ballot: Some(convert::to_ballot(vote)),
        last: meta.last_log_id.as_ref().map(convert::to_log_id),
        membership_id: stored.log_id().as_ref().map(convert::to_log_id),
        membership: convert::to_membership(stored.membership())?.into(),
        id: meta.snapshot_id.clone(),
        length: length(data),
        checksum: xxh3_64(data),
    })
}

/// The snapshot, if it is as its head has promised.
pub(super) fn whole(
    head: wire::SnapshotHead,
    data: Vec<u8>,
) -> Result<Snapshot<TypeConfig>, Status> {
    if length(&data) != head.length {
        return Err(Damaged::Length {
            heard: length(&data),
            promised: head.length,
        }
        .into());
    }
    if xxh3_64(&data) != head.checksum {
        return Err(Damaged::Checksum.into());
    }
    let membership = convert::membership(&head.membership)?;
    let meta = SnapshotMeta {
        last_log_id: convert::log_id(head.last)?,
        last_membership: StoredMembership::new(convert::log_id(head.membership_id)?, membership),
        snapshot_id: head.id,
    };
    let snapshot = Box::new(Cursor::new(data));
    Ok(Snapshot { meta, snapshot })
}

pub(super) fn length(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
