//! `stepdown transfer`.

use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use stepdown_backends::configmap::{Transfer, TransferError, TransferStep, transfer};

use super::duration::parse_duration;
use crate::options::DEFAULT_STATUS_NAME;

/// Flags of `stepdown transfer`.
#[derive(Clone, Debug, Args)]
pub struct TransferArgs {
    /// The coordinator that is to lead: its metadata.name, which is its pod's name unless set. If
    /// there is none of that name, nobody leads for 5 s
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Kubernetes namespace of the Lease
    #[arg(long, value_name = "NAME")]
    k8s_namespace: String,
    /// ConfigMap of the cluster status, after which the Lease is named
    #[arg(long, value_name = "NAME", default_value = DEFAULT_STATUS_NAME)]
    k8s_configmap_name: String,
    /// How long to wait until it leads
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    timeout: Duration,
}

/// Asks the leader to hand over, and waits; `tell` gets a line for every step.
pub async fn hand_over(
    args: TransferArgs,
    mut tell: impl FnMut(&str),
) -> Result<(), TransferError> {
    let TransferArgs {
        name,
        k8s_namespace,
        k8s_configmap_name,
        timeout,
    } = args;
    let request = Transfer {
        namespace: k8s_namespace,
        name: k8s_configmap_name,
        to: name.clone(),
        patience: timeout,
    };
    let told = |step: TransferStep| match step {
        TransferStep::Asked { leader } => {
            tell(&format!("{leader} leads and was asked to hand over"))
        }
        TransferStep::GivenBack => tell(&format!("it has; waiting for {name}")),
        TransferStep::Done => tell(&format!("{name} leads")),
        TransferStep::LedAlready => tell(&format!("{name} leads already")),
    };
    transfer(&request, told).await
}
