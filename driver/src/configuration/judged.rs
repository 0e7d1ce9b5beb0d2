//! What is read of a source of configurations, judged: what can be put in force, and why what came after it
//! can't be. Keys that nobody knows are named.

use std::collections::BTreeSet;
use std::sync::Arc;

use stepdown_backends::ConfigurationSource;
use stepdown_backends::configuration::{Judgement, UnknownKey, judge};
use stepdown_core::cluster::ClusterConfiguration;
use stepdown_core::{ConfigurationText, Event};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::observe::metrics::Documents;

/// So many unknown keys are named of those that are new.
const NAMED: usize = 20;

/// A source whose documents are judged.
pub(crate) struct Judged {
    readings: watch::Receiver<Reading>,
    in_force: watch::Receiver<Option<Arc<ClusterConfiguration>>>,
    _task: AbortOnDropHandle<()>,
}

/// What has been read last.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What can be put in force: another one each time that it is read, also where the text is the same.
    good: Option<Arc<ConfigurationText>>,
    /// What was read since, and can't be: another one each time as well.
    refused: Option<Arc<Refused>>,
}

#[derive(Debug)]
struct Refused {
    source: String,
    reason: String,
}

impl Reading {
    /// Whether what was read last can't be put in force.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// What is to be told of it to whoever has heard of `before`, in order. Nothing good is passed over.
    pub(crate) fn since(&self, before: &Self) -> impl Iterator<Item = Event> {
        let good = another(self.good.as_ref(), before.good.as_ref());
        let read = good.map(|good| Event::ConfigurationRead((**good).clone()));
        let refused = another(self.refused.as_ref(), before.refused.as_ref());
        let refused = refused.map(|refused| Event::ConfigurationRefused {
            source: refused.source.clone(),
            reason: refused.reason.clone(),
        });
        read.into_iter().chain(refused)
    }
}

impl Judged {
    /// Judges what comes from there, in a task that ends with this.
    pub(crate) fn new(source: &dyn ConfigurationSource, documents: Documents) -> Self {
        let (sender, readings) = watch::channel(Reading::default());
        let (applied, in_force) = watch::channel(None);
        let gate = Gate {
            sender,
            applied,
            documents,
            told: BTreeSet::new(),
        };
        let task = tokio::spawn(gate.judge_all(source.watch()));
        Self {
            readings,
            in_force,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// What is read, for whoever puts it in force.
    pub(crate) fn readings(&self) -> watch::Receiver<Reading> {
        self.readings.clone()
    }

    /// The configuration that was handed on last.
    pub(crate) fn in_force(&self) -> watch::Receiver<Option<Arc<ClusterConfiguration>>> {
        self.in_force.clone()
    }
}

/// What is there now, if it is not what was.
fn another<'a, T>(now: Option<&'a Arc<T>>, before: Option<&Arc<T>>) -> Option<&'a Arc<T>> {
    now.filter(|now| !before.is_some_and(|before| Arc::ptr_eq(now, before)))
}

struct Gate {
    sender: watch::Sender<Reading>,
    applied: watch::Sender<Option<Arc<ClusterConfiguration>>>,
    documents: Documents,
    /// The unknown keys that were named.
    told: BTreeSet<UnknownKey>,
}

impl Gate {
    async fn judge_all(mut self, mut texts: watch::Receiver<Option<ConfigurationText>>) {
        texts.mark_changed();
        while texts.changed().await.is_ok() {
            let Some(text) = texts.borrow_and_update().clone() else {
                continue;
            };
            let judged = text.text.clone();
            // A large document takes its time.
            let judgement = spawn_blocking(move || judge(judged.as_deref())).await;
            let judgement = judgement.unwrap_or_else(|error| Judgement {
                verdict: Err(error.to_string()),
                unknown: Vec::new(),
            });
            self.conclude(text, judgement);
        }
        // Whoever waits for another one waits for ever, and not in vain again and again.
        std::future::pending::<()>().await;
    }

    fn conclude(&mut self, text: ConfigurationText, judgement: Judgement) {
        self.name_unknown(&text.source, judgement.unknown);
        match judgement.verdict {
            Ok(configuration) => {
                // Also where it is the one that is in force: another may have been refused since. First of all,
                // so that whoever sees it applied can ask the machine what has become of it.
                self.sender.send_replace(Reading {
                    good: Some(Arc::new(text)),
                    refused: None,
                });
                self.applied.send_replace(Some(Arc::new(configuration)));
            }
            Err(reason) => {
                let source = text.source;
                let refused = Arc::new(Refused { source, reason });
                self.sender.send_modify(|it| it.refused = Some(refused));
            }
        }
    }

