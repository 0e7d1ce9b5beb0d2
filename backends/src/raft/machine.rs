//! The replicated machine: both documents, and the rules by which entries change them. It is pure,
//! so that every replica that applies the same entries holds the same documents.

use std::sync::Arc;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, WriteId};

use super::checksum::Checksum;
use super::command::{Applied, ClusterId, Command, Refusal, Store};

/// The documents, and what is remembered beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The cluster's id, once it is formed.
    pub cluster: Option<ClusterId>,
    /// The greatest epoch ever stored.
    pub epoch: Epoch,
    /// The status document.
    pub status: Option<StatusRecord>,
    /// The configuration document.
    pub configuration: Configuration,
}

/// The status document, at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRecord {
    /// Its version: how many writes there have been.
    pub version: u64,
    /// The write that made it; none where somebody else's document was put in its place.
    pub write_id: Option<WriteId>,
    /// Its checksum.
    pub checksum: Checksum,
    /// The status.
    pub status: Arc<ClusterStatus>,
}

impl StatusRecord {
    /// Whether the status is what its checksum says. Deltas look only at what they change.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        Checksum::of(&self.status) == self.checksum
    }
}

impl Default for StatusRecord {
    /// Before the first write.
    fn default() -> Self {
        let status = ClusterStatus::default();
        Self {
            version: 0,
            write_id: None,
            checksum: Checksum::of(&status),
            status: Arc::new(status),
        }
    }
}

/// The configuration document, at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// How many writes there have been.
    pub version: u64,
    /// The text, where there is one.
    pub text: Option<Arc<str>>,
}

/// A replica that has come to another document than the leader's: it must not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Diverged {
    /// It lacks what the writer had seen stored.
    #[error(
        "this node's copy of the status lacks what is stored: write {write_id} was made for version \
         {expected}, and here is version {}; {ADVICE}", .found.unwrap_or_default()
    )]
    Behind {
        /// The write.
        write_id: WriteId,
        /// The version that it takes the place of.
        expected: u64,
        /// The version that is here, if there is one.
        found: Option<u64>,
    },
    /// It has another document at the same version.
    #[error(
        "this node's copy of the status has come to differ from the cluster's: write {write_id} gives \
         {found} here, where it must give {expected}; {ADVICE}"
    )]
    Different {
        /// The write that did not give what it must.
        write_id: WriteId,
        /// What it must give.
        expected: Checksum,
        /// What it gives here.
        found: Checksum,
    },
}

const ADVICE: &str = "as long as a majority of the others runs, take the node out, empty its data \
                      directory, and add it again";

impl Machine {
    /// Applies one entry. A machine that has diverged is to be thrown away.
    pub fn apply(&mut self, command: &Command) -> Result<Applied, Diverged> {
        Ok(match command {
            Command::Adopt { expected, status } => self.adopt(*expected, status),
            Command::Configure { expected, text } => self.configure(*expected, text.as_ref()),
            Command::Form { cluster } => self.form(*cluster),
            Command::Store(store) => return self.store(store),
        })
    }

    /// The version of the status document, if there is one.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.status.as_ref().map(|record| record.version)
    }

    fn store(&mut self, store: &Store) -> Result<Applied, Diverged> {
        let present = self.version();
        if present != store.expected {
            return match &self.status {
                // Sent twice, the first having come through.
                Some(record) if record.write_id == Some(store.write_id) => {
                    Ok(Applied::Stored(record.version))
                }
                Some(_) | None => self.at_another_version(store),
            };
        }
        if store.epoch < self.epoch {
            return Ok(Applied::Refused(Refusal::Epoch {
                present: self.epoch,
                written: store.epoch,
            }));
        }
        let mut record = self.status.clone().unwrap_or_default();
        let found = store.delta.checksum(record.checksum, &record.status);
        if found != store.checksum {
            return differs(store, &record, found);
        }
        // Nobody else has it, mostly: then it is changed in place.
        self.status = None;
        store.delta.apply(Arc::make_mut(&mut record.status));
        self.epoch = store.epoch;
        Ok(self.replace(StatusRecord {
            version: record.version.saturating_add(1),
            write_id: Some(store.write_id),
            checksum: found,
            ..record
        }))
    }

    /// Whoever writes has applied all that its write is made for, and so has whoever comes to that
    /// write. Where the write is made for this very document, its writer has the number wrong.
    fn at_another_version(&self, store: &Store) -> Result<Applied, Diverged> {
        let present = self.version();
        match store.expected {
            Some(expected) if store.expected > present && store.base != self.checksum() => {
                Err(Diverged::Behind {
                    write_id: store.write_id,
                    expected,
                    found: present,
                })
            }
            Some(_) | None => Ok(refused(store.expected, present)),
        }
    }

    fn checksum(&self) -> Checksum {
        let present = self.status.as_ref().map(|record| record.checksum);
        present.unwrap_or_else(|| StatusRecord::default().checksum)
    }

    fn adopt(&mut self, expected: Option<u64>, status: &Arc<ClusterStatus>) -> Applied {
        let present = self.version();
        if present != expected {
            return refused(expected, present);
        }
        self.replace(StatusRecord {
            version: present.unwrap_or(0).saturating_add(1),
            write_id: None,
            checksum: Checksum::of(status),
            status: status.clone(),
        })
    }

    fn replace(&mut self, record: StatusRecord) -> Applied {
        let version = record.version;
        self.status = Some(record);
        Applied::Stored(version)
    }

    fn configure(&mut self, expected: u64, text: Option<&Arc<str>>) -> Applied {
        let present = self.configuration.version;
        if present != expected {
            return refused(Some(expected), Some(present));
        }
        let version = present.saturating_add(1);
        self.configuration = Configuration {
            version,
            text: text.cloned(),
        };
        Applied::Configured(version)
    }

    fn form(&mut self, cluster: ClusterId) -> Applied {
        match self.cluster {
            Some(present) if present != cluster => {
                Applied::Refused(Refusal::AnotherCluster(present))
            }
            Some(_) | None => {
                self.cluster = Some(cluster);
                Applied::Formed(cluster)
            }
        }
    }
}

fn refused(expected: Option<u64>, present: Option<u64>) -> Applied {
    Applied::Refused(Refusal::Version { expected, present })
}

/// Whose fault it is that a write does not give what it says. All that are whole say the same.
fn differs(store: &Store, record: &StatusRecord, found: Checksum) -> Result<Applied, Diverged> {
    if record.checksum == store.base && record.is_whole() {
        return Ok(Applied::Refused(Refusal::Checksum {
            found,
            said: store.checksum,
        }));
    }
    Err(Diverged::Different {
        write_id: store.write_id,
        expected: store.checksum,
        found,
    })
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
