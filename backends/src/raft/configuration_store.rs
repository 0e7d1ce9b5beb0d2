//! Changes of the configuration document in the log.

use std::sync::Arc;

use async_trait::async_trait;
use stepdown_core::Version;

use super::admin::LARGEST_CONFIGURATION;
use super::command::{Applied, Command, Refusal};
use super::error::{NOT_LEADING, WriteError};
use super::node::Node;
use crate::configuration_store::{
    ConfigurationStore, ConfigurationStoreError, StoredConfiguration,
};

pub(super) struct RaftConfigurationStore(pub(super) Arc<Node>);

#[async_trait]
impl ConfigurationStore for RaftConfigurationStore {
    async fn load(&self) -> Result<StoredConfiguration, ConfigurationStoreError> {
        let held = self.0.read().await;
        let held = held.map_err(ConfigurationStoreError::Unavailable)?;
        let present = &held.machine.configuration;
        Ok(StoredConfiguration {
            version: version(present.version),
            text: present.text.as_deref().map(str::to_owned),
        })
    }

    async fn store(
        &self,
        expected: &Version,
        text: String,
    ) -> Result<Version, ConfigurationStoreError> {
        let Ok(expected) = expected.0.parse() else {
            return Err(ConfigurationStoreError::Conflict(format!(
                "the configuration never was at version '{expected}'"
            )));
        };
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if bytes > LARGEST_CONFIGURATION {
            return Err(ConfigurationStoreError::TooLarge(format!(
                "the configuration has {bytes} bytes; no more than {LARGEST_CONFIGURATION} are taken"
            )));
        }
        let node = self.0.clone();
        let write = tokio::spawn(async move {
            let text = Some(text.into());
            node.write(Command::Configure { expected, text }).await
        });
        match write.await {
            Ok(Ok(Applied::Configured(written))) => Ok(version(written)),
            Ok(Ok(Applied::Refused(refusal @ Refusal::Version { .. }))) => {
                Err(ConfigurationStoreError::Conflict(refusal.to_string()))
            }
            Ok(Ok(Applied::Refused(
                refusal @ (Refusal::AnotherCluster(_)
                | Refusal::Checksum { .. }
                | Refusal::Epoch { .. }),
            ))) => Err(ConfigurationStoreError::Refused(refusal.to_string())),
            Ok(Ok(answer @ (Applied::Formed(_) | Applied::Nothing | Applied::Stored(_)))) => {
                let told = format!("the node has answered {answer:?}");
                Err(ConfigurationStoreError::Unknown(told))
            }
            Ok(Err(error @ WriteError::TooLarge { .. })) => {
                Err(ConfigurationStoreError::TooLarge(error.to_string()))
            }
            Ok(Err(WriteError::Raft(reason))) if reason == NOT_LEADING => {
                Err(ConfigurationStoreError::Unavailable(reason))
            }
            // One that was sent on its way may still be agreed upon.
            Ok(Err(error @ (WriteError::Raft(_) | WriteError::TimedOut(_)))) => {
                Err(ConfigurationStoreError::Unknown(error.to_string()))
            }
            Err(error) => Err(ConfigurationStoreError::Unknown(error.to_string())),
        }
    }
}

fn version(writes: u64) -> Version {
    Version::new(writes.to_string())
}
