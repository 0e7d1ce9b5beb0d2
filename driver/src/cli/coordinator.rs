//! `stepdown coordinator`.

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser};

use super::boolean;
use crate::options::{
    FileSettings, KubernetesSettings, RaftSettings, ServerSettings, Settings, TlsSettings,
};

/// Flags of `stepdown coordinator`. Where the `--sconfig` file speaks, it wins.
#[derive(Clone, Debug, Args)]
pub struct CoordinatorArgs {
    /// Options file (YAML); its keys win over flags
    #[arg(long, value_name = "FILE")]
    pub(crate) sconfig: Option<PathBuf>,
    /// Internal service bind address
    #[arg(short, long, value_name = "ADDRESS", default_value = "0.0.0.0:6649")]
    pub(crate) internal_addr: String,
    /// Public service (admin API) bind address
    #[arg(short, long, value_name = "ADDRESS", default_value = "0.0.0.0:6651")]
    pub(crate) public_addr: String,
    /// Where people reach the public service of this coordinator, host:port; other coordinators name it while
    /// this one leads
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) public_advertised_addr: Option<String>,
    /// Metrics service bind address
    #[arg(short, long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub(crate) metrics_addr: String,
    /// How long a configuration that would delete more namespaces than it keeps has to stay as it is before it is
    /// put into force
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) hold_deletions: String,
    /// Metadata provider: file, configmap, raft or memory
    #[arg(long, value_name = "PROVIDER", default_value = "file")]
    pub(crate) metadata: String,

    #[command(flatten)]
    pub(crate) file: FileSettings,
    /// Take an empty status document for a new cluster; without it, an empty one is refused
    #[arg(long, help_heading = "File and configmap provider", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", hide_default_value = true, value_name = "BOOL", value_parser = boolean::parse)]
    pub(crate) initialize_empty_status: bool,
    /// Take files on NFS, SMB or FUSE, whose locks and renames may not hold what they promise
    #[arg(long, help_heading = "File provider", num_args = 0..=1, require_equals = true, default_value = "false",
        default_missing_value = "true", hide_default_value = true, value_name = "BOOL", value_parser = boolean::parse)]
    pub(crate) allow_network_filesystem: bool,

    #[command(flatten)]
    pub(crate) kubernetes: KubernetesSettings,
    #[command(flatten)]
    pub(crate) raft: RaftSettings,
    #[command(flatten)]
    pub(super) tls: ServerTlsArgs,
    #[command(flatten)]
    pub(super) peer_tls: PeerTlsArgs,

    /// Deprecated: cluster configuration, a file or configmap:<namespace>/<name>
    #[arg(short = 'f', long, value_name = "PATH", hide = true)]
    pub(crate) conf: Option<String>,
    /// Deprecated: as --conf
    #[arg(long, value_name = "PATH", hide = true)]
    pub(crate) cconfig: Option<String>,
    /// Times of the lease: default, or short for tests
    #[arg(long, value_name = "PROFILE", default_value = "default", hide = true)]
    pub(crate) lease_profile: LeaseProfile,
}

/// Times of the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LeaseProfile {
    /// Those of upstream's Kubernetes client.
    #[default]
    Default,
    /// A fifth, for tests.
    Short,
}

/// TLS of the internal server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TLS of the internal service")]
pub(super) struct ServerTlsArgs {
    /// Certificate file
    #[arg(long, value_name = "FILE")]
    pub(super) tls_cert_file: Option<String>,
    /// Key file
    #[arg(long, value_name = "FILE")]
    pub(super) tls_key_file: Option<String>,
    /// Authorities of client certificates
    #[arg(long, value_name = "FILE")]
    pub(super) tls_trusted_ca_file: Option<String>,
    /// Least version: 771 is TLS 1.2, 772 is TLS 1.3
    #[arg(long, value_name = "NUMBER")]
    pub(super) tls_min_version: Option<u16>,
    /// Greatest version
    #[arg(long, value_name = "NUMBER")]
    pub(super) tls_max_version: Option<u16>,
    /// Has no meaning for a server
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", value_parser = boolean::parse)]
    pub(super) tls_insecure_skip_verify: Option<bool>,
    /// Refuse clients without a certificate
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", value_parser = boolean::parse)]
    pub(super) tls_client_auth: Option<bool>,
}

