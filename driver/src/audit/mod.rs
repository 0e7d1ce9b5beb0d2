//! What people change, written down before it is done and after: by whom, from where, what, and what came
//! of it. A change that can't be written down is not made.

mod change;
mod file;
mod writer;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::time::timeout;
use tracing::error;

pub use self::change::{Change, Outcome};
use self::change::{Entry, Phase};
use self::file::AuditFile;
use self::writer::{Order, Sinks, Writer};
use crate::observe::LogFormat;

/// So many changes may be under way at once.
const MOST: usize = 256;
/// A line is written within this, or else the change is refused.
const WITHIN: Duration = Duration::from_secs(5);

/// Where changes are written down. Clones are one.
#[derive(Clone, Debug)]
pub struct Audit {
    writer: Arc<Writer>,
    places: Arc<Semaphore>,
    within: Duration,
}

/// A change that has been written down and may be made. What came of it is to be told to
/// [`Record::end`]; if it is dropped, that is said to be unknown.
#[derive(Debug)]
#[must_use = "what came of the change is to be written down as well"]
pub struct Record {
    audit: Audit,
    /// `None` once its end has been handed over.
    open: Option<(Entry, OwnedSemaphorePermit)>,
}

/// Why a change can't be written down, and is not to be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Too many changes are under way.
    #[error("{MOST} changes are under way; try again later")]
    Busy,
    /// There is no source of chance for the identity of the call.
    #[error("no random number: {0}")]
    Chance(getrandom::Error),
    /// The file can't be used.
    #[error("can't write {path}, set by observability.audit.path: {source}")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        source: io::Error,
    },
    /// The log can't be written.
    #[error("can't write to the log: {0}")]
    Log(io::Error),
    /// It takes too long.
    #[error(
        "the audit is not written within {0:?}: whoever reads the log does not, or the disk is slow"
    )]
    Slow(Duration),
    /// It has ended.
    #[error("the audit has ended")]
    Ended,
}

impl Audit {
    /// Writes to the log, which is standard output, in the form that it has; and to the file at `path`,
    /// if there is one, in JSON.
    pub(crate) fn open(format: LogFormat, path: Option<&Path>) -> Result<Self, AuditError> {
        Self::with_log(Box::new(io::stdout()), format, path)
    }

    pub(crate) fn with_log(
        log: Box<dyn Write + Send>,
        format: LogFormat,
        path: Option<&Path>,
    ) -> Result<Self, AuditError> {
        let file = path.map(AuditFile::open).transpose()?;
        let sinks = Sinks { log, format, file };
        let writer = Writer::begin(sinks).map_err(AuditError::Log)?;
        Ok(Self {
            writer: Arc::new(writer),
            places: Arc::new(Semaphore::new(MOST)),
            within: WITHIN,
        })
    }

    /// Writes down that somebody is about to make a change. It is to be made only then.
    pub async fn begin(&self, change: Change<'_>) -> Result<Record, AuditError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|error| match error {
            TryAcquireError::Closed => AuditError::Ended,
            TryAcquireError::NoPermits => AuditError::Busy,
        })?;
        let entry = change.into_entry()?;
        let begun = entry.line(&Phase::Begin);
        let record = Record {
            audit: self.clone(),
            open: Some((entry, place)),
        };
        match self.write(begun, None).await {
            Ok(()) => Ok(record),
            Err(error) => {
                // It may be written yet, and nothing came of it.
                record.ended(Outcome::Failed(format!("not begun: {error}")));
                Err(error)
            }
        }
    }

    /// Opens the file anew: it may have been renamed. Until that succeeds, the old one is written to.
    pub fn reopen(&self) {
        self.writer.order(Order::Reopen);
    }

    async fn write(
        &self,
        line: change::Line,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(), AuditError> {
        let written = self.hand_over(line, place);
        match timeout(self.within, written).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err(AuditError::Ended),
            Err(_) => Err(AuditError::Slow(self.within)),
        }
    }

    fn hand_over(
        &self,
        line: change::Line,
        place: Option<OwnedSemaphorePermit>,
    ) -> oneshot::Receiver<Result<(), AuditError>> {
        let (done, written) = oneshot::channel();
        self.writer.order(Order::Write { line, done, place });
        written
    }
}

impl Record {
    /// What the call is called, in the audit and for whoever made it.
    pub fn request(&self) -> &str {
        self.open.as_ref().map_or("", |(entry, _)| entry.request())
    }

    /// Writes down what came of it. That is written even if nobody waits for it.
    pub async fn end(mut self, outcome: Outcome) -> Result<(), AuditError> {
        let Some((entry, place)) = self.open.take() else {
            return Ok(());
        };
        let line = entry.line(&Phase::End(outcome));
        let written = self.audit.write(line, Some(place)).await;
        if let Err(error) = &written {
            error!(
                request = entry.request(),
                error = error as &dyn std::error::Error,
                "Can't write down what came of a change"
            );
        }
        written
    }

    fn ended(mut self, outcome: Outcome) {
        self.hand_over(outcome);
    }

    fn hand_over(&mut self, outcome: Outcome) {
        if let Some((entry, place)) = self.open.take() {
            let line = entry.line(&Phase::End(outcome));
            // Nobody waits for it.
            drop(self.audit.hand_over(line, Some(place)));
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.hand_over(Outcome::Unknown);
    }
}

fn in_file(path: &Path) -> impl FnOnce(io::Error) -> AuditError {
    let path: PathBuf = path.into();
    move |source| AuditError::File {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
pub(crate) mod tests;
