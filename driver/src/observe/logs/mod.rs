//! Logs on standard output: a console form for people, one JSON object per line for machines.

mod console;
mod json;
mod limit;
mod record;

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use jiff::Zoned;
use serde_json::{Map, Value};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry, reload};

use crate::options::LogLevel;
use limit::Limit;
use record::Record;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Console {
        /// With terminal colours.
        coloured: bool,
    },
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// The format asked for; colours only on a terminal, and not with `NO_COLOR`.
    pub fn for_stdout(json: bool) -> Self {
        if json {
            return Self::Json;
        }
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::Console {
            coloured: io::stdout().is_terminal() && !no_color,
        }
    }
}

/// The running logs. Dropping it writes what is still queued.
#[derive(Debug)]
pub struct Logs {
    level: reload::Handle<Targets, Registry>,
    _flush: WorkerGuard,
}

/// Why logs can't be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logs were set up before in this process")]
pub struct AlreadySet;

/// Sets up the logs of the whole process. Lines are written by a thread of their own: who logs
/// never waits for the reader of standard output, and loses lines rather than time.
pub fn init_logs(format: LogFormat, level: LogLevel) -> Result<Logs, AlreadySet> {
    let (writer, flush) = NonBlockingBuilder::default()
        .lossy(true)
        .thread_name("logs")
        .finish(io::stdout());
    let (filter, handle) = reload::Layer::new(targets(level));
    let limit = Limit::default();
    let lines = Lines {
        format,
        limit,
        writer,
    };
    tracing::subscriber::set_global_default(Registry::default().with(filter).with(lines))
        .map_err(|_| AlreadySet)?;
    Ok(Logs {
        level: handle,
        _flush: flush,
    })
}

impl Logs {
    /// Changes the level from now on.
    pub fn set_level(&self, level: LogLevel) {
        // It fails only once the subscriber is gone, and then nobody logs.
        let _ = self.level.reload(targets(level));
    }
}

/// Our own crates at `level`; others only speak of trouble. The Kubernetes client calls each failed
/// request an error, which is told where it matters, by whoever has made it; and so does Raft.
fn targets(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
    };
    Targets::new()
        .with_default(ours.min(LevelFilter::WARN))
        .with_target("kube_client", LevelFilter::OFF)
        .with_target("openraft", LevelFilter::OFF)
        .with_target("stepdown", ours)
}

struct Lines {
    format: LogFormat,
    limit: Limit,
    writer: NonBlocking,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(left_out) = self.limit.takes(event.metadata(), Instant::now()) else {
            return;
        };
        let mut record = Record::of(event);
        if left_out > 0 {
            record.add_number("left-out", left_out);
        }
        let line = render(self.format, &record, &Zoned::now());
        // A log that can't be written has nobody to be told to.
        let _ = self.writer.clone().write_all(line.as_bytes());
    }
}

/// A line about a change that somebody makes, as the log has it. It is never left out, whatever the level.
pub(crate) fn audit_line(format: LogFormat, said: &Map<String, Value>) -> String {
    let mut record = Record {
        level: Level::INFO,
        message: "Audit".to_owned(),
        attributes: Vec::new(),
    };
    let said = said.iter().map(|(key, value)| (key.clone(), value.clone()));
    record.attributes.extend(said);
    render(format, &record, &Zoned::now())
}

fn render(format: LogFormat, record: &Record, at: &Zoned) -> String {
    match format {
        LogFormat::Console { coloured } => console::line(record, at, coloured),
        LogFormat::Json => json::line(record, at),
    }
}

#[cfg(test)]
pub(super) mod testkit;
#[cfg(test)]
mod tests;
