//! Everything that a coordinator is told: from what was written to what is meant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use stepdown_backends::{Provider, PublicAddress};
use stepdown_core::Timing;
use stepdown_wire::tls::TlsOptions;

use super::error::OptionsError;
use super::key::Key;
use super::level::{LogLevel, ParseLogLevelError};
use super::port::PortOptions;
use super::provider::{ClusterSettings, FileSettings, KubernetesSettings, MetadataSettings};
use super::said::{Overlay, said};
use super::settings::{
    ControllerSettings, LogSettings, MetricSettings, ServerSettings, ServersSettings, Settings,
};
use super::{advertised, port, provider, sconfig, tls};
use crate::cli::parse_duration;

/// Everything a coordinator needs to know before it starts. It is valid as a whole: only
/// [`CoordinatorOptions::load`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorOptions {
    /// The coordinator's stable name: its identity in elections and redirects.
    pub name: String,
    /// The health service for probes and data servers.
    pub internal: PortOptions,
    /// The admin API, and the same health service.
    pub public: PortOptions,
    /// Where people reach the public port, if that is known.
    pub advertised_address: Option<PublicAddress>,
    /// Whether anybody who reaches the public port may change the cluster.
    pub allow_unauthenticated_admin: bool,
    /// How long a configuration that would delete more namespaces than it keeps has to stay as it is.
    pub hold_deletions: Duration,
    /// How to reach data servers over TLS; `None` is plaintext.
    pub controller_tls: Option<TlsOptions>,
    /// Where `/metrics` is served; `None` when switched off.
    pub metrics: Option<PortOptions>,
    /// Whether each shard has histograms of its own in `/metrics`.
    pub shard_histograms: bool,
    /// The file that changes which people make are written down in, beside the log.
    pub audit: Option<PathBuf>,
    /// Where documents and leadership live.
    pub provider: Provider,
    /// The level that the `--sconfig` file asks for.
    pub log_level: Option<LogLevel>,
    /// The `--sconfig` file, which is watched for a new log level.
    pub sconfig: Option<PathBuf>,
    /// What was accepted but deserves a warning: deprecated spellings, unknown keys.
    pub notices: Vec<String>,
}

impl CoordinatorOptions {
    /// Joins the flags with the `--sconfig` file, which wins where both speak, and checks the whole.
    pub fn load(flags: Settings, sconfig: Option<PathBuf>) -> Result<Self, OptionsError> {
        let mut notices = Vec::new();
        let settings = match &sconfig {
            Some(path) => flags.overlaid_by(sconfig::read(path, &mut notices)?),
            None => flags,
        };
        let mut options = resolve(settings, notices)?;
        options.sconfig = sconfig;
        let shown = options.shown_keys();
        options.notices.extend(shown);
        Ok(options)
    }

    /// What to tell of private keys that are not private.
    fn shown_keys(&self) -> Vec<String> {
        let ports = [
            Some(&self.internal),
            Some(&self.public),
            self.metrics.as_ref(),
        ];
        let ports = ports
            .into_iter()
            .flatten()
            .filter_map(|port| port.tls.as_ref());
        let raft = match &self.provider {
            Provider::Raft(raft) => raft.tls.as_ref(),
            Provider::ConfigMap(_) | Provider::File(_) | Provider::Memory => None,
        };
        let shown = ports.chain(&self.controller_tls).chain(raft).filter_map(|tls| {
            let (key, mode) = (tls.key_file.display(), tls.mode_of_shown_key()?);
            Some(format!(
                "others may read the private key {key}, or write to it (mode {mode:04o}): chmod 0600, or in a volume of Kubernetes, defaultMode: 0440"
            ))
        });
        let mut shown: Vec<_> = shown.collect();
        shown.sort();
        shown.dedup();
        shown
    }
}

/// What an `--sconfig` file says, on its own: what is looked at when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsFile(Settings);

impl OptionsFile {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, OptionsError> {
        sconfig::read(path, &mut Vec::new()).map(Self)
    }

    /// The log level that it asks for.
    pub fn log_level(&self) -> Result<Option<LogLevel>, OptionsError> {
        match self.0.observability.log.level.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => {
                text.parse()
                    .map(Some)
                    .map_err(|error: ParseLogLevelError| OptionsError::Invalid {
                        problems: vec![format!("{}: {error}", LogSettings::LEVEL)],
                    })
            }
        }
    }

    /// Whether it asks for anything else than another one does, but for the log level.
    pub fn differs_beyond_level(&self, other: &Self) -> bool {
        let without = |file: &Self| {
            let mut settings = file.0.clone();
            settings.observability.log.level = None;
            settings
        };
        without(self) != without(other)
    }
}

