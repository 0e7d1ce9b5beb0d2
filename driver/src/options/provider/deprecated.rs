//! Older spellings, mapped to the ones that replaced them.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::file::FileSettings;
use super::kubernetes::KubernetesSettings;
use super::settings::MetadataSettings;
use crate::options::key::Key;
use crate::options::said::{Overlay, field_by_field, said};

const CONFIGMAP: &str = "configmap:";

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ClusterSettings {
    pub config_path: Option<String>,
}

impl ClusterSettings {
    pub(crate) const CONFIG_PATH: Key = Key::new("cluster.configPath", "--conf, --cconfig");
}

field_by_field! {
    ClusterSettings { config_path }
}

/// Why an older spelling can't be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeprecatedKeyError {
    /// It names a ConfigMap, in another form than that.
    #[error("{} must have the form configmap:<namespace>/<name>", config_path_saying(.0))]
    Form(String),
    /// It names a ConfigMap, for files.
    #[error(
        "{} is a ConfigMap, but the file provider reads files; give a path, or use {}",
        config_path_saying(.0), MetadataSettings::PROVIDER_NAME.saying("configmap")
    )]
    NotAFile(String),
    /// The spelling that replaced it says something else.
    #[error(
        "{old_key} is deprecated and says '{old}', but {new_key} says '{new}'; remove the deprecated one"
    )]
    Differ {
        old_key: String,
        old: String,
        new_key: Key,
        new: String,
    },
}

fn config_path_saying(path: &str) -> String {
    ClusterSettings::CONFIG_PATH.saying(format_args!("'{path}'"))
}

/// Folds `metadata.file.path` into `dir` and `statusName`.
pub(super) fn fold_file_path(file: &mut FileSettings) -> Result<(), DeprecatedKeyError> {
    let Some(path) = said(file.path.take()) else {
        return Ok(());
    };
    fold(
        file.dir.as_deref(),
        &mut file.status_name,
        &path,
        FileSettings::PATH,
        FileSettings::STATUS_NAME.in_file(),
    )
}

/// Folds `metadata.kubernetes.configMapName` into `statusName`.
pub(super) fn fold_config_map_name(
    kubernetes: &mut KubernetesSettings,
) -> Result<(), DeprecatedKeyError> {
    let Some(old) = said(kubernetes.config_map_name.take()) else {
        return Ok(());
    };
    agree(
        &mut kubernetes.status_name,
        old,
        KubernetesSettings::CONFIG_MAP_NAME,
        KubernetesSettings::STATUS_NAME.in_file(),
    )
}

/// Applies `cluster.configPath` (or `--conf`, `--cconfig`) for the `configmap` provider. A plain
/// path has no effect, as upstream, but is told: a revision of the Helm chart writes one.
pub(super) fn config_path_for_configmap(
    path: &str,
    kubernetes: &mut KubernetesSettings,
    notices: &mut Vec<String>,
) -> Result<(), DeprecatedKeyError> {
    let Some(rest) = path.strip_prefix(CONFIGMAP) else {
        notices.push(format!(
            "{} is a file and has no effect: the configmap provider reads its configuration from a ConfigMap; use configmap:<namespace>/<name> or {}",
            config_path_saying(path),
            KubernetesSettings::CONFIG_NAME
        ));
        return Ok(());
    };
    let (namespace, name) = match rest.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => (namespace, name),
        Some(_) | None => return Err(DeprecatedKeyError::Form(path.to_owned())),
    };
    agree(
        &mut kubernetes.namespace,
        namespace.to_owned(),
        format_args!("the namespace in {}", ClusterSettings::CONFIG_PATH),
        KubernetesSettings::NAMESPACE,
    )?;
    agree(
        &mut kubernetes.config_name,
        name.to_owned(),
        format_args!("the name in {}", ClusterSettings::CONFIG_PATH),
        KubernetesSettings::CONFIG_NAME,
    )
}

/// Applies `cluster.configPath` (or `--conf`, `--cconfig`) for the `file` provider.
pub(super) fn config_path_for_file(
    path: &str,
    file: &mut FileSettings,
) -> Result<(), DeprecatedKeyError> {
    if path.starts_with(CONFIGMAP) {
        return Err(DeprecatedKeyError::NotAFile(path.to_owned()));
    }
    fold(
        file.dir.as_deref(),
        &mut file.config_name,
        path,
        ClusterSettings::CONFIG_PATH,
        FileSettings::CONFIG_NAME,
    )
}

/// Puts a whole path where a name within `dir` is expected.
fn fold(
    dir: Option<&str>,
    name: &mut Option<String>,
    path: &str,
    old_key: Key,
    new_key: Key,
) -> Result<(), DeprecatedKeyError> {
    let path = Path::new(path);
    let shown = path.display().to_string();
    let Some(dir) = dir.filter(|dir| !dir.is_empty()) else {
        let given = name.as_deref().filter(|name| !name.is_empty());
        return match given {
            Some(given) if clean(Path::new(given)) != clean(path) => {
                Err(differ(old_key, shown, new_key, given))
            }
            Some(_) => Ok(()),
            None => {
                *name = Some(shown);
                Ok(())
            }
        };
    };
    let parent = path.parent().unwrap_or(Path::new(""));
    if clean(Path::new(dir)) != clean(parent) {
        return Err(differ(old_key, shown, FileSettings::DIR, dir));
    }
    let base = path.file_name().unwrap_or_default().to_string_lossy();
    agree(name, base.into_owned(), old_key, new_key)
}

fn agree(
    new: &mut Option<String>,
    old: String,
    old_key: impl fmt::Display,
    new_key: Key,
) -> Result<(), DeprecatedKeyError> {
    match new.as_deref().filter(|value| !value.is_empty()) {
        Some(value) if value != old => Err(differ(old_key, old, new_key, value)),
        Some(_) => Ok(()),
        None => {
            *new = Some(old);
            Ok(())
        }
    }
}

fn differ(old_key: impl fmt::Display, old: String, new_key: Key, new: &str) -> DeprecatedKeyError {
    DeprecatedKeyError::Differ {
        old_key: old_key.to_string(),
        old,
        new_key,
        new: new.to_owned(),
    }
}

/// The path without `.` and with `..` resolved by name; the file system is not asked.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some_and(|name| name != "..") => {
                out.pop();
            }
            Component::Normal(_)
            | Component::ParentDir
            | Component::Prefix(_)
            | Component::RootDir => out.push(part),
        }
    }
    out
}
