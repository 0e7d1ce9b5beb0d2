//! A ConfigMap as it is sent: nothing in it but what is to be changed.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use serde::Serialize;

use super::version::ObjectVersion;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payload {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) data: Entries<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) binary_data: Entries<ByteString>,
}

/// Entries of a map; one without a value is removed.
type Entries<T> = BTreeMap<&'static str, Option<T>>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    name: String,
    annotations: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
}

impl Payload {
    pub(crate) fn new(metadata: Metadata) -> Self {
        Self {
            api_version: "v1",
            kind: "ConfigMap",
            metadata,
            data: BTreeMap::new(),
            binary_data: BTreeMap::new(),
        }
    }
}

impl Metadata {
    /// The metadata of the object at this version, or of a new one.
    pub(crate) fn new(
        name: &str,
        annotations: BTreeMap<&'static str, String>,
        version: Option<&ObjectVersion>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            annotations,
            resource_version: version.map(|it| it.resource_version.clone()),
            uid: version.map(|it| it.uid.clone()),
        }
    }
}