    fn name_unknown(&mut self, source: &str, unknown: Vec<UnknownKey>) {
        self.documents.keys_unknown(unknown.len());
        let unknown = unknown.into_iter().collect();
        let new: Vec<&UnknownKey> = BTreeSet::difference(&unknown, &self.told).collect();
        if let Some(more) = new.len().checked_sub(NAMED).filter(|more| *more > 0) {
            warn!(
                component = "coordinator",
                source,
                "{more} more keys of the configuration have no effect than those named here"
            );
        }
        for key in new.into_iter().take(NAMED) {
            warn!(
                component = "coordinator",
                source,
                key = %key.path,
                "A key of the configuration has no effect: {key}"
            );
        }
        self.told = unknown;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stepdown_backends::memory::MemoryCluster;
    use tokio::time::timeout;

    use super::*;
    use crate::observe::Metrics;

    const LIMIT: Duration = Duration::from_secs(20);
    const GOOD: &str = "\
namespaces: [{name: default, initialShardCount: 4, replicationFactor: 1}]
servers: [{name: s1, public: 'localhost:6648', internal: 'localhost:6649'}]
";

    struct World {
        memory: MemoryCluster,
        judged: Judged,
        known: Reading,
        metrics: Metrics,
    }

    impl World {
        fn new() -> Self {
            let memory = MemoryCluster::new();
            let metrics = Metrics::new().unwrap();
            let source = memory.backend("a").configuration;
            let judged = Judged::new(&*source, metrics.documents.clone());
            Self {
                memory,
                judged,
                known: Reading::default(),
                metrics,
            }
        }

        fn configure(&self, text: &str) {
            self.memory.set_configuration(Some(text.to_owned()));
        }

        /// What is to be told next: of a good one its text, of a bad one the reason.
        async fn told(&mut self) -> Vec<Result<String, String>> {
            let told = async {
                loop {
                    let now = self.judged.readings.borrow_and_update().clone();
                    let told: Vec<_> = now.since(&self.known).map(said).collect();
                    self.known = now;
                    if !told.is_empty() {
                        return told;
                    }
                    self.judged.readings.changed().await.unwrap();
                }
            };
            timeout(LIMIT, told).await.unwrap()
        }
    }

    fn said(event: Event) -> Result<String, String> {
        match event {
            Event::ConfigurationRead(text) => Ok(text.text.unwrap()),
            Event::ConfigurationRefused { reason, .. } => Err(reason),
            other => panic!("{other:?}"),
        }
    }

    fn misspelt() -> String {
        GOOD.replace("localhost:6649", "localhost")
    }

    #[tokio::test]
    async fn an_address_that_can_not_be_dialled_is_told_of_as_refused_and_the_same_good_one_as_read_again()
     {
        let mut world = World::new();
        for _ in 0..2 {
            world.configure(GOOD);
            while world.told().await != [Ok(GOOD.to_owned())] {}
            world.configure(&misspelt());
            let refused = world.told().await;
            let [Err(reason)] = refused.as_slice() else {
                panic!("{refused:?}");
            };
            assert!(reason.contains("servers[0].internal"), "{reason}");
        }
    }

    #[tokio::test]
    async fn a_good_one_is_not_passed_over_where_it_was_soon_followed_by_a_bad_one() {
        let mut world = World::new();
        world.configure(GOOD);
        let mut in_force = world.judged.in_force();
        let read = in_force.wait_for(Option::is_some);
        timeout(LIMIT, read).await.unwrap().unwrap();
        world.configure(&misspelt());
        let mut readings = world.judged.readings();
        let refused = readings.wait_for(|it| it.refused.is_some());
        timeout(LIMIT, refused).await.unwrap().unwrap();
        let told = world.told().await;
        assert_eq!(told[0], Ok(GOOD.to_owned()));
        assert!(told[1].is_err() && told.len() == 2, "{told:?}");
    }

    #[tokio::test]
    async fn unknown_keys_are_counted_until_they_are_gone() {
        let mut world = World::new();
        let misspelt = GOOD.replace(
            "replicationFactor: 1",
            "replicationFactor: 1, antiAffinity: []",
        );
        for (text, count) in [(misspelt.as_str(), 1), (GOOD, 0)] {
            world.configure(text);
            while world.told().await != [Ok(text.to_owned())] {}
            let expected = format!("stepdown_configuration_unknown_keys {count}\n");
            let metrics = world.metrics.text().unwrap();
            assert!(metrics.contains(&expected), "{metrics}");
        }
    }
}
