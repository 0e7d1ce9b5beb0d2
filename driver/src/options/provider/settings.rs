//! Where documents and leadership live, as it is written.

use serde::Deserialize;

use super::file::FileSettings;
use super::kubernetes::KubernetesSettings;
use super::raft::RaftSettings;
use crate::options::key::Key;
use crate::options::said::{Overlay, field_by_field, null_is_default};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MetadataSettings {
    pub name: Option<String>,
    pub provider_name: Option<String>,
    pub kubernetes: Option<KubernetesSettings>,
    pub file: Option<FileSettings>,
    #[serde(deserialize_with = "null_is_default")]
    pub raft: RaftSettings,
    /// Flag only: take an empty status file for a new cluster.
    #[serde(skip)]
    pub initialize_empty_status: Option<bool>,
    /// Flag only: take files on a network file system.
    #[serde(skip)]
    pub allow_network_filesystem: Option<bool>,
}

impl MetadataSettings {
    pub(crate) const NAME: Key = Key::of_file("metadata.name");
    pub(crate) const PROVIDER_NAME: Key = Key::new("metadata.providerName", "--metadata");
}

field_by_field! {
    MetadataSettings {
        name, provider_name, kubernetes, file, raft, initialize_empty_status,
        allow_network_filesystem,
    }
}
