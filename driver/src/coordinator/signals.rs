//! The signals that a coordinator obeys: one has it read its files again, and all others that would end
//! it have it close in order.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use rustix::process::Signal as Name;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Whatever ends a process that does not handle it, but for those by which the system says that the
/// process itself has failed.
const ENDING: &[(Name, &str)] = &[
    (Name::TERM, "SIGTERM"),
    (Name::INT, "SIGINT"),
    (Name::QUIT, "SIGQUIT"),
    (Name::USR1, "SIGUSR1"),
    (Name::USR2, "SIGUSR2"),
    (Name::ALARM, "SIGALRM"),
    (Name::VTALARM, "SIGVTALRM"),
    (Name::PROF, "SIGPROF"),
    (Name::XCPU, "SIGXCPU"),
    (Name::IO, "SIGIO"),
    #[cfg(target_os = "linux")]
    (Name::POWER, "SIGPWR"),
    #[cfg(target_os = "linux")]
    (Name::STKFLT, "SIGSTKFLT"),
];
/// Those that mean nothing in themselves, without the ones that C libraries use.
#[cfg(target_os = "linux")]
const REAL_TIME: std::ops::RangeInclusive<i32> = 35..=64;

/// The signals, from now on.
pub(super) struct Signals {
    ending: Vec<(&'static str, Signal)>,
    hang_up: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let mut ending = Vec::new();
        for (number, name) in ENDING {
            ending.push((*name, of(*number)?));
        }
        #[cfg(target_os = "linux")]
        for number in REAL_TIME {
            ending.push(("a real-time signal", signal(SignalKind::from_raw(number))?));
        }
        // A file that may not grow is an error of the write, and not the end.
        drop(of(Name::XFSZ)?);
        Ok(Self {
            ending,
            hang_up: of(Name::HUP)?,
            interrupt: of(Name::INT)?,
        })
    }

    /// Calls `read_again` at every SIGHUP, cancels `stop` at the first signal of another kind, and
    /// returns at a SIGINT after that.
    ///
    /// Any other signal that is repeated changes nothing, since init processes tend to send more than
    /// one; a second SIGINT comes from a terminal.
    pub(super) async fn obey(&mut self, stop: &CancellationToken, read_again: impl Fn()) {
        let name = loop {
            tokio::select! {
                name = poll_fn(|context| poll_any(&mut self.ending, context)) => break name,
                Some(()) = self.hang_up.recv() => {
                    info!("Received SIGHUP, reading the files again");
                    read_again();
                }
            }
        };
        if name == "SIGINT" {
            // Both have heard of it, and it is one.
            let _ = poll_fn(|context| Poll::Ready(self.interrupt.poll_recv(context))).await;
        }
        info!(signal = name, "Received signal, exiting");
        stop.cancel();
        self.interrupt.recv().await;
    }
}

fn of(name: Name) -> io::Result<Signal> {
    signal(SignalKind::from_raw(name.as_raw()))
}

fn poll_any(
    signals: &mut [(&'static str, Signal)],
    context: &mut Context<'_>,
) -> Poll<&'static str> {
    for (name, signal) in signals {
        if signal.poll_recv(context).is_ready() {
            return Poll::Ready(*name);
        }
    }
    Poll::Pending
}
