//! Options as they are written, before they are checked: one shape for the flags and for the file.
//!
//! `None` means that nothing was said, so that a file's silence leaves a flag alone.

use serde::{Deserialize, Deserializer};

/// The options of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) cluster: ClusterSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) server: ServersSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) controller: ControllerSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) metadata: MetadataSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) observability: ObservabilitySettings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ClusterSettings {
    pub config_path: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ServersSettings {
    pub public: Option<ServerSettings>,
    #[serde(deserialize_with = "null_is_default")]
    pub internal: ServerSettings,
}

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct ServerSettings {
    pub bind_address: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub auth: AuthSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub tls: TlsSettings,
}

/// Who may call a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct AuthSettings {
    pub enabled: Option<bool>,
    pub provider: Option<String>,
    pub provider_params: Option<String>,
}

/// TLS of one server or client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct TlsSettings {
    pub enabled: Option<bool>,
    pub cert_file: Option<String>,
    pub key_file: Option<String>,
    pub cipher_suites: Option<Vec<u16>>,
    pub min_version: Option<u16>,
    pub max_version: Option<u16>,
    pub trusted_ca_file: Option<String>,
    pub insecure_skip_verify: Option<bool>,
    pub server_name: Option<String>,
    pub client_auth: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ControllerSettings {
    #[serde(deserialize_with = "null_is_default")]
    pub tls: TlsSettings,
}

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
    pub initialize_empty_status: bool,
    /// Flag only: take files on a network file system.
    #[serde(skip)]
    pub allow_network_filesystem: bool,
}

/// The `configmap` provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct KubernetesSettings {
    pub namespace: Option<String>,
    pub status_name: Option<String>,
    pub config_name: Option<String>,
    pub config_map_name: Option<String>,
    pub status_layout: Option<String>,
    pub flap_limit: Option<u32>,
}

/// The `file` provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct FileSettings {
    pub dir: Option<String>,
    pub status_name: Option<String>,
    pub config_name: Option<String>,
    pub path: Option<String>,
}

/// The `raft` provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct RaftSettings {
    pub address: Option<String>,
    pub bootstrap_nodes: Option<Vec<String>>,
    pub data_dir: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObservabilitySettings {
    #[serde(deserialize_with = "null_is_default")]
    pub metric: MetricSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub log: LogSettings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MetricSettings {
    pub enabled: Option<bool>,
    pub bind_address: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub tls: TlsSettings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LogSettings {
    pub level: Option<String>,
}

impl Settings {
    /// These settings where `file` is silent, else the file's. `server.public`,
    /// `metadata.kubernetes` and `metadata.file` count as one value each.
    #[must_use]
    pub fn overlaid_by(self, file: Self) -> Self {
        Self {
            cluster: ClusterSettings {
                config_path: file.cluster.config_path.or(self.cluster.config_path),
            },
            server: ServersSettings {
                public: file.server.public.or(self.server.public),
                internal: ServerSettings {
                    bind_address: file
                        .server
                        .internal
                        .bind_address
                        .or(self.server.internal.bind_address),
                    auth: self
                        .server
                        .internal
                        .auth
                        .overlaid_by(file.server.internal.auth),
                    tls: self
                        .server
                        .internal
                        .tls
                        .overlaid_by(file.server.internal.tls),
                },
            },
            controller: ControllerSettings {
                tls: self.controller.tls.overlaid_by(file.controller.tls),
            },
            metadata: self.metadata.overlaid_by(file.metadata),
            observability: self.observability.overlaid_by(file.observability),
        }
    }
}

impl AuthSettings {
    fn overlaid_by(self, file: Self) -> Self {
        Self {
            enabled: file.enabled.or(self.enabled),
            provider: file.provider.or(self.provider),
            provider_params: file.provider_params.or(self.provider_params),
        }
    }
}

impl TlsSettings {
    fn overlaid_by(self, file: Self) -> Self {
        Self {
            enabled: file.enabled.or(self.enabled),
            cert_file: file.cert_file.or(self.cert_file),
            key_file: file.key_file.or(self.key_file),
            cipher_suites: file.cipher_suites.or(self.cipher_suites),
            min_version: file.min_version.or(self.min_version),
            max_version: file.max_version.or(self.max_version),
            trusted_ca_file: file.trusted_ca_file.or(self.trusted_ca_file),
            insecure_skip_verify: file.insecure_skip_verify.or(self.insecure_skip_verify),
            server_name: file.server_name.or(self.server_name),
            client_auth: file.client_auth.or(self.client_auth),
        }
    }
}

impl MetadataSettings {
    fn overlaid_by(self, file: Self) -> Self {
        Self {
            name: file.name.or(self.name),
            provider_name: file.provider_name.or(self.provider_name),
            kubernetes: file.kubernetes.or(self.kubernetes),
            file: file.file.or(self.file),
            raft: RaftSettings {
                address: file.raft.address.or(self.raft.address),
                bootstrap_nodes: file.raft.bootstrap_nodes.or(self.raft.bootstrap_nodes),
                data_dir: file.raft.data_dir.or(self.raft.data_dir),
            },
            initialize_empty_status: self.initialize_empty_status,
            allow_network_filesystem: self.allow_network_filesystem,
        }
    }
}

impl ObservabilitySettings {
    fn overlaid_by(self, file: Self) -> Self {
        Self {
            metric: MetricSettings {
                enabled: file.metric.enabled.or(self.metric.enabled),
                bind_address: file.metric.bind_address.or(self.metric.bind_address),
                tls: self.metric.tls.overlaid_by(file.metric.tls),
            },
            log: LogSettings {
                level: file.log.level.or(self.log.level),
            },
        }
    }
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
