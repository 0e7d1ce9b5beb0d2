//! `stepdown accept-loss`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use stepdown_backends::configmap::{AcceptLoss, AcceptLossFailure, accept_loss};
use stepdown_backends::status_file::{self, AdoptError};
use stepdown_core::ShardId;

use crate::coordinator::process_id;
use crate::options::DEFAULT_STATUS_NAME;

/// Flags of `stepdown accept-loss`.
///
/// A shard most of whose replicas have lost their disks is not elected: what was acknowledged may
/// be on a replica that does not answer. Where that one will never come back, its loss is accepted
/// by this: then every member votes, and whoever has most of the shard leads. Should a disk come back
/// all the same, empty it first: what it holds has been given up.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "A coordinator says which shards are blocked, and whom each waits for: in \
    its log, and by the metric stepdown_shard_blocked. With a status file, no coordinator may be \
    running meanwhile."
)]
pub struct AcceptLossArgs {
    /// The shard's namespace
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    namespace: String,
    /// The shard
    shard: i64,
    /// The status file, where that is the metadata store
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with = "k8s_namespace",
        required_unless_present = "k8s_namespace"
    )]
    status_file: Option<PathBuf>,
    /// Kubernetes namespace of the status ConfigMap, where that is the metadata store
    #[arg(long, value_name = "NAME")]
    k8s_namespace: Option<String>,
    /// ConfigMap of the cluster status
    #[arg(long, value_name = "NAME", default_value = DEFAULT_STATUS_NAME)]
    k8s_configmap_name: String,
}

/// Why the loss is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// In the status file.
    #[error(transparent)]
    File(#[from] AdoptError),
    /// In the status ConfigMap.
    #[error(transparent)]
    ConfigMap(#[from] AcceptLossFailure),
    /// The write can't be named.
    #[error("the operating system gives no random numbers: {0}")]
    Chance(getrandom::Error),
}

/// Does it; returns what to tell.
pub async fn accept(args: AcceptLossArgs) -> Result<String, NotAccepted> {
    let shard = ShardId(args.shard);
    if let Some(path) = &args.status_file {
        status_file::accept_loss(path, &args.namespace, shard)?;
    }
    if let Some(kubernetes_namespace) = args.k8s_namespace {
        accept_loss(&AcceptLoss {
            kubernetes_namespace,
            name: args.k8s_configmap_name,
            namespace: args.namespace.clone(),
            shard,
            process: process_id().map_err(NotAccepted::Chance)?,
        })
        .await?;
    }
    Ok(format!(
        "shard {shard} of {} counts as one that was never led: whoever of its members has most of \
         it leads next; empty the disk of every other one that may come back\n",
        args.namespace
    ))
}
