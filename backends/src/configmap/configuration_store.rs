//! Changes of the configuration document in its ConfigMap: nothing but the text is touched, and only at
//! the version that was read.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::GetParams;
use kube::core::PartialObjectMeta;
use stepdown_core::{ConfigurationText, Version};
use tokio::task::spawn_blocking;

use super::classify::{Ask, FailureClass, classify};
use super::configuration::{KEY, read as text_of};
use super::draft::{Request, create, merge};
use super::object_name::ObjectName;
use super::payload::{Metadata, Payload};
use super::request::{Failure, ask, read};
use super::size::LIMIT;
use super::version::ObjectVersion;
use super::watch::Seen;
use crate::configuration_store::{
    ConfigurationStore, ConfigurationStoreError, StoredConfiguration,
};

/// The version where there is no ConfigMap.
const ABSENT: &str = "absent";

#[derive(Clone)]
pub(crate) struct ConfigMapConfigurationStore {
    pub(crate) client: Client,
    pub(crate) place: ObjectName,
}

#[async_trait]
impl ConfigurationStore for ConfigMapConfigurationStore {
    async fn load(&self) -> Result<StoredConfiguration, ConfigurationStoreError> {
        let Seen::Present(object) = self.get().await? else {
            return Ok(StoredConfiguration {
                version: Version::new(ABSENT),
                text: None,
            });
        };
        let version = ObjectVersion::of(&object.metadata).ok_or_else(|| {
            let place = &self.place;
            ConfigurationStoreError::Unavailable(format!("configmap {place}: it has no version"))
        })?;
        let is_immutable = object.immutable == Some(true);
        let is_empty = object.data.as_ref().is_none_or(BTreeMap::is_empty)
            && object.binary_data.as_ref().is_none_or(BTreeMap::is_empty);
        let found = text_of(&self.place, Seen::Present(object));
        // What was meant to be the text may be under another key, and would be lost.
        if found.text.is_none() && !is_empty {
            return Err(ConfigurationStoreError::Refused(found.source));
        }
        if is_immutable {
            let place = &self.place;
            return Err(ConfigurationStoreError::Refused(format!(
                "configmap {place} is immutable; save it, delete it, and create it again without `immutable: true`"
            )));
        }
        Ok(StoredConfiguration {
            version: version.version(),
            text: found.text,
        })
    }

    async fn read(&self) -> Result<ConfigurationText, ConfigurationStoreError> {
        Ok(text_of(&self.place, self.get().await?))
    }

    async fn store(
        &self,
        expected: &Version,
        text: String,
    ) -> Result<Version, ConfigurationStoreError> {
        let (store, expected) = (self.clone(), expected.clone());
        let write = tokio::spawn(async move { store.write(&expected, text).await });
        write
            .await
            .unwrap_or_else(|error| Err(ConfigurationStoreError::Unknown(error.to_string())))
    }
}

impl ConfigMapConfigurationStore {
    /// What the API server has now.
    async fn get(&self) -> Result<Seen<ConfigMap>, ConfigurationStoreError> {
        let requests = self.place.requests::<ConfigMap>();
        let request = requests.get(&self.place.name, &GetParams::default());
        let answer = ask(&self.client, request).await;
        match answer.and_then(|body| read(&body)) {
            Ok(object) => Ok(Seen::Present(object)),
            Err(failure) if classify(Ask::Read, &failure) == FailureClass::Absent => {
                Ok(Seen::Absent)
            }
            Err(failure) => Err(self.failed(Ask::Read, &failure)),
        }
    }

    async fn write(
        &self,
        expected: &Version,
        text: String,
    ) -> Result<Version, ConfigurationStoreError> {
        let place = self.place.clone();
        if text.len() > LIMIT {
            let bytes = text.len();
            return Err(ConfigurationStoreError::TooLarge(format!(
                "configmap {place}: {bytes} bytes, where a ConfigMap holds at most {LIMIT}"
            )));
        }
        let version = ObjectVersion::parse(expected);
        if version.is_none() && *expected.0 != *ABSENT {
            return Err(ConfigurationStoreError::Conflict(format!(
                "configmap {place} never was at version '{expected}'"
            )));
        }
        let written = text.clone();
        // A large document takes its time.
        let drafted = spawn_blocking(move || draft(&place, version.as_ref(), written)).await;
        let (what, request) =
            drafted.map_err(|error| ConfigurationStoreError::Unavailable(error.to_string()))?;
        let answer = ask(&self.client, request).await;
        match answer.and_then(|body| version_of(&body)) {
            Ok(version) => Ok(version.version()),
            Err(failure) => {
                let error = self.failed(what, &failure);
                // Or one that came through before an answer got lost.
                if let ConfigurationStoreError::Unknown(reason) = error {
                    let came_second = came_second(&failure);
                    return self.look(expected, &text, came_second, reason).await;
                }
                Err(error)
            }
        }
    }

    /// What became of a write.
    async fn look(
        &self,
        expected: &Version,
        text: &str,
        came_second: bool,
        reason: String,
    ) -> Result<Version, ConfigurationStoreError> {
        match self.load().await {
            Ok(found) if found.text.as_deref() == Some(text) => Ok(found.version),
            Ok(found) if came_second && found.version != *expected => {
                Err(ConfigurationStoreError::Conflict(reason))
            }
            // Another text may have come in the place of ours.
            Ok(_) | Err(_) => Err(ConfigurationStoreError::Unknown(reason)),
        }
    }

