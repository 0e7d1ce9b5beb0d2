//! What happens around the event loop of `stepdown coordinator`: options, logs, ports, signals.

use std::fmt::Display;
use std::io::{self, Write};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{CoordinatorArgs, GlobalArgs, LeaseProfile};
use crate::observe::{LogFormat, Metrics, follow_log_level, init_logs};
use crate::options::CoordinatorOptions;
use crate::ports::Listeners;

/// What an event loop is given.
#[derive(Debug)]
pub struct Session {
    /// What was asked for.
    pub options: CoordinatorOptions,
    /// The times of the lease.
    pub lease_profile: LeaseProfile,
    /// The open ports; nobody is answered yet.
    pub listeners: Listeners,
    /// Where to report to.
    pub metrics: Metrics,
    /// Cancelled when the process is to end: leave office, close, return.
    pub stop: CancellationToken,
}

/// Runs `serve` with everything around it: options, logs and ports before; signals and the log
/// level meanwhile. `Err` is what to tell on standard error.
///
/// SIGINT and SIGTERM cancel `stop`. A repeated SIGTERM changes nothing, since init processes
/// tend to send more than one; a second SIGINT, which comes from a terminal, ends at once.
pub async fn coordinate<F, E>(
    global: GlobalArgs,
    args: CoordinatorArgs,
    serve: impl FnOnce(Session) -> F,
) -> Result<(), String>
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let deprecations = args.deprecations();
    let lease_profile = args.lease_profile;
    let sconfig = args.sconfig.clone();
    let options =
        CoordinatorOptions::load(args.into_settings(), sconfig).map_err(|e| e.to_string())?;
    let level = global.log_level.or(options.log_level).unwrap_or_default();
    for notice in deprecations {
        // Where there is no standard error, the log says the same.
        let _ = writeln!(io::stderr(), "{notice}");
    }
    let mut signals = Signals::listen().map_err(|e| format!("can't handle signals: {e}"))?;
    let listeners = Listeners::bind(&options).await.map_err(|e| e.to_string())?;
    let metrics = Metrics::new().map_err(|e| e.to_string())?;

    let format = LogFormat::for_stdout(global.log_json);
    let logs = init_logs(format, level).map_err(|e| e.to_string())?;
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

    let stop = CancellationToken::new();
    let stop_following = CancellationToken::new();
    let (following, in_file) = (options.sconfig.clone(), options.log_level);
    let follow = async {
        match following {
            Some(path) => follow_log_level(path, in_file, &logs, &stop_following).await,
            None => stop_following.cancelled().await,
        }
    };
    let serve = serve(Session {
        options,
        lease_profile,
        listeners,
        metrics,
        stop: stop.clone(),
    });
    let served = async {
        let result = serve.await;
        stop_following.cancel();
        result
    };
    let (result, ()) = tokio::select! {
        both = async { tokio::join!(served, follow) } => both,
        () = signals.stop_then_interrupt(&stop) => {
            return Err("interrupted again while closing; ended at once".to_owned());
        }
    };
    result.map_err(|error| error.to_string())?;
    info!("Shutdown Completed");
    Ok(())
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Cancels `stop` at the first signal, and returns at a SIGINT after that.
    async fn stop_then_interrupt(&mut self, stop: &CancellationToken) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        info!("Received signal, exiting");
        stop.cancel();
        self.interrupt.recv().await;
    }
}
