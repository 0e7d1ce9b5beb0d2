//! What operators see: logs and metrics.

mod logs;
pub(crate) mod metrics;
mod names;
mod readiness;
mod reload;
mod reports;
mod takeover;

pub(crate) use logs::{AlreadySet, LogFormat, Logs, audit_line, init_logs};
pub use metrics::Metrics;
pub(crate) use readiness::Readiness;
pub(crate) use reload::follow_options_file;
pub(crate) use reports::log_report;
pub(crate) use takeover::TakeOver;
