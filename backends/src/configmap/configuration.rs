//! The configuration document in its ConfigMap, which people and charts replace at any time.

use k8s_openapi::api::core::v1::ConfigMap;
use stepdown_core::ConfigurationText;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::object_name::ObjectName;
use super::watch::{Follower, Seen};
use crate::backend::ConfigurationSource;

/// The key of the text.
pub(super) const KEY: &str = "config.yaml";
/// So many others are named where it is not there.
const KEYS: usize = 5;

pub(crate) struct ConfigMapConfiguration {
    text: watch::Receiver<Option<ConfigurationText>>,
    task: JoinHandle<()>,
}

impl ConfigMapConfiguration {
    pub(crate) fn new(follower: Follower) -> Self {
        let (sender, text) = watch::channel(None);
        let place = follower.place.clone();
        let task = tokio::spawn(follower.run(move |seen| {
            let text = read(&place, seen);
            sender.send_if_modified(|known| {
                let is_new = known.as_ref() != Some(&text);
                *known = Some(text);
                is_new
            });
        }));
        Self { text, task }
    }
}

impl Drop for ConfigMapConfiguration {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ConfigurationSource for ConfigMapConfiguration {
    fn watch(&self) -> watch::Receiver<Option<ConfigurationText>> {
        self.text.clone()
    }
}

/// Where there is no such ConfigMap, or no such key in it, there is no document: not an empty one. What
/// is there in its place is named, since the text may be under another key.
pub(super) fn read(place: &ObjectName, seen: Seen<ConfigMap>) -> ConfigurationText {
    let source = format!("configmap {place} key {KEY}");
    let object = match seen {
        Seen::Absent => {
            return ConfigurationText {
                source: format!("{source} (there is no such configmap)"),
                text: None,
            };
        }
        Seen::Present(object) => object,
    };
    let mut data = object.data.unwrap_or_default();
    if let Some(text) = data.remove(KEY) {
        return ConfigurationText {
            source,
            text: Some(text),
        };
    }
    let binary = object.binary_data.unwrap_or_default();
    let binary = binary.keys().map(|key| format!("{key}, which is binary"));
    let keys: Vec<_> = data.into_keys().chain(binary).take(KEYS).collect();
    let source = match keys.as_slice() {
        [] => format!("{source} (there is no key in it)"),
        keys => format!(
            "{source} (there is no such key in it, but {}: rename it)",
            keys.join("; ")
        ),
    };
    ConfigurationText { source, text: None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(object: Value) -> ConfigurationText {
        let place = ObjectName {
            namespace: "ns".to_owned(),
            name: "config".to_owned(),
        };
        read(
            &place,
            Seen::Present(serde_json::from_value(object).unwrap()),
        )
    }

    #[test]
    fn the_text_is_taken_as_it_is() {
        for expected in ["", "{", "\u{feff}namespaces: ü\r\n"] {
            let read = seen(json!({"data": {"config.yaml": expected, "other": "1"}}));
            assert_eq!(read.text.as_deref(), Some(expected));
            assert_eq!(read.source, "configmap ns/config key config.yaml");
        }
    }

    #[test]
    fn without_the_key_there_is_no_document_and_those_that_are_there_are_named() {
        for (object, named) in [
            (json!({}), "there is no key in it"),
            (
                json!({"data": {"cluster.yaml": "1"}}),
                "but cluster.yaml: rename it",
            ),
            (
                json!({"binaryData": {"config.yaml": "AA=="}}),
                "but config.yaml, which is binary",
            ),
        ] {
            let read = seen(object);
            assert_eq!(read.text, None);
            assert!(read.source.contains(named), "{}", read.source);
        }
    }
}
