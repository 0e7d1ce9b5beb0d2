//! Which provider it is to be, and its settings, checked.

use stepdown_backends::Provider;

use super::deprecated::{self, DeprecatedKeyError};
use super::settings::MetadataSettings;
use super::{file, kubernetes, raft};
use crate::options::said::said;

/// Checks everything; what is wrong is added to `problems`.
pub(crate) fn resolve(
    metadata: MetadataSettings,
    config_path: Option<String>,
    notices: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Option<Provider> {
    let initialize_empty_status = metadata.initialize_empty_status.unwrap_or(false);
    let allow_network_filesystem = metadata.allow_network_filesystem.unwrap_or(false);
    let mut file = metadata.file.unwrap_or_default();
    let mut kubernetes = metadata.kubernetes.unwrap_or_default();
    note(problems, deprecated::fold_file_path(&mut file));
    note(problems, deprecated::fold_config_map_name(&mut kubernetes));
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
                note(problems, deprecated::config_path_for_file(&path, &mut file));
            }
            Some(Provider::File(file::resolve(
                file,
                initialize_empty_status,
                allow_network_filesystem,
                problems,
            )))
        }
        "memory" => Some(Provider::Memory),
        "configmap" => {
            if let Some(path) = config_path {
                let applied =
                    deprecated::config_path_for_configmap(&path, &mut kubernetes, notices);
                note(problems, applied);
            }
            let kubernetes = kubernetes::resolve(kubernetes, initialize_empty_status, problems)?;
            Some(Provider::ConfigMap(kubernetes))
        }
        "raft" => {
            if config_path.is_some() {
                notices.push(format!(
                    "{} has no effect: the raft provider keeps the configuration itself; set it with stepdown raft import --config FILE",
                    deprecated::ClusterSettings::CONFIG_PATH
                ));
            }
            raft::resolve(metadata.raft, problems).map(Provider::Raft)
        }
        _ => {
            problems.push(format!(
                "{} '{name}' must be one of memory, configmap, raft, file",
                MetadataSettings::PROVIDER_NAME
            ));
            None
        }
    }
}

fn note(problems: &mut Vec<String>, result: Result<(), DeprecatedKeyError>) {
    if let Err(error) = result {
        problems.push(error.to_string());
    }
}
