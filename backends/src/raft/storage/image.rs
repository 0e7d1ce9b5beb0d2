//! A snapshot: the whole machine as bytes, with a checksum, as it is kept and sent.

use std::sync::Arc;

use openraft::{LogId, SnapshotMeta, StoredMembership};
use serde::{Deserialize, Serialize};
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, WriteId};
use xxhash_rust::xxh3::xxh3_128;

use super::super::checksum::Checksum;
use super::super::command::ClusterId;
use super::super::machine::{Configuration, Machine, StatusRecord};
use super::super::types::{Member, NodeId};
use super::error::Fault;

const CHECKSUM: usize = 16;

/// The machine, and how far in the log it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The machine.
    pub machine: Machine,
    /// The last entry that went into it.
    pub last: Option<LogId<NodeId>>,
    /// The last members that were told to it.
    pub membership: StoredMembership<NodeId, Member>,
}

#[derive(Serialize, Deserialize)]
struct Image {
    last: Option<LogId<NodeId>>,
    membership: StoredMembership<NodeId, Member>,
    cluster: Option<ClusterId>,
    epoch: Epoch,
    status: Option<StatusImage>,
    configuration: ConfigurationImage,
}

#[derive(Serialize, Deserialize)]
struct StatusImage {
    version: u64,
    write_id: Option<WriteId>,
    checksum: Checksum,
    status: Arc<ClusterStatus>,
}

#[derive(Serialize, Deserialize)]
struct ConfigurationImage {
    version: u64,
    text: Option<Arc<str>>,
}

impl Applied {
    pub(super) fn meta(&self) -> SnapshotMeta<NodeId, Member> {
        let id = match self.last {
            Some(last) => format!(
                "{}-{}-{}",
                last.leader_id.term, last.leader_id.node_id, last.index
            ),
            None => "empty".to_owned(),
        };
        SnapshotMeta {
            last_log_id: self.last,
            last_membership: self.membership.clone(),
            snapshot_id: id,
        }
    }

    /// The whole, once the status was looked at from end to end: what nothing has changed since is
    /// looked at nowhere else.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Fault> {
        let machine = &self.machine;
        if let Some(record) = &machine.status
            && !record.is_whole()
        {
            return Err(Fault::Altered("status"));
        }
        let content = serde_json::to_vec(&Image {
            last: self.last,
            membership: self.membership.clone(),
            cluster: machine.cluster,
            epoch: machine.epoch,
            status: machine.status.as_ref().map(|record| StatusImage {
                version: record.version,
                write_id: record.write_id,
                checksum: record.checksum,
                status: record.status.clone(),
            }),
            configuration: ConfigurationImage {
                version: machine.configuration.version,
                text: machine.configuration.text.clone(),
            },
        })?;
        let mut bytes = xxh3_128(&content).to_le_bytes().to_vec();
        bytes.extend_from_slice(&content);
        Ok(bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        const WHAT: Fault = Fault::Damaged("snapshot");
        let (sum, content) = bytes.split_at_checked(CHECKSUM).ok_or(WHAT)?;
        if xxh3_128(content).to_le_bytes() != sum {
            return Err(WHAT);
        }
        let image: Image = serde_json::from_slice(content)?;
        let status = image.status.map(StatusImage::record).transpose()?;
        Ok(Self {
            machine: Machine {
                cluster: image.cluster,
                epoch: image.epoch,
                status,
                configuration: Configuration {
                    version: image.configuration.version,
                    text: image.configuration.text,
                },
            },
            last: image.last,
            membership: image.membership,
        })
    }
}

impl StatusImage {
    fn record(self) -> Result<StatusRecord, Fault> {
        let record = StatusRecord {
            version: self.version,
            write_id: self.write_id,
            checksum: self.checksum,
            status: self.status,
        };
        if record.is_whole() {
            Ok(record)
        } else {
            Err(Fault::Damaged("status in the snapshot"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::command::Command;
    use super::super::super::fixtures::{elected, status, store, write_id};
    use super::*;

    #[test]
    fn an_image_survives_and_one_changed_or_cut_anywhere_is_damaged() {
        let mut applied = Applied::default();
        let machine = &mut applied.machine;
        let next = store(machine, write_id(3, 1), &status(2));
        machine.apply(&Command::Store(next)).unwrap();
        let bytes = applied.encode().unwrap();
        assert_eq!(Applied::decode(&bytes).unwrap(), applied);
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(Applied::decode(&changed).is_err(), "{index}");
            assert!(Applied::decode(&bytes[..index]).is_err(), "{index}");
        }
    }

    #[test]
    fn a_status_that_changed_by_itself_is_never_written_down() {
        let mut applied = Applied::default();
        let machine = &mut applied.machine;
        let next = store(machine, write_id(3, 1), &status(2));
        machine.apply(&Command::Store(next)).unwrap();
        let record = machine.status.as_mut().unwrap();
        record.status = Arc::new(elected(&record.status, 1));
        let fault = applied.encode().unwrap_err();
        assert!(matches!(fault, Fault::Altered(_)), "{fault}");
    }
}
