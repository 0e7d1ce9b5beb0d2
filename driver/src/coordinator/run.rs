//! The start order: options, signals, ports, metrics, logs, and only then the event loop; while it
//! runs, signals and the log level are followed.

use std::io::{self, Write};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::CoordinatorError;
use super::serve::{Session, serve};
use super::signals::Signals;
use crate::cli::{CoordinatorArgs, GlobalArgs};
use crate::observe::{LogFormat, Logs, Metrics, follow_log_level, init_logs};
use crate::options::CoordinatorOptions;
use crate::ports::Listeners;

/// Runs a coordinator until SIGINT or SIGTERM has ended it in order; a second SIGINT ends it at
/// once.
pub async fn run(global: GlobalArgs, args: CoordinatorArgs) -> Result<(), CoordinatorError> {
    let deprecations = args.deprecations();
    let lease_profile = args.lease_profile;
    let sconfig = args.sconfig.clone();
    let options = CoordinatorOptions::load(args.into_settings(), sconfig)?;
    for notice in deprecations {
        // Where there is no standard error, the log says the same.
        let _ = writeln!(io::stderr(), "{notice}");
    }
    let mut signals = Signals::listen().map_err(CoordinatorError::Signals)?;
    let listeners = Listeners::bind(&options).await?;
    let metrics = Metrics::new()?;
    let logs = begin_logs(&global, &options)?;

    let stop = CancellationToken::new();
    let stop_following = CancellationToken::new();
    let (following, in_file) = (options.sconfig.clone(), options.log_level);
    let follow = async {
        match following {
            Some(path) => follow_log_level(path, in_file, &logs, &stop_following).await,
            None => stop_following.cancelled().await,
        }
    };
    let session = Session {
        options,
        lease_profile,
        listeners,
        metrics,
        stop: stop.clone(),
    };
    let served = async {
        let result = serve(session).await;
        stop_following.cancel();
        result
    };
    let (result, ()) = tokio::select! {
        both = async { tokio::join!(served, follow) } => both,
        () = signals.stop_then_interrupt(&stop) => return Err(CoordinatorError::Interrupted),
    };
    result?;
    info!("Shutdown Completed");
    Ok(())
}

/// Sets up the logs, and says in them what was asked for.
fn begin_logs(global: &GlobalArgs, options: &CoordinatorOptions) -> Result<Logs, CoordinatorError> {
    let level = global.log_level.or(options.log_level).unwrap_or_default();
    let logs = init_logs(LogFormat::for_stdout(global.log_json), level)?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        ?options,
        "Starting Stepdown coordinator"
    );
    for notice in &options.notices {
        warn!("{notice}");
    }
    if global.profile {
        warn!("There is no pprof here; --profile has no effect");
    }
    Ok(logs)
}
