//! The `file` provider's settings: how they are written, and checked.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use stepdown_backends::file::FileOptions;

use crate::options::key::Key;
use crate::options::said::said;

/// The `file` provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[command(next_help_heading = "File provider")]
#[expect(
    missing_docs,
    reason = "each field is the key of its name in the options file"
)]
pub struct FileSettings {
    #[arg(skip)]
    pub dir: Option<String>,
    /// Cluster status file
    #[arg(
        id = "file-clusters-status-path",
        long,
        value_name = "FILE",
        default_value = "data/cluster-status.json"
    )]
    pub status_name: Option<String>,
    #[arg(skip)]
    pub config_name: Option<String>,
    #[arg(skip)]
    pub path: Option<String>,
}

impl FileSettings {
    pub(crate) const DIR: Key = Key::of_file("metadata.file.dir");
    pub(crate) const STATUS_NAME: Key =
        Key::new("metadata.file.statusName", "--file-clusters-status-path");
    pub(crate) const CONFIG_NAME: Key = Key::of_file("metadata.file.configName");
    pub(crate) const PATH: Key = Key::of_file("metadata.file.path");
}

/// Checks everything; what is wrong is added to `problems`.
pub(super) fn resolve(
    settings: FileSettings,
    initialize_empty_status: bool,
    allow_network_filesystem: bool,
    problems: &mut Vec<String>,
) -> FileOptions {
    let dir = said(settings.dir);
    let status = within(&dir, settings.status_name, "cluster-status.json");
    let configuration = within(&dir, settings.config_name, "cluster.yaml");
    if status == configuration {
        problems.push(format!(
            "{} and {} are both {}; they must be two files",
            FileSettings::STATUS_NAME,
            FileSettings::CONFIG_NAME,
            status.display()
        ));
    }
    FileOptions {
        status,
        configuration,
        initialize_empty_status,
        allow_network_filesystem,
    }
}

/// A name below the directory, even one that looks absolute; without a directory, a path.
fn within(dir: &Option<String>, name: Option<String>, default: &str) -> PathBuf {
    let name = said(name).unwrap_or_else(|| default.to_owned());
    match dir {
        Some(dir) => PathBuf::from(dir).join(name.trim_start_matches('/')),
        None => PathBuf::from(name),
    }
}
