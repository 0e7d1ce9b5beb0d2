//! A new log level in the `--sconfig` file takes effect without a restart. Whatever else is changed there
//! is said to need one.

use std::path::PathBuf;
use std::time::Duration;

use tokio::fs;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::logs::Logs;
use crate::options::{LogLevel, OptionsFile};

const EVERY: Duration = Duration::from_secs(2);

/// Follows the file until `stop`. It is compared by content every 2 s, and when it is `asked`: that also
/// sees the symbolic links that Kubernetes swaps. A file that can't be used changes nothing, and is told
/// once. `known` is the level that the file asked for at the start, and `begun` what else it did.
pub async fn follow_options_file(
    path: PathBuf,
    mut known: Option<LogLevel>,
    begun: Option<OptionsFile>,
    logs: &Logs,
    asked: &Notify,
    stop: &CancellationToken,
) {
    let mut seen = None;
    let mut is_told = false;
    let next = async || {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = asked.notified() => {}
        }
    };
    while stop.run_until_cancelled(next()).await.is_some() {
        let now = fs::read(&path).await.ok();
        if now == seen {
            continue;
        }
        seen = now;
        let file = OptionsFile::read(&path);
        match file.and_then(|file| Ok((file.log_level()?, file))) {
            Ok((level, file)) => {
                if level != known {
                    known = level;
                    let new = level.unwrap_or_default();
                    logs.set_level(new);
                    info!(log_level = %new, "Changed the log level");
                }
                let needs_restart = begun
                    .as_ref()
                    .is_some_and(|begun| begun.differs_beyond_level(&file));
                if needs_restart && !is_told {
                    warn!(
                        path = %path.display(),
                        "Of the options file only the log level is followed: what else has changed in it has no \
                         effect until a restart"
                    );
                }
                is_told = needs_restart;
            }
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "The changed options file is not valid; the log level stays"
            ),
        }
    }
}
