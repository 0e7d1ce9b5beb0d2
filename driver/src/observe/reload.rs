//! A new log level in the `--sconfig` file takes effect without a restart.

use std::path::PathBuf;
use std::time::Duration;

use tokio::fs;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::logs::Logs;
use crate::options::{LogLevel, log_level_of};

const EVERY: Duration = Duration::from_secs(2);

/// Follows the file until `stop`. It is compared by content every 2 s: that also sees the symbolic
/// links that Kubernetes swaps. A file that can't be used changes nothing, and is told once.
/// `known` is the level that the file asked for at the start; only another one is a change.
pub async fn follow_log_level(
    path: PathBuf,
    mut known: Option<LogLevel>,
    logs: &Logs,
    stop: &CancellationToken,
) {
    let mut seen = None;
    while stop
        .run_until_cancelled(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        let now = fs::read(&path).await.ok();
        if now == seen {
            continue;
        }
        seen = now;
        match log_level_of(&path) {
            Ok(level) if level == known => {}
            Ok(level) => {
                known = level;
                let new = level.unwrap_or_default();
                logs.set_level(new);
                info!(log_level = %new, "Changed the log level");
            }
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "The changed options file is not valid; the log level stays"
            ),
        }
    }
}
