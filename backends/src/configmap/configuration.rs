//! The configuration document in its ConfigMap, which people and charts replace at any time.

use k8s_openapi::api::core::v1::ConfigMap;
use stepdown_core::ConfigurationText;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::object_name::ObjectName;
use super::watch::{Follower, Seen};
use crate::backend::ConfigurationSource;

/// The key of the text.
const KEY: &str = "config.yaml";

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

/// Where there is no such ConfigMap, or no such key in it, there is no document: not an empty one.
fn read(place: &ObjectName, seen: Seen<ConfigMap>) -> ConfigurationText {
    let text = match seen {
        Seen::Absent => None,
        Seen::Present(object) => object.data.and_then(|mut data| data.remove(KEY)),
    };
    ConfigurationText {
        source: format!("configmap {place} key {KEY}"),
        text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(object: Value) -> Option<String> {
        let place = ObjectName {
            namespace: "ns".to_owned(),
            name: "config".to_owned(),
        };
        let object = serde_json::from_value(object).unwrap();
        let read = read(&place, Seen::Present(object));
        assert_eq!(read.source, "configmap ns/config key config.yaml");
        read.text
    }

    #[test]
    fn the_text_is_taken_as_it_is() {
        for expected in ["", "{", "\u{feff}namespaces: ü\r\n"] {
            let object = json!({"data": {"config.yaml": expected, "other": "1"}});
            assert_eq!(text(object).as_deref(), Some(expected));
        }
    }

    #[test]
    fn without_the_key_there_is_no_document() {
        for object in [
            json!({}),
            json!({"data": {"config.yml": "1"}}),
            json!({"binaryData": {"config.yaml": "AA=="}}),
        ] {
            assert_eq!(text(object), None);
        }
    }
}