    fn failed(&self, what: Ask, failure: &Failure) -> ConfigurationStoreError {
        let reason = format!("configmap {}: {failure}", self.place);
        match classify(what, failure) {
            FailureClass::Absent | FailureClass::Ambiguous | FailureClass::Expired => {
                ConfigurationStoreError::Unknown(reason)
            }
            FailureClass::Forbidden => ConfigurationStoreError::Refused(format!(
                "{reason}; let the coordinator's role get and patch this configmap"
            )),
            FailureClass::Invalid => ConfigurationStoreError::Refused(reason),
            FailureClass::TooLarge => ConfigurationStoreError::TooLarge(reason),
            FailureClass::Unavailable { .. } => ConfigurationStoreError::Unavailable(reason),
        }
    }
}

fn draft(place: &ObjectName, version: Option<&ObjectVersion>, text: String) -> (Ask, Request) {
    let mut payload = Payload::new(Metadata::new(&place.name, BTreeMap::new(), version));
    payload.data.insert(KEY, Some(text));
    match version {
        Some(_) => (Ask::Write, merge(place, payload)),
        None => (Ask::Create, create(place, &payload)),
    }
}

/// Whether the server says that what it has is not at the version that was read.
fn came_second(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(refusal) => matches!(refusal.code, 404 | 409),
        Failure::NotSent(_) | Failure::Unanswered(_) => false,
    }
}

fn version_of(body: &[u8]) -> Result<ObjectVersion, Failure> {
    let object: PartialObjectMeta<ConfigMap> = read(body)?;
    ObjectVersion::of(&object.metadata)
        .ok_or_else(|| Failure::Unanswered("the answer has no version".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fake::Reply;
    use super::super::fake_api::{FakeApi, Fault};
    use super::*;

    fn store(api: &FakeApi) -> ConfigMapConfigurationStore {
        ConfigMapConfigurationStore {
            client: api.clients().store,
            place: ObjectName {
                namespace: "ns".to_owned(),
                name: "config".to_owned(),
            },
        }
    }

    #[tokio::test]
    async fn nothing_but_the_text_is_changed_and_only_at_the_version_that_was_read() {
        let api = FakeApi::new().await;
        api.edit(json!({"metadata": {"labels": {"app": "x"}}, "data": {"config.yaml": "old"}}));
        let store = store(&api);
        let found = store.load().await.unwrap();
        assert_eq!(found.text.as_deref(), Some("old"));
        let stored = store.store(&found.version, "new".to_owned()).await.unwrap();
        assert_eq!(store.load().await.unwrap().version, stored);
        let object = api.object().unwrap();
        assert_eq!(object["data"], json!({"config.yaml": "new"}));
        assert_eq!(object["metadata"]["labels"], json!({"app": "x"}));
        let late = store.store(&found.version, "late".to_owned()).await;
        assert!(
            matches!(late, Err(ConfigurationStoreError::Conflict(_))),
            "{late:?}"
        );
    }

    #[tokio::test]
    async fn a_configmap_that_is_not_there_is_made_and_one_with_another_key_is_not_touched() {
        let api = FakeApi::new().await;
        let store = store(&api);
        let found = store.load().await.unwrap();
        assert_eq!(found.text, None);
        store.store(&found.version, "new".to_owned()).await.unwrap();
        let twice = store.store(&found.version, "other".to_owned()).await;
        assert!(
            matches!(twice, Err(ConfigurationStoreError::Conflict(_))),
            "{twice:?}"
        );
        api.delete();
        api.edit(json!({"data": {"cluster.yaml": "old"}}));
        let refused = store.load().await.unwrap_err();
        assert!(refused.to_string().contains("rename it"), "{refused}");
    }

    #[tokio::test]
    async fn a_write_whose_answer_was_lost_is_looked_for() {
        let api = FakeApi::new().await;
        api.edit(json!({"data": {"config.yaml": "old"}}));
        let store = store(&api);
        let found = store.load().await.unwrap();
        api.fail("PATCH", Fault::After(Reply::Reset));
        let stored = store.store(&found.version, "new".to_owned()).await.unwrap();
        api.fail("PATCH", Fault::Instead(Reply::Reset));
        let lost = store.store(&stored, "lost".to_owned()).await;
        assert!(
            matches!(lost, Err(ConfigurationStoreError::Unknown(_))),
            "{lost:?}"
        );
        let forbidden = Reply::status(403, "Forbidden", "may not");
        api.fail("PATCH", Fault::Instead(forbidden));
        let refused = store.store(&stored, "new".to_owned()).await.unwrap_err();
        assert!(refused.to_string().contains("get and patch"), "{refused}");
    }

    #[tokio::test]
    async fn of_a_write_whose_answer_was_lost_it_is_not_said_that_it_came_second() {
        let api = FakeApi::new().await;
        api.edit(json!({"data": {"config.yaml": "old"}}));
        let store = store(&api);
        let found = store.load().await.unwrap();
        store
            .store(&found.version, "ours".to_owned())
            .await
            .unwrap();
        api.edit(json!({"data": {"config.yaml": "theirs"}}));
        let look =
            |came_second| store.look(&found.version, "ours", came_second, "reset".to_owned());
        let lost = look(false).await;
        assert!(
            matches!(lost, Err(ConfigurationStoreError::Unknown(_))),
            "{lost:?}"
        );
        let late = look(true).await;
        assert!(
            matches!(late, Err(ConfigurationStoreError::Conflict(_))),
            "{late:?}"
        );
    }
}
