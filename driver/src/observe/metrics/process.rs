//! Metrics of the process: what it uses, and what it was built from.

use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGaugeVec, Opts, Registry};

use super::declare::metrics;
use crate::version::{COMMIT, VERSION};

metrics! {
    /// What the process was built from.
    Build {
        info: IntGaugeVec = IntGaugeVec::new(
            Opts::new("stepdown_build_info", "1, with the version and the commit as labels"),
            &["version", "commit"],
        ),
    }
}

/// Registers what needs no report.
pub fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    registry.register(Box::new(ProcessCollector::for_self()))?;
    let build = Build::register(registry)?;
    build.info.with_label_values(&[VERSION, COMMIT]).set(1);
    Ok(())
}
