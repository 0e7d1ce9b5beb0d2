//! From what was written to what is meant: defaults, older spellings, and every check at once.

use std::path::PathBuf;

use stepdown_backends::Provider;
use stepdown_backends::file::FileOptions;

use super::settings::{AuthSettings, FileSettings, MetadataSettings, ServerSettings, Settings};
use super::{CoordinatorOptions, OptionsError, PortOptions, kubernetes, legacy, tls};

/// Checks everything; the error names every problem, not only the first.
pub fn resolve(
    settings: Settings,
    mut notices: Vec<String>,
) -> Result<CoordinatorOptions, OptionsError> {
    let mut problems = Vec::new();
    let name = name(&settings.metadata, &mut problems);
    let internal = server(
        "server.internal",
        "server.internal.bindAddress (--internal-addr)",
        "0.0.0.0:6649",
        settings.server.internal,
        &mut problems,
    );
    let public = server(
        "server.public",
        "server.public.bindAddress (--public-addr)",
        "0.0.0.0:6651",
        settings.server.public.unwrap_or_default(),
        &mut problems,
    );
    let metric = settings.observability.metric;
    let metrics = metric.enabled.unwrap_or(true).then(|| {
        server(
            "observability.metric",
            "observability.metric.bindAddress (--metrics-addr)",
            "0.0.0.0:8080",
            ServerSettings {
                bind_address: metric.bind_address,
                tls: metric.tls,
                ..ServerSettings::default()
            },
            &mut problems,
        )
    });
    let controller_tls = tls::resolve("controller.tls", settings.controller.tls, &mut problems);
    let config_path = said(settings.cluster.config_path);
    if config_path.is_some() {
        notices.push(
            "cluster.configPath (--conf, --cconfig) is deprecated; use metadata.file.configName or metadata.kubernetes.configName".to_owned(),
        );
    }
    let log_level = said(settings.observability.log.level).and_then(|text| {
        text.parse()
            .map_err(|error| notices.push(format!("observability.log.level: {error}; ignored")))
            .ok()
    });
    let provider = provider(settings.metadata, config_path, &mut notices, &mut problems);
    match provider {
        Some(provider) if problems.is_empty() => Ok(CoordinatorOptions {
            name,
            internal,
            public,
            controller_tls,
            metrics,
            provider,
            log_level,
            sconfig: None,
            notices,
        }),
        Some(_) | None => Err(OptionsError::Invalid { problems }),
    }
}

fn name(metadata: &MetadataSettings, problems: &mut Vec<String>) -> String {
    let name = said(metadata.name.clone()).unwrap_or_else(|| {
        hostname::get()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    });
    if name.trim().is_empty() {
        problems.push(
            "metadata.name is blank, and so is the host's name; set it to a name that no other coordinator of the cluster has".to_owned(),
        );
    }
    name
}

fn server(
    key: &str,
    setting: &'static str,
    default: &str,
    settings: ServerSettings,
    problems: &mut Vec<String>,
) -> PortOptions {
    let bind_address = said(settings.bind_address).unwrap_or_else(|| default.to_owned());
    let port = bind_address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() {
        problems.push(format!(
            "{setting} '{bind_address}' is not of the form host:port, as in {default}"
        ));
    }
    refuse_auth(key, &settings.auth, problems);
    PortOptions {
        bind_address,
        tls: tls::resolve(&format!("{key}.tls"), settings.tls, problems),
        setting,
    }
}

/// A port that was meant to ask for tokens must not open without asking.
fn refuse_auth(key: &str, auth: &AuthSettings, problems: &mut Vec<String>) {
    let provider = said(auth.provider.clone());
    if !auth.enabled.unwrap_or(provider.is_some()) {
        return;
    }
    if let Some(name) = provider.filter(|name| name != "oidc") {
        problems.push(format!(
            "{key}.auth.provider '{name}' is unknown; upstream knows only oidc"
        ));
    }
    problems.push(format!(
        "{key}.auth is on, but this release can't check tokens; remove {key}.auth and restrict the port by {key}.tls with clientAuth, or by a network policy"
    ));
}

fn provider(
    metadata: MetadataSettings,
    config_path: Option<String>,
    notices: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Option<Provider> {
    let initialize_empty_status = metadata.initialize_empty_status;
    let allow_network_filesystem = metadata.allow_network_filesystem;
    let mut file = metadata.file.unwrap_or_default();
    let mut kubernetes = metadata.kubernetes.unwrap_or_default();
    note(problems, legacy::fold_file_path(&mut file));
    note(problems, legacy::fold_config_map_name(&mut kubernetes));
    let name = said(metadata.provider_name).unwrap_or_else(|| "file".to_owned());
    if initialize_empty_status && !matches!(name.as_str(), "file" | "configmap") {
        problems.push(format!(
            "--initialize-empty-status is for the file and configmap providers, not for {name}"
        ));
    }
    if allow_network_filesystem && name != "file" {
        problems.push(format!(
            "--allow-network-filesystem is for the file provider, not for {name}"
        ));
    }
    match name.as_str() {
        "file" => {
            if let Some(path) = config_path {
                note(problems, legacy::config_path_for_file(&path, &mut file));
            }
            let (status, configuration) = file_paths(file, problems);
            Some(Provider::File(FileOptions {
                status,
                configuration,
                initialize_empty_status,
                allow_network_filesystem,
            }))
        }
        "memory" => Some(Provider::Memory),
        "configmap" => {
            if let Some(path) = config_path {
                let applied = legacy::config_path_for_configmap(&path, &mut kubernetes, notices);
                note(problems, applied);
            }
            let kubernetes = kubernetes::resolve(kubernetes, initialize_empty_status, problems)?;
            Some(Provider::ConfigMap(kubernetes))
        }
        "raft" => {
            if said(metadata.raft.address).is_none() {
                problems.push(
                    "metadata.raft.address (--raft-address) is missing; the raft provider needs it"
                        .to_owned(),
                );
            }
            problems.push(not_yet("raft"));
            None
        }
        _ => {
            problems.push(format!(
                "metadata.providerName (--metadata) '{name}' must be one of memory, configmap, raft, file"
            ));
            None
        }
    }
}

fn file_paths(file: FileSettings, problems: &mut Vec<String>) -> (PathBuf, PathBuf) {
    let dir = said(file.dir);
    let status = within(&dir, file.status_name, "cluster-status.json");
    let config = within(&dir, file.config_name, "cluster.yaml");
    if status == config {
        problems.push(format!(
            "metadata.file.statusName (--file-clusters-status-path) and metadata.file.configName are both {}; they must be two files",
            status.display()
        ));
    }
    (status, config)
}

/// A name below the directory, even one that looks absolute; without a directory, a path.
fn within(dir: &Option<String>, name: Option<String>, default: &str) -> PathBuf {
    let name = said(name).unwrap_or_else(|| default.to_owned());
    match dir {
        Some(dir) => PathBuf::from(dir).join(name.trim_start_matches('/')),
        None => PathBuf::from(name),
    }
}

fn not_yet(provider: &str) -> String {
    format!(
        "metadata.providerName (--metadata) {provider} is not in this release; configmap, file and memory are"
    )
}

fn note(problems: &mut Vec<String>, result: Result<(), String>) {
    if let Err(problem) = result {
        problems.push(problem);
    }
}

pub(super) fn said(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}
