//! What tests of logs have in common.

use std::sync::{Arc, Mutex};

use jiff::Zoned;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use super::{LogFormat, Record, render};

/// The lines that `body` logs, with a fixed time.
pub(super) fn lines(format: LogFormat, at: &str, body: impl FnOnce()) -> String {
    struct Sink(LogFormat, Zoned, Arc<Mutex<String>>);
    impl<S: Subscriber> Layer<S> for Sink {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let line = render(self.0, &Record::of(event), &self.1);
            self.2.lock().expect("not poisoned").push_str(&line);
        }
    }
    let out = Arc::new(Mutex::new(String::new()));
    let sink = Sink(format, at.parse().expect("a time"), Arc::clone(&out));
    tracing::subscriber::with_default(Registry::default().with(sink), body);
    std::mem::take(&mut out.lock().expect("not poisoned"))
}

pub(super) const TIME: &str = "2026-11-03T13:33:20.000123456+00:00[UTC]";

/// The lines of JSON that `body` logs.
pub(in super::super) fn json_lines(body: impl FnOnce()) -> String {
    lines(LogFormat::Json, TIME, body)
}
