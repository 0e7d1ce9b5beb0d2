//! Both documents go out and come in, in the form of files.

use stepdown_core::cluster::ClusterStatus;
use stepdown_wire::raft as wire;

use super::administration::Administration;
use super::error::AdminError;
use super::report::{configuration_version, status_version};
use crate::configuration::judge;
use crate::file::header::{Header, Seal, seal, unseal};
use crate::raft::command::{Applied, Command};
use crate::raft::machine::{Machine, StatusRecord};
use crate::raft::room::{LARGEST_STATUS, check_grown};
use crate::raft::storage::Held;

/// The largest configuration, in bytes: some ten thousand data servers. Escaped, it is still far
/// from the largest message.
pub(in crate::raft) const LARGEST_CONFIGURATION: u64 = 4 << 20;

impl Administration {
    /// Both documents, no older than this call.
    pub(super) async fn export(&self) -> Result<wire::ExportResponse, AdminError> {
        let held = self.node.read().await.map_err(AdminError::Raft)?;
        Ok(exported(&held))
    }

    /// Takes a status in, as the file backend would take a file.
    pub(super) async fn import_status(
        &self,
        text: &str,
        replaced: Option<u64>,
    ) -> Result<wire::ImportStatusResponse, AdminError> {
        self.check_leads()?;
        let status = read(text)?;
        check_grown(&status).map_err(|bytes| AdminError::TooLarge {
            what: "status, once every shard is led,",
            bytes,
            most: LARGEST_STATUS,
        })?;
        let (fatal, odd): (Vec<_>, Vec<_>) =
            status.problems().into_iter().partition(|it| it.is_fatal());
        if let Some(problem) = fatal.into_iter().next() {
            return Err(AdminError::Harmful(problem));
        }
        let expected = match replaced {
            Some(version) => Some(version),
            None => self.vacant().await?,
        };
        self.write(Command::Adopt {
            expected,
            status: status.into(),
        })
        .await?;
        Ok(wire::ImportStatusResponse {
            version: status_version(&self.node.held().machine),
            remarks: odd.iter().map(ToString::to_string).collect(),
        })
    }

    /// The version of a status that nothing is lost by, if there is no other: coordinators that
    /// have no configuration yet store one without shards.
    async fn vacant(&self) -> Result<Option<u64>, AdminError> {
        let held = self.node.read().await.map_err(AdminError::Raft)?;
        match &held.machine.status {
            Some(record) if !record.status.namespaces.is_empty() => Err(AdminError::Exists {
                present: record.version,
            }),
            Some(_) | None => Ok(held.machine.version()),
        }
    }

    /// Takes a configuration in, if it can be put in force.
    pub(super) async fn import_configuration(
        &self,
        text: &str,
    ) -> Result<wire::ImportConfigurationResponse, AdminError> {
        self.check_leads()?;
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if bytes > LARGEST_CONFIGURATION {
            return Err(AdminError::TooLarge {
                what: "configuration",
                bytes,
                most: LARGEST_CONFIGURATION,
            });
        }
        judge(Some(text))
            .verdict
            .map_err(AdminError::Configuration)?;
        let held = self.node.read().await.map_err(AdminError::Raft)?;
        let present = &held.machine.configuration;
        let already = present.text.as_deref() == Some(text);
        if !already {
            self.write(Command::Configure {
                expected: present.version,
                text: Some(text.into()),
            })
            .await?;
        }
        Ok(wire::ImportConfigurationResponse {
            version: Some(configuration_version(&self.node.held().machine)),
            already,
        })
    }

    async fn write(&self, command: Command) -> Result<(), AdminError> {
        match self.node.write(command).await? {
            Applied::Refused(refusal) => Err(AdminError::Refused(refusal)),
            Applied::Configured(_) | Applied::Formed(_) | Applied::Nothing | Applied::Stored(_) => {
                Ok(())
            }
        }
    }
}

/// Both documents that are in there.
pub(super) fn exported(held: &Held) -> wire::ExportResponse {
    let machine = &held.machine;
    let text = machine.configuration.text.as_deref();
    wire::ExportResponse {
        status: machine.status.as_ref().map(|record| wire::ExportedStatus {
            version: status_version(machine),
            text: file(machine, record),
        }),
        configuration: Some(configuration_version(machine)),
        configuration_text: text.unwrap_or_default().to_owned(),
        last: held.last.map(|last| wire::LogPosition {
            term: last.leader_id.term,
            node: last.leader_id.node_id,
            index: last.index,
        }),
    }
}

/// A status file. One that no coordinator has written yet does not say that it is whole, either.
fn file(machine: &Machine, record: &StatusRecord) -> String {
    let yaml = record.status.encode();
    let Some(write_id) = record.write_id else {
        return yaml;
    };
    let header = Header {
        version: record.version,
        epoch: machine.epoch,
        write_id: Some(write_id),
    };
    String::from_utf8(seal(&header, &yaml)).unwrap_or(yaml)
}

fn read(text: &str) -> Result<ClusterStatus, AdminError> {
    match unseal(text) {
        Seal::Intact(_) | Seal::Broken(_) | Seal::Absent | Seal::Unended(_) => {}
        Seal::Shortened(_) => return Err(AdminError::CutShort),
        Seal::Newer => return Err(AdminError::Newer),
    }
    ClusterStatus::decode(text).map_err(AdminError::Undecodable)
}
