//! Options as they are written, before they are checked: one shape for the flags and for the file.
//!
//! `None` means that nothing was said, so that a file's silence leaves a flag alone. What is
//! optional as a whole (`server.public`, `metadata.kubernetes`, `metadata.file`) counts as one
//! value: a file that speaks of it replaces all of it.

use serde::Deserialize;

use super::key::Key;
use super::provider::{ClusterSettings, MetadataSettings};
use super::said::{Overlay, field_by_field, null_is_default, null_is_empty};

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
pub(crate) struct ServersSettings {
    pub public: Option<ServerSettings>,
    #[serde(deserialize_with = "null_is_default")]
    pub internal: ServerSettings,
    /// What a flag says of it: whatever else the file says of the public port leaves that in force.
    #[serde(skip)]
    pub public_advertised_address: Option<String>,
}

impl ServersSettings {
    pub(super) const INTERNAL: Key = Key::new("server.internal.bindAddress", "--internal-addr");
    pub(super) const PUBLIC: Key = Key::new("server.public.bindAddress", "--public-addr");
    pub(super) const ADVERTISED: Key = Key::new(
        "server.public.advertisedAddress",
        "--public-advertised-addr",
    );
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
    /// Ours: where others reach it.
    pub advertised_address: Option<String>,
    /// Ours: whether anybody may change the cluster by way of it.
    pub allow_unauthenticated_admin: Option<bool>,
    #[serde(deserialize_with = "null_is_default")]
    pub auth: AuthSettings,
    #[serde(deserialize_with = "null_is_empty")]
    pub authorization: Option<Vec<RuleSettings>>,
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

/// Ours: who may do what on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct RuleSettings {
    pub subjects: Vec<SubjectSettings>,
    pub verbs: Vec<String>,
    pub namespaces: Option<Vec<String>>,
}

/// Ours: whom a rule is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct SubjectSettings {
    pub claim: Option<String>,
    pub value: Option<String>,
    pub group: Option<String>,
    pub certificate: Option<String>,
    pub issuer: Option<String>,
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
    /// Ours: what those authorities have revoked.
    pub crl_file: Option<String>,
    pub insecure_skip_verify: Option<bool>,
    pub server_name: Option<String>,
    pub client_auth: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ControllerSettings {
    /// Ours: for how long a configuration that deletes much has to stay as it is.
    pub hold_deletions: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub tls: TlsSettings,
}

impl ControllerSettings {
    pub(super) const HOLD_DELETIONS: Key = Key::new("controller.holdDeletions", "--hold-deletions");
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObservabilitySettings {
    #[serde(deserialize_with = "null_is_default")]
    pub metric: MetricSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub log: LogSettings,
    #[serde(deserialize_with = "null_is_default")]
    pub audit: AuditSettings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MetricSettings {
    pub enabled: Option<bool>,
    pub bind_address: Option<String>,
    /// Ours: whether each shard has histograms of its own.
    pub shard_histograms: Option<bool>,
    #[serde(deserialize_with = "null_is_default")]
    pub tls: TlsSettings,
}

impl MetricSettings {
    pub(super) const BIND_ADDRESS: Key =
        Key::new("observability.metric.bindAddress", "--metrics-addr");
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LogSettings {
    pub level: Option<String>,
}

impl LogSettings {
    pub(super) const LEVEL: Key = Key::of_file("observability.log.level");
}

/// Ours: where changes that people make are written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AuditSettings {
    pub path: Option<String>,
}

field_by_field! {
    Settings { cluster, server, controller, metadata, observability }
    ServersSettings { public, internal, public_advertised_address }
    ServerSettings { bind_address, advertised_address, allow_unauthenticated_admin, auth, authorization, tls }
    AuthSettings { enabled, provider, provider_params }
    TlsSettings {
        enabled, cert_file, key_file, cipher_suites, min_version, max_version, trusted_ca_file,
        crl_file, insecure_skip_verify, server_name, client_auth,
    }
    ControllerSettings { hold_deletions, tls }
    ObservabilitySettings { metric, log, audit }
    MetricSettings { enabled, bind_address, shard_histograms, tls }
    LogSettings { level }
    AuditSettings { path }
}
