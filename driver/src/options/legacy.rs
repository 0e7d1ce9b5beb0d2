//! Older spellings, mapped to the ones that replaced them.

use std::path::{Component, Path, PathBuf};

use super::settings::{FileSettings, KubernetesSettings};

const CONFIGMAP: &str = "configmap:";

/// Folds `metadata.file.path` into `dir` and `statusName`.
pub fn fold_file_path(file: &mut FileSettings) -> Result<(), String> {
    let Some(path) = take(&mut file.path) else {
        return Ok(());
    };
    fold(
        file.dir.as_deref(),
        &mut file.status_name,
        &path,
        "metadata.file.path",
        "metadata.file.statusName",
    )
}

/// Folds `metadata.kubernetes.configMapName` into `statusName`.
pub fn fold_config_map_name(kubernetes: &mut KubernetesSettings) -> Result<(), String> {
    let Some(old) = take(&mut kubernetes.config_map_name) else {
        return Ok(());
    };
    agree(
        &mut kubernetes.status_name,
        old,
        "metadata.kubernetes.configMapName",
        "metadata.kubernetes.statusName",
    )
}

/// Applies `cluster.configPath` (or `--conf`, `--cconfig`) for the `configmap` provider. A plain
/// path has no effect, as upstream, but is told: a revision of the Helm chart writes one.
pub fn config_path_for_configmap(
    path: &str,
    kubernetes: &mut KubernetesSettings,
    notices: &mut Vec<String>,
) -> Result<(), String> {
    let Some(rest) = path.strip_prefix(CONFIGMAP) else {
        notices.push(format!(
            "cluster.configPath '{path}' (--conf, --cconfig) is a file and has no effect: the configmap provider reads its configuration from a ConfigMap; use configmap:<namespace>/<name> or metadata.kubernetes.configName"
        ));
        return Ok(());
    };
    let (namespace, name) = match rest.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => (namespace, name),
        Some(_) | None => {
            return Err(format!(
                "cluster.configPath '{path}' (--conf, --cconfig) must have the form configmap:<namespace>/<name>"
            ));
        }
    };
    agree(
        &mut kubernetes.namespace,
        namespace.to_owned(),
        "the namespace in cluster.configPath (--conf, --cconfig)",
        "metadata.kubernetes.namespace (--k8s-namespace)",
    )?;
    agree(
        &mut kubernetes.config_name,
        name.to_owned(),
        "the name in cluster.configPath (--conf, --cconfig)",
        "metadata.kubernetes.configName",
    )
}

/// Applies `cluster.configPath` (or `--conf`, `--cconfig`) for the `file` provider.
pub fn config_path_for_file(path: &str, file: &mut FileSettings) -> Result<(), String> {
    if path.starts_with(CONFIGMAP) {
        return Err(format!(
            "cluster.configPath '{path}' (--conf, --cconfig) is a ConfigMap, but the file provider reads files; give a path, or use metadata.providerName configmap (--metadata)"
        ));
    }
    fold(
        file.dir.as_deref(),
        &mut file.config_name,
        path,
        "cluster.configPath (--conf, --cconfig)",
        "metadata.file.configName",
    )
}

/// Puts a whole path where a name within `dir` is expected.
fn fold(
    dir: Option<&str>,
    name: &mut Option<String>,
    path: &str,
    old_key: &str,
    new_key: &str,
) -> Result<(), String> {
    let path = Path::new(path);
    let Some(dir) = dir.filter(|dir| !dir.is_empty()) else {
        let given = name.as_deref().filter(|name| !name.is_empty());
        return match given {
            Some(given) if clean(Path::new(given)) != clean(path) => {
                Err(differ(old_key, &path.display().to_string(), new_key, given))
            }
            Some(_) => Ok(()),
            None => {
                *name = Some(path.display().to_string());
                Ok(())
            }
        };
    };
    let parent = path.parent().unwrap_or(Path::new(""));
    if clean(Path::new(dir)) != clean(parent) {
        return Err(differ(
            old_key,
            &path.display().to_string(),
            "metadata.file.dir",
            dir,
        ));
    }
    let base = path.file_name().unwrap_or_default().to_string_lossy();
    agree(name, base.into_owned(), old_key, new_key)
}

fn agree(
    new: &mut Option<String>,
    old: String,
    old_key: &str,
    new_key: &str,
) -> Result<(), String> {
    match new.as_deref().filter(|value| !value.is_empty()) {
        Some(value) if value != old => Err(differ(old_key, &old, new_key, value)),
        Some(_) => Ok(()),
        None => {
            *new = Some(old);
            Ok(())
        }
    }
}

fn differ(old_key: &str, old: &str, new_key: &str, new: &str) -> String {
    format!(
        "{old_key} is deprecated and says '{old}', but {new_key} says '{new}'; remove the deprecated one"
    )
}

fn take(value: &mut Option<String>) -> Option<String> {
    value.take().filter(|value| !value.is_empty())
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