/// TLS towards data servers.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TLS towards data servers")]
pub(super) struct PeerTlsArgs {
    /// Certificate file
    #[arg(long, value_name = "FILE")]
    pub(super) peer_tls_cert_file: Option<String>,
    /// Key file
    #[arg(long, value_name = "FILE")]
    pub(super) peer_tls_key_file: Option<String>,
    /// Authorities of the servers' certificates
    #[arg(long, value_name = "FILE")]
    pub(super) peer_tls_trusted_ca_file: Option<String>,
    /// Name to expect in the servers' certificates
    #[arg(long, value_name = "NAME")]
    pub(super) peer_tls_server_name: Option<String>,
    /// Least version: 771 is TLS 1.2, 772 is TLS 1.3
    #[arg(long, value_name = "NUMBER")]
    pub(super) peer_tls_min_version: Option<u16>,
    /// Greatest version
    #[arg(long, value_name = "NUMBER")]
    pub(super) peer_tls_max_version: Option<u16>,
    /// Don't check the servers' certificates
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", value_parser = boolean::parse)]
    pub(super) peer_tls_insecure_skip_verify: Option<bool>,
}

impl CoordinatorArgs {
    /// Reads the words that follow `stepdown coordinator`.
    pub fn from_words(words: &[&str]) -> Result<Self, clap::Error> {
        #[derive(Parser)]
        #[command(no_binary_name = true, args_override_self = true)]
        struct Alone {
            #[command(flatten)]
            args: CoordinatorArgs,
        }
        let matches = Alone::command().try_get_matches_from(words)?;
        Ok(Alone::from_arg_matches(&matches)?.args)
    }

    /// What to tell the operator about flags that still work but should go.
    pub(crate) fn deprecations(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for (flag, used) in [
            ("--conf", self.conf.is_some()),
            ("--cconfig", self.cconfig.is_some()),
        ] {
            if used {
                notices.push(format!(
                    "Flag {flag} has been deprecated; use metadata.file.configName or metadata.kubernetes.configName in the --sconfig file"
                ));
            }
        }
        notices
    }

    /// The flags as settings, for the `--sconfig` file to be laid over.
    pub fn into_settings(self) -> Settings {
        let mut settings = Settings::default();
        settings.cluster.config_path = self.cconfig.or(self.conf);
        settings.server.internal = ServerSettings {
            bind_address: Some(self.internal_addr),
            tls: self.tls.into_settings(),
            ..ServerSettings::default()
        };
        settings.server.public = Some(ServerSettings {
            bind_address: Some(self.public_addr),
            ..ServerSettings::default()
        });
        settings.server.public_advertised_address = self.public_advertised_addr;
        settings.controller.hold_deletions = Some(self.hold_deletions);
        settings.controller.tls = self.peer_tls.into_settings();
        settings.metadata.provider_name = Some(self.metadata);
        settings.metadata.kubernetes = Some(self.kubernetes);
        settings.metadata.file = Some(self.file);
        settings.metadata.raft = self.raft;
        settings.metadata.initialize_empty_status = Some(self.initialize_empty_status);
        settings.metadata.allow_network_filesystem = Some(self.allow_network_filesystem);
        settings.observability.metric.bind_address = Some(self.metrics_addr);
        settings
    }
}

impl ServerTlsArgs {
    fn into_settings(self) -> TlsSettings {
        TlsSettings {
            cert_file: self.tls_cert_file,
            key_file: self.tls_key_file,
            trusted_ca_file: self.tls_trusted_ca_file,
            min_version: self.tls_min_version,
            max_version: self.tls_max_version,
            insecure_skip_verify: self.tls_insecure_skip_verify,
            client_auth: self.tls_client_auth,
            ..TlsSettings::default()
        }
    }
}

impl PeerTlsArgs {
    fn into_settings(self) -> TlsSettings {
        TlsSettings {
            cert_file: self.peer_tls_cert_file,
            key_file: self.peer_tls_key_file,
            trusted_ca_file: self.peer_tls_trusted_ca_file,
            server_name: self.peer_tls_server_name,
            min_version: self.peer_tls_min_version,
            max_version: self.peer_tls_max_version,
            insecure_skip_verify: self.peer_tls_insecure_skip_verify,
            ..TlsSettings::default()
        }
    }
}
