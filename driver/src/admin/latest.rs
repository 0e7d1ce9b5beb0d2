//! The configuration as admins see it: the one in force, or what they have written since, which comes
//! into force a moment later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stepdown_core::ConfigurationText;
use stepdown_core::cluster::{ClusterConfiguration, DecodeError};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::configuration::Reading;

/// For how long what was written is believed to come into force.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many of those that were written are remembered.
const MOST: usize = 64;

/// What a document says, unless it says nothing.
pub(super) fn said(text: Option<&str>) -> Result<Option<ClusterConfiguration>, DecodeError> {
    match ClusterConfiguration::decode(text.unwrap_or_default()) {
        Ok(said) if said == ClusterConfiguration::default() => Ok(None),
        Ok(said) => Ok(Some(said)),
        Err(DecodeError::Empty) => Ok(None),
        Err(error @ (DecodeError::Key { .. } | DecodeError::Syntax { .. })) => Err(error),
    }
}

/// Clones see the same.
#[derive(Clone)]
pub(super) struct Latest {
    /// The document as it was read, whether it is in force or not.
    read: watch::Receiver<Option<ConfigurationText>>,
    in_force: watch::Receiver<Option<Arc<ClusterConfiguration>>>,
    readings: watch::Receiver<Reading>,
    written: Arc<Mutex<Written>>,
}

/// What was written and is not in force yet, the last one last.
#[derive(Default)]
struct Written {
    pending: VecDeque<(Arc<ClusterConfiguration>, Instant)>,
    /// The one that was in force when that was looked at last.
    seen: Option<Arc<ClusterConfiguration>>,
    /// Whether that was written here.
    is_own: bool,
}

impl Latest {
    pub(super) fn new(
        read: watch::Receiver<Option<ConfigurationText>>,
        in_force: watch::Receiver<Option<Arc<ClusterConfiguration>>>,
        readings: watch::Receiver<Reading>,
    ) -> Self {
        Self {
            read,
            in_force,
            readings,
            written: Arc::default(),
        }
    }

    /// The configuration, if there is one.
    pub(super) fn configuration(&self) -> Option<Arc<ClusterConfiguration>> {
        let written = self.written();
        let last = written.pending.back().map(|(last, _)| last.clone());
        last.or_else(|| written.seen.clone())
    }

    /// Whether what there is, or that there is nothing, is known. One that was read and refused is not in
    /// force, and what is, nobody knows.
    pub(super) fn is_known(&self) -> bool {
        let read = self.read.borrow().clone();
        let is_nothing = |read: ConfigurationText| said(read.text.as_deref()) == Ok(None);
        self.configuration().is_some() || read.is_some_and(is_nothing)
    }

    /// Whether what was read last is refused. The one before it may have been held back, and is not any more:
    /// it has to be read again before anything is built on it.
    pub(super) fn is_refused(&self) -> bool {
        self.readings.borrow().is_refused()
    }

    /// Whether it is one that this coordinator has taken as the cluster's, or is about to. A document that
    /// somebody is writing is not.
    pub(super) fn is_accepted(&self, configuration: Option<&ClusterConfiguration>) -> bool {
        if configuration.is_some() && self.is_refused() {
            return false;
        }
        let written = self.written();
        let mut accepted = written
            .pending
            .iter()
            .map(|(it, _)| it)
            .chain(&written.seen);
        match configuration {
            Some(configuration) => accepted.any(|it| **it == *configuration),
            None => accepted.next().is_none(),
        }
    }

    /// Whether the last one is what was written here, and not what somebody else has.
    pub(super) fn is_own(&self) -> bool {
        let written = self.written();
        !written.pending.is_empty() || written.is_own
    }

    /// Takes note of what was written.
    pub(super) fn wrote(&self, configuration: Arc<ClusterConfiguration>) {
        let mut written = self.written();
        if written.pending.len() >= MOST {
            written.pending.pop_front();
        }
        written.pending.push_back((configuration, Instant::now()));
    }

