//! What operators see: logs and metrics.

pub mod logs;
pub mod metrics;
mod names;
mod reload;
mod reports;

pub use logs::{AlreadySet, LogFormat, Logs, init_logs};
pub use metrics::Metrics;
pub use reload::follow_log_level;
pub use reports::log_report;
