//! The thread that writes the audit. It loses nothing, unlike that of the log: who makes a change waits for
//! it, and for whoever reads the log.

use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{info, warn};

use super::AuditError;
use super::change::Line;
use super::file::AuditFile;
use crate::observe::{LogFormat, audit_line};

/// At the end, what has been ordered is waited for so long.
const END: Duration = Duration::from_secs(2);

/// The thread, from outside. What it is ordered is bounded by the changes that may be under way.
pub(super) struct Writer {
    /// `None` at the end.
    orders: Option<Sender<Order>>,
    /// Only the end looks at it.
    ended: Mutex<Receiver<()>>,
}

pub(super) enum Order {
    /// To write a line, and to say so.
    Write {
        line: Line,
        done: oneshot::Sender<Result<(), AuditError>>,
        /// Of the change that ends with this line.
        place: Option<OwnedSemaphorePermit>,
    },
    /// To open the file anew.
    Reopen,
}

/// Where lines go.
pub(super) struct Sinks {
    pub(super) log: Box<dyn Write + Send>,
    pub(super) format: LogFormat,
    pub(super) file: Option<AuditFile>,
}

impl Writer {
    pub(super) fn begin(mut sinks: Sinks) -> io::Result<Self> {
        let (orders, ordered) = mpsc::channel();
        let (ends, ended) = mpsc::channel();
        let thread = thread::Builder::new().name("audit".to_owned());
        thread.spawn(move || {
            for order in ordered {
                sinks.obey(order);
            }
            drop(ends);
        })?;
        Ok(Self {
            orders: Some(orders),
            ended: Mutex::new(ended),
        })
    }

    /// What is ordered is done in this order.
    pub(super) fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Who waits for it is told if the thread is gone.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.orders = None;
        // It fails when the thread ends, which is what is waited for.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(END);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Sinks {
    fn obey(&mut self, order: Order) {
        match order {
            Order::Write { line, done, place } => {
                let written = self.write(line);
                drop(place);
                // Whoever waited may have gone.
                let _ = done.send(written);
            }
            Order::Reopen => self.reopen(),
        }
    }

    /// Writes to all, even if one fails.
    fn write(&mut self, line: Line) -> Result<(), AuditError> {
        let in_log = audit_line(self.format, &line);
        let in_file = match &mut self.file {
            Some(file) => file.write(&format!("{}\n", Value::Object(line))),
            None => Ok(()),
        };
        let logged = self
            .log
            .write_all(in_log.as_bytes())
            .and_then(|()| self.log.flush())
            .map_err(AuditError::Log);
        in_file.and(logged)
    }

    fn reopen(&mut self) {
        let Some(file) = &mut self.file else {
            return;
        };
        match file.reopen() {
            Ok(()) => info!("Opened the file of the audit anew"),
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "Can't open the file of the audit anew; the old one is written to"
            ),
        }
    }
}