    /// Waits for another one to come into force, but not for long.
    pub(super) async fn changed(&self, within: Duration) {
        let mut in_force = self.in_force.clone();
        in_force.mark_unchanged();
        // Then it is looked at again all the same.
        let _ = timeout(within, in_force.changed()).await;
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let in_force = self.in_force.borrow().clone();
        let is_seen = match (&in_force, &written.seen) {
            (Some(now), Some(seen)) => Arc::ptr_eq(now, seen),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !is_seen {
            let is_it = |(it, _): &(Arc<ClusterConfiguration>, _)| Some(it) == in_force.as_ref();
            let position = written.pending.iter().rposition(is_it);
            // It may only have been read again.
            let is_same = written.seen == in_force;
            written.is_own = position.is_some() || (written.is_own && is_same);
            match position {
                Some(position) => drop(written.pending.drain(..=position)),
                None if is_same => {}
                // Somebody else has written.
                None => written.pending.clear(),
            }
            written.seen = in_force;
        }
        written.pending.retain(|(_, at)| at.elapsed() < PATIENCE);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(number: u32) -> Arc<ClusterConfiguration> {
        let text = format!("servers: [{{name: s{number}, public: a, internal: b}}]");
        Arc::new(ClusterConfiguration::decode(&text).unwrap())
    }

    fn no_readings() -> watch::Receiver<Reading> {
        watch::channel(Reading::default()).1
    }

    fn nothing_read() -> watch::Receiver<Option<ConfigurationText>> {
        watch::channel(None).1
    }

    #[tokio::test]
    async fn that_there_is_nothing_is_known_only_once_that_was_read() {
        let (in_force, watched) = watch::channel(None);
        let (read, reading) = watch::channel(None);
        let latest = Latest::new(reading, watched, no_readings());
        assert!(!latest.is_known());
        for (text, is_known) in [
            (None, true),
            (Some("# nothing\n"), true),
            (Some("{}"), true),
            (Some("servers: ["), false),
            (Some("servers: [{name: x}]"), false),
        ] {
            read.send_replace(Some(ConfigurationText {
                source: "a file".to_owned(),
                text: text.map(str::to_owned),
            }));
            assert_eq!(latest.is_known(), is_known, "{text:?}");
        }
        in_force.send_replace(Some(configuration(1)));
        assert!(latest.is_known());
    }

    #[tokio::test]
    async fn what_was_written_is_seen_at_once_until_it_or_what_others_wrote_is_in_force() {
        let (in_force, watched) = watch::channel(Some(configuration(0)));
        let latest = Latest::new(nothing_read(), watched, no_readings());
        let sees = |number| assert_eq!(latest.configuration(), Some(configuration(number)));
        sees(0);
        assert!(!latest.is_own());
        latest.wrote(configuration(1));
        assert!(latest.is_own());
        latest.wrote(configuration(2));
        sees(2);
        // The first of them comes into force before the second.
        in_force.send_replace(Some(configuration(1)));
        sees(2);
        in_force.send_replace(Some(configuration(2)));
        sees(2);
        assert!(latest.is_own());
        latest.wrote(configuration(3));
        // The second is read again.
        in_force.send_replace(Some(configuration(2)));
        sees(3);
        assert!(latest.is_own());
        in_force.send_replace(Some(configuration(9)));
        sees(9);
        assert!(!latest.is_own());
        assert!(latest.is_accepted(Some(&configuration(9))));
        assert!(!latest.is_accepted(Some(&configuration(3))));
        assert!(!latest.is_accepted(None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_comes_into_force_is_not_shown_for_ever() {
        let (_in_force, watched) = watch::channel(None);
        let latest = Latest::new(nothing_read(), watched, no_readings());
        assert!(latest.is_accepted(None));
        latest.wrote(configuration(1));
        assert!(latest.is_accepted(Some(&configuration(1))));
        tokio::time::advance(PATIENCE).await;
        assert_eq!(latest.configuration(), None);
    }
}
