//! How full the status ConfigMap is.

use tokio::sync::watch;

use super::layout::Layout;
use super::object_name::ObjectName;
use crate::status_size::StatusSize;

/// What an API server lets the values of a ConfigMap amount to, in bytes. Keys don't count.
pub(crate) const LIMIT: usize = 1 << 20;

/// Publishes the size, and says in the log when it becomes alarming.
pub(crate) struct Gauge {
    place: ObjectName,
    advice: &'static str,
    size: watch::Sender<Option<StatusSize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    None,
    Warning,
    Error,
}

impl Gauge {
    pub(crate) fn new(place: ObjectName, layout: Layout) -> Self {
        Self {
            place,
            advice: layout.advice(),
            size: watch::Sender::new(None),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<StatusSize>> {
        self.size.subscribe()
    }

    /// Takes note of the size of what is stored, or is to be.
    pub(crate) fn measured(&self, bytes: usize) {
        let size = StatusSize {
            bytes,
            limit: LIMIT,
        };
        let before = self.size.send_replace(Some(size));
        let before = before.map_or(Alarm::None, Alarm::at);
        let (place, advice, alarm) = (&self.place, self.advice, Alarm::at(size));
        match alarm {
            Alarm::Warning if before < alarm => {
                tracing::warn!(%place, %size, "The status fills more than 70 % of its ConfigMap: {advice}");
            }
            Alarm::Error if before < alarm => {
                tracing::error!(%place, %size, "The status fills more than 90 % of its ConfigMap: {advice}");
            }
            Alarm::None | Alarm::Warning | Alarm::Error => {}
        }
    }
}

impl Alarm {
    fn at(size: StatusSize) -> Self {
        let percent = size.bytes.saturating_mul(100) / size.limit.max(1);
        match percent {
            90.. => Self::Error,
            70.. => Self::Warning,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_is_raised_at_70_and_at_90_percent() {
        let alarm = |bytes| {
            Alarm::at(StatusSize {
                bytes,
                limit: 1_000,
            })
        };
        assert_eq!((alarm(0), alarm(699)), (Alarm::None, Alarm::None));
        assert_eq!((alarm(700), alarm(899)), (Alarm::Warning, Alarm::Warning));
        assert_eq!(
            (alarm(900), alarm(usize::MAX)),
            (Alarm::Error, Alarm::Error)
        );
    }

    #[test]
    fn the_size_measured_last_is_published() {
        let place = ObjectName {
            namespace: "ns".to_owned(),
            name: "status".to_owned(),
        };
        let gauge = Gauge::new(place, Layout::Plain);
        let watch = gauge.watch();
        assert_eq!(*watch.borrow(), None);
        gauge.measured(5);
        let size = StatusSize {
            bytes: 5,
            limit: LIMIT,
        };
        assert_eq!(*watch.borrow(), Some(size));
        assert_eq!(size.to_string(), "5 of 1048576 bytes");
    }
}
