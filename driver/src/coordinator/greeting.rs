//! The first line of the log: which release this is, and what it was asked for.

use stepdown_backends::Provider;
use tracing::{info, warn};

use crate::observe::Logs;
use crate::open_files;
use crate::options::{CoordinatorOptions, PortOptions};
use crate::version;

/// Says what runs. The logs have to be set up.
pub(super) fn greet(_: &Logs, options: &CoordinatorOptions) {
    let (provider, status, configuration) = documents(&options.provider);
    info!(
        version = version::VERSION,
        commit = version::COMMIT,
        name = options.name,
        provider,
        status,
        configuration,
        sconfig = options
            .sconfig
            .as_ref()
            .map(|path| path.display().to_string()),
        internal = port(&options.internal),
        public = port(&options.public),
        metrics = options.metrics.as_ref().map_or("off".to_owned(), port),
        data_servers = if options.controller_tls.is_some() {
            "TLS"
        } else {
            "plaintext"
        },
        "Starting Stepdown coordinator"
    );
    for notice in options.notices.iter().chain(&open_files::too_few()) {
        warn!("{notice}");
    }
}

/// Which provider it is, and where the status and the configuration are.
fn documents(provider: &Provider) -> (&'static str, String, String) {
    match provider {
        Provider::ConfigMap(options) => {
            let named = |name: &str| format!("configmap {}/{name}", options.namespace);
            let (status, configuration) = (&options.status_name, &options.config_name);
            ("configmap", named(status), named(configuration))
        }
        Provider::File(options) => (
            "file",
            options.status.display().to_string(),
            options.configuration.display().to_string(),
        ),
        Provider::Memory => ("memory", "memory".to_owned(), "memory".to_owned()),
        Provider::Raft(options) => {
            let node = format!("{} at {}", options.data_dir.display(), options.address);
            ("raft", node.clone(), node)
        }
    }
}

fn port(options: &PortOptions) -> String {
    match &options.tls {
        Some(_) => format!("{} (TLS)", options.bind_address),
        None => options.bind_address.clone(),
    }
}
