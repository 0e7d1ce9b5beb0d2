//! The start order: options, signals, ports, metrics, logs, and only then the event loop; while it
//! runs, signals and the log level are followed.

use std::io::{self, Write};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::CoordinatorError;
use super::greeting::greet;
use super::serve::{Session, serve};
use super::signals::Signals;
use crate::audit::Audit;
use crate::cli::{CoordinatorArgs, GlobalArgs};
use crate::observe::{LogFormat, Logs, Metrics, follow_options_file, init_logs};
use crate::options::{CoordinatorOptions, OptionsFile};
use crate::ports::{Lane, Listeners};

/// Runs a coordinator until a signal has ended it in order; a second SIGINT ends it at once. SIGHUP
/// ends nothing: files are read again.
pub async fn run(global: GlobalArgs, args: CoordinatorArgs) -> Result<(), CoordinatorError> {
    let deprecations = args.deprecations();
    let lease_profile = args.lease_profile;
    let sconfig = args.sconfig.clone();
    let options = CoordinatorOptions::load(args.into_settings(), sconfig)?;
    // Whatever is changed in it from now on is a change.
    let begun = options.sconfig.as_deref().map(OptionsFile::read);
    for notice in deprecations {
        // Where there is no standard error, the log says the same.
        let _ = writeln!(io::stderr(), "{notice}");
    }
    let mut signals = Signals::listen().map_err(CoordinatorError::Signals)?;
    let lane = Lane::open().map_err(CoordinatorError::Lane)?;
    let listeners = lane.within(Listeners::bind(&options)).await?;
    let metrics = Metrics::with_shard_histograms(options.shard_histograms)?;
    let format = LogFormat::for_stdout(global.log_json);
    let audit = Audit::open(format, options.audit.as_deref())?;
    let logs = begin_logs(format, &global, &options)?;

    let stop = CancellationToken::new();
    let stop_following = CancellationToken::new();
    let (documents_asked, options_asked) = (Arc::new(Notify::new()), Notify::new());
    let (following, in_file) = (options.sconfig.clone(), options.log_level);
    let follow = async {
        match following {
            Some(path) => {
                let begun = begun.and_then(Result::ok);
                let stop = &stop_following;
                follow_options_file(path, in_file, begun, &logs, &options_asked, stop).await;
            }
            None => stop_following.cancelled().await,
        }
    };
    let session = Session {
        options,
        lease_profile,
        listeners,
        lane,
        metrics,
        audit: audit.clone(),
        asked: documents_asked.clone(),
        stop: stop.clone(),
    };
    let read_again = || {
        documents_asked.notify_one();
        options_asked.notify_one();
        audit.reopen();
    };
    let served = async {
        let result = serve(session).await;
        stop_following.cancel();
        result
    };
    let (result, ()) = tokio::select! {
        both = async { tokio::join!(served, follow) } => both,
        () = signals.obey(&stop, read_again) => return Err(CoordinatorError::Interrupted),
    };
    result?;
    info!("Shutdown Completed");
    Ok(())
}

/// Sets up the logs, and says in them what was asked for.
fn begin_logs(
    format: LogFormat,
    global: &GlobalArgs,
    options: &CoordinatorOptions,
) -> Result<Logs, CoordinatorError> {
    let level = global.log_level.or(options.log_level).unwrap_or_default();
    let logs = init_logs(format, level)?;
    greet(&logs, options);
    if global.profile {
        warn!("There is no pprof here; --profile has no effect");
    }
    Ok(logs)
}
