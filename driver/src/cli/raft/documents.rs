//! `stepdown raft export` and `stepdown raft import`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use stepdown_backends::configuration::{UnknownKey, judge};
use stepdown_backends::raft::admin::export_stopped;
use stepdown_backends::status_file::may_replace;
use stepdown_wire::raft::{
    ExportResponse, ImportConfigurationRequest, ImportStatusRequest, StatusVersion,
};

use super::error::RaftCommandError;
use super::json;
use super::nodes::NodesArgs;
use super::output::Output;

/// Flags of `stepdown raft export`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Without --status and --config, both are printed. The status is written as the \
    file provider writes it, and upstream's coordinator reads it, too.\n\n\
    Running coordinators may store a newer one a moment later. To move a cluster elsewhere, end all \
    of them, and take what --raft-data-dir finds at the node with the greatest last entry, which is told \
    as its term, its leader and its index: neither document tells of the other."
)]
pub(super) struct ExportArgs {
    /// Write the status to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    status: Option<PathBuf>,
    /// Write the configuration to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read them from the directory of a node that does not run, rather than ask one that does
    #[arg(long, value_name = "DIR", conflicts_with = "raft_address")]
    raft_data_dir: Option<PathBuf>,
    #[command(flatten)]
    nodes: NodesArgs,
}

impl ExportArgs {
    pub(super) async fn run(self, tell: &mut impl FnMut(&str)) -> Result<(), RaftCommandError> {
        let exported = match &self.raft_data_dir {
            Some(directory) => export_stopped(directory).await?,
            None => self.nodes.client()?.export().await?,
        };
        if self.status.is_none() && self.config.is_none() {
            print(self.nodes.output, tell, &exported);
            return Ok(());
        }
        if let Some(path) = &self.status {
            let status = exported.status.as_ref();
            let status = status.ok_or(RaftCommandError::Nothing("status"))?;
            write(path, &status.text)?;
            let version = shown(status.version.as_ref());
            let text = format!("{}: the status, {version}", path.display());
            self.nodes.output.step(tell, &text);
        }
        if let Some(path) = &self.config {
            let version = exported.configuration.unwrap_or_default();
            if version.bytes.is_none() {
                return Err(RaftCommandError::Nothing("configuration"));
            }
            write(path, &exported.configuration_text)?;
            let version = version.version;
            let text = format!("{}: the configuration, version {version}", path.display());
            self.nodes.output.step(tell, &text);
        }
        if let Some(last) = &exported.last {
            let text = format!("the last entry is {}", json::entry(last));
            self.nodes.output.step(tell, &text);
        }
        if self.nodes.output == Output::Json {
            self.nodes.output.end(tell, "", &versions(&exported));
        }
        Ok(())
    }
}

fn print(output: Output, tell: &mut impl FnMut(&str), exported: &ExportResponse) {
    match output {
        Output::Json => {
            let status = exported.status.as_ref().map(|status| status.text.as_str());
            let mut json = versions(exported);
            json::put(&mut json, "statusText", json!(status));
            let configuration = json!(exported.configuration_text);
            json::put(&mut json, "configurationText", configuration);
            output.end(tell, "", &json);
        }
        Output::Table => {
            if let Some(status) = &exported.status {
                tell(&status.text);
            }
            let configuration = exported.configuration_text.as_str();
            if !configuration.is_empty() {
                tell("---\n");
                tell(configuration);
            }
        }
    }
}

fn versions(exported: &ExportResponse) -> Value {
    let status = exported.status.as_ref();
    let version = status.and_then(|status| status.version.as_ref());
    json!({
        "status": version.map(json::status_version),
        "configuration": exported.configuration.as_ref().map(json::configuration_version),
        "lastEntry": exported.last.as_ref().map(json::entry),
    })
}

fn shown(version: Option<&StatusVersion>) -> String {
    let version = version.copied().unwrap_or_default();
    format!("version {}, shards {}", version.version, version.shards)
}

fn write(path: &Path, text: &str) -> Result<(), RaftCommandError> {
    let failed = |error| RaftCommandError::File {
        path: path.to_path_buf(),
        error,
    };
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        // Data servers go by the cluster's id, which is in it.
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Flags of `stepdown raft import`.
#[derive(Clone, Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A status may be upstream's, the file provider's or an exported one; or a \
    ConfigMap's, written out by: kubectl get configmap NAME -o jsonpath='{.data.status}'"
)]
pub(super) struct ImportArgs {
    /// Put the status in this file in the place of the cluster's
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    status: Option<PathBuf>,
    /// The cluster has a status, at this version, which is given up for it
    #[arg(long, value_name = "VERSION", requires = "status")]
    replace: Option<u64>,
    /// Take the status without what it lacks and what has this name, as import tells it: it is lost then
    #[arg(long, value_name = "NAME", requires = "status")]
    accept: Vec<String>,
    /// Put the configuration in this file in force
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    nodes: NodesArgs,
}

impl ImportArgs {
    pub(super) async fn run(self, tell: &mut impl FnMut(&str)) -> Result<(), RaftCommandError> {
        // All that can be wrong with the files is found before anything is changed.
        let status = self.status.as_deref().map(read).transpose()?;
        let configuration = self.config.as_deref().map(valid).transpose()?;
        let client = self.nodes.client()?;
        if let (Some(path), Some(text)) = (&self.status, &status) {
            let before = match self.replace {
                Some(_) => client.export().await?.status.map(|status| status.text),
                None => None,
            };
            may_replace(path, text, before.as_deref(), &self.accept)?;
        }
        let output = self.nodes.output;
        let mut json = json!({});
        if let Some(text) = status {
            let replaced = self.replace;
            let request = ImportStatusRequest { text, replaced };
            let imported = client.import_status(request).await?;
            for remark in &imported.remarks {
                output.step(tell, &format!("the status is odd: {remark}"));
            }
            let version = imported.version.as_ref();
            output.step(tell, &format!("the status is at {}", shown(version)));
            json::put(
                &mut json,
                "status",
                json!(version.map(json::status_version)),
            );
            json::put(&mut json, "remarks", json!(imported.remarks));
        }
        if let Some((text, unknown)) = configuration {
            for key in &unknown {
                output.step(tell, &format!("a key has no effect: {key}"));
            }
            let unknown: Vec<_> = unknown.iter().map(ToString::to_string).collect();
            json::put(&mut json, "unknownKeys", json!(unknown));
            let request = ImportConfigurationRequest { text };
            let imported = client.import_configuration(request).await?;
            let version = imported.version.unwrap_or_default();
            let text = match imported.already {
                true => format!(
                    "the configuration is the same as version {}",
                    version.version
                ),
                false => format!("the configuration is at version {}", version.version),
            };
            output.step(tell, &text);
            let version = json::configuration_version(&version);
            json::put(&mut json, "configuration", version);
        }
        if output == Output::Json {
            output.end(tell, "", &json);
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, RaftCommandError> {
    fs::read_to_string(path).map_err(|error| RaftCommandError::File {
        path: path.to_path_buf(),
        error,
    })
}

/// A configuration that can be put in force, and the keys in it that have no effect.
fn valid(path: &Path) -> Result<(String, Vec<UnknownKey>), RaftCommandError> {
    let text = read(path)?;
    let judgement = judge(Some(&text));
    match judgement.verdict {
        Ok(_) => Ok((text, judgement.unknown)),
        Err(reason) => Err(RaftCommandError::Configuration {
            path: path.to_path_buf(),
            reason,
        }),
    }
}
