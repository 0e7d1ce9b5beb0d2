//! What strangers cause is told, but not as often as they like: a flood of it would push other lines out
//! of the queue, and fill the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Metadata;
use tracing::callsite::Identifier;

/// Modules that speak with whoever is connected, or with whoever answers in the place of a peer. What other
/// crates say is mostly of that kind, too.
const STRANGERS: [&str; 5] = [
    "stepdown::data_servers",
    "stepdown::ports",
    "stepdown_backends::raft::admin",
    "stepdown_backends::raft::network",
    "stepdown_wire",
];
/// So many lines of a kind, which is a place in the code, are written in so long.
const LINES: u32 = 10;
const WITHIN: Duration = Duration::from_secs(60);

/// How often lines of each kind were written.
#[derive(Default)]
pub struct Limit(Mutex<HashMap<Identifier, Written>>);

struct Written {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl Limit {
    /// Whether a line is written now; and if so, how many of its kind were left out before it.
    pub fn takes(&self, line: &Metadata<'_>, now: Instant) -> Option<u64> {
        if !is_of_strangers(line.target()) {
            return Some(0);
        }
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = kinds.entry(line.callsite()).or_insert(Written {
            since: now,
            lines: 0,
            left_out: 0,
        });
        if now.saturating_duration_since(written.since) >= WITHIN {
            written.since = now;
            written.lines = 0;
        }
        if written.lines >= LINES {
            written.left_out = written.left_out.saturating_add(1);
            return None;
        }
        written.lines += 1;
        Some(std::mem::take(&mut written.left_out))
    }
}

fn is_of_strangers(target: &str) -> bool {
    let is_within = |module: &&str| {
        let rest = target.strip_prefix(*module);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    !target.starts_with("stepdown") || STRANGERS.iter().any(is_within)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::{Event, Subscriber, warn};
    use tracing_subscriber::layer::{Context, SubscriberExt};
    use tracing_subscriber::{Layer, Registry};

    use super::*;

    /// Logs at these times, in seconds; tells of each line whether it is written.
    fn taken(log: fn(), times: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
        struct Taking(Limit, Instant, Arc<Mutex<(u64, Vec<Option<u64>>)>>);
        impl<S: Subscriber> Layer<S> for Taking {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let mut seen = self.2.lock().unwrap();
                let now = self.1 + Duration::from_secs(seen.0);
                let taken = self.0.takes(event.metadata(), now);
                seen.1.push(taken);
            }
        }
        let seen = Arc::default();
        let taking = Taking(Limit::default(), Instant::now(), Arc::clone(&seen));
        tracing::subscriber::with_default(Registry::default().with(taking), || {
            for time in times {
                seen.lock().unwrap().0 = time;
                log();
            }
        });
        std::mem::take(&mut seen.lock().unwrap().1)
    }

    #[test]
    fn lines_that_strangers_cause_are_few_and_say_how_many_were_left_out() {
        for log in [
            || warn!(target: "h2::proto::streams", "too many resets"),
            || warn!(target: "stepdown_wire::port::connections", "Can't accept a connection"),
            || warn!(target: "stepdown::data_servers", "An answer that can't be"),
        ] {
            let times = std::iter::repeat_n(0, 1_000).chain([59, 60, 61]);
            let seen = taken(log, times);
            assert_eq!(seen[..10], [Some(0); 10]);
            assert_eq!(seen[10..1_001], [None; 991]);
            assert_eq!(seen[1_001..], [Some(991), Some(0)]);
        }
    }

    #[test]
    fn a_kind_of_line_keeps_no_other_out() {
        let log = || {
            warn!(target: "h2", "one");
            warn!(target: "h2", "another");
        };
        let seen = taken(log, [0; 20]);
        assert_eq!(seen.iter().flatten().count(), 20);
    }

    #[test]
    fn what_a_coordinator_does_is_always_told() {
        for log in [
            || warn!(target: "stepdown::observe::reports", "Elected a leader"),
            || warn!(target: "stepdown_backends::file", "Waiting"),
            || warn!(target: "stepdown_wired", "not of the same crate"),
        ] {
            assert_eq!(taken(log, [0; 1_000]), [Some(0); 1_000]);
        }
    }
}