/// Checks everything; the error names every problem, not only the first.
pub(super) fn resolve(
    settings: Settings,
    mut notices: Vec<String>,
) -> Result<CoordinatorOptions, OptionsError> {
    let mut problems = Vec::new();
    let name = name(&settings.metadata, &mut problems);
    let public = settings.server.public.unwrap_or_default();
    let advertised_address =
        said(public.advertised_address.clone()).or(said(settings.server.public_advertised_address));
    let allow_unauthenticated_admin = public.allow_unauthenticated_admin.unwrap_or(false);
    let internal = &settings.server.internal;
    for (key, is_set) in [
        ("advertisedAddress", internal.advertised_address.is_some()),
        (
            "allowUnauthenticatedAdmin",
            internal.allow_unauthenticated_admin.is_some(),
        ),
    ] {
        if is_set {
            notices.push(format!(
                "server.internal.{key} has no effect: the admin API is on the port of server.public"
            ));
        }
    }
    let internal = port::resolve(
        "server.internal",
        ServersSettings::INTERNAL,
        "0.0.0.0:6649",
        settings.server.internal,
        &mut notices,
        &mut problems,
    );
    let public = port::resolve(
        "server.public",
        ServersSettings::PUBLIC,
        "0.0.0.0:6651",
        public,
        &mut notices,
        &mut problems,
    );
    let advertised_address = advertised::resolve(
        ServersSettings::ADVERTISED,
        advertised_address,
        &public,
        &mut problems,
    );
    let metric = settings.observability.metric;
    let shard_histograms = metric.shard_histograms.unwrap_or(true);
    let metrics = metric.enabled.unwrap_or(true).then(|| {
        port::resolve(
            "observability.metric",
            MetricSettings::BIND_ADDRESS,
            "0.0.0.0:8080",
            ServerSettings {
                bind_address: metric.bind_address,
                tls: metric.tls,
                ..ServerSettings::default()
            },
            &mut notices,
            &mut problems,
        )
    });
    let hold_deletions = hold_deletions(settings.controller.hold_deletions, &mut problems);
    let controller_tls = tls::resolve("controller.tls", settings.controller.tls, &mut problems);
    let ports = [
        (ServersSettings::PUBLIC, Some(&public)),
        (MetricSettings::BIND_ADDRESS, metrics.as_ref()),
    ];
    warn_of_plaintext(&internal, ports, &mut notices);
    warn_of_unverified("controller.tls", controller_tls.as_ref(), &mut notices);
    let config_path = said(settings.cluster.config_path);
    if config_path.is_some() {
        notices.push(format!(
            "{} is deprecated; use {} or {}",
            ClusterSettings::CONFIG_PATH,
            FileSettings::CONFIG_NAME,
            KubernetesSettings::CONFIG_NAME
        ));
    }
    let log_level = said(settings.observability.log.level).and_then(|text| {
        text.parse()
            .map_err(|error| notices.push(format!("{}: {error}; ignored", LogSettings::LEVEL)))
            .ok()
    });
    let audit = said(settings.observability.audit.path).map(PathBuf::from);
    let provider = provider::resolve(settings.metadata, config_path, &mut notices, &mut problems);
    if let Some(Provider::Raft(raft)) = &provider {
        warn_of_unverified("metadata.raft.tls", raft.tls.as_ref(), &mut notices);
        if raft.tls.is_none() && internal.tls.is_some() {
            notices.push(
                "server.internal has TLS, but the port of metadata.raft.address has not, and whoever reaches it can \
                 write the status: set metadata.raft.tls, or keep strangers away from it"
                    .to_owned(),
            );
        }
    }
    match provider {
        Some(provider) if problems.is_empty() => Ok(CoordinatorOptions {
            name,
            internal,
            public,
            advertised_address,
            allow_unauthenticated_admin,
            hold_deletions,
            controller_tls,
            metrics,
            shard_histograms,
            audit,
            provider,
            log_level,
            sconfig: None,
            notices,
        }),
        Some(_) | None => Err(OptionsError::Invalid { problems }),
    }
}

/// Whoever secures one port means all of them, mostly; and flags are there for only one.
fn warn_of_plaintext(
    internal: &PortOptions,
    others: [(Key, Option<&PortOptions>); 2],
    notices: &mut Vec<String>,
) {
    if internal.tls.is_none() {
        return;
    }
    for (setting, port) in others {
        if port.is_some_and(|port| port.tls.is_none()) {
            let setting = setting.in_file();
            notices.push(format!(
                "server.internal has TLS, but the port of {setting} has not: set tls beside that key in the --sconfig file, or keep strangers away from it"
            ));
        }
    }
}

fn warn_of_unverified(key: &str, tls: Option<&TlsOptions>, notices: &mut Vec<String>) {
    if tls.is_some_and(|tls| tls.insecure_skip_verify) {
        notices.push(format!(
            "{key}.insecureSkipVerify is on: whoever answers in the place of a peer is believed"
        ));
    }
}

fn hold_deletions(time: Option<String>, problems: &mut Vec<String>) -> Duration {
    let usual = Timing::default().delete_after;
    let told = said(time).map_or(Ok(usual), |text| parse_duration(&text));
    told.unwrap_or_else(|error| {
        problems.push(format!("{}: {error}", ControllerSettings::HOLD_DELETIONS));
        usual
    })
}

fn name(metadata: &MetadataSettings, problems: &mut Vec<String>) -> String {
    let name = said(metadata.name.clone()).unwrap_or_else(|| {
        hostname::get()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    });
    if name.trim().is_empty() {
        problems.push(format!(
            "{} is blank, and so is the host's name; set it to a name that no other coordinator of the cluster has",
            MetadataSettings::NAME
        ));
    }
    name
}
