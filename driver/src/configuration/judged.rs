//! A source of configurations that hands on only those that can be put in force, and names the keys in
//! them that nobody knows.

use std::collections::BTreeSet;
use std::sync::Arc;

use stepdown_backends::ConfigurationSource;
use stepdown_backends::configuration::{Judgement, UnknownKey, judge};
use stepdown_core::cluster::ClusterConfiguration;
use stepdown_core::{ConfigurationText, Report};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::observe::metrics::Documents;

/// Who hears the reports.
type Reports = Arc<dyn Fn(&Report) + Send + Sync>;

/// A source whose documents were judged.
pub(crate) struct Judged {
    source: Arc<dyn ConfigurationSource>,
    text: watch::Receiver<Option<ConfigurationText>>,
    in_force: watch::Receiver<Option<Arc<ClusterConfiguration>>>,
    _task: AbortOnDropHandle<()>,
}

impl Judged {
    /// Judges what comes from there, in a task that ends with this.
    pub(crate) fn new(
        source: Arc<dyn ConfigurationSource>,
        reports: Reports,
        documents: Documents,
    ) -> Self {
        let (sender, text) = watch::channel(None);
        let (applied, in_force) = watch::channel(None);
        let gate = Gate {
            sender,
            applied,
            reports,
            documents,
            told: BTreeSet::new(),
        };
        let task = tokio::spawn(gate.judge_all(source.watch()));
        Self {
            source,
            text,
            in_force,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The configuration that was handed on last.
    pub(crate) fn in_force(&self) -> watch::Receiver<Option<Arc<ClusterConfiguration>>> {
        self.in_force.clone()
    }
}

impl ConfigurationSource for Judged {
    fn watch(&self) -> watch::Receiver<Option<ConfigurationText>> {
        self.text.clone()
    }

    fn read_again(&self) {
        self.source.read_again();
    }
}

struct Gate {
    sender: watch::Sender<Option<ConfigurationText>>,
    applied: watch::Sender<Option<Arc<ClusterConfiguration>>>,
    reports: Reports,
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
                self.sender.send_replace(Some(text));
                self.applied.send_replace(Some(Arc::new(configuration)));
            }
            Err(reason) => (self.reports)(&Report::ConfigurationRejected {
                source: text.source,
                reason,
                keeps_last: self.applied.borrow().is_some(),
            }),
        }
    }

    fn name_unknown(&mut self, source: &str, unknown: Vec<UnknownKey>) {
        self.documents.keys_unknown(unknown.len());
        let unknown = unknown.into_iter().collect();
        for key in BTreeSet::difference(&unknown, &self.told) {
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
    use std::sync::Mutex;
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
        rejected: Arc<Mutex<Vec<Report>>>,
        metrics: Metrics,
    }

    impl World {
        fn new() -> Self {
            let memory = MemoryCluster::new();
            let rejected: Arc<Mutex<Vec<Report>>> = Arc::default();
            let reports = rejected.clone();
            let metrics = Metrics::new().unwrap();
            let judged = Judged::new(
                memory.backend("a").configuration,
                Arc::new(move |report| reports.lock().unwrap().push(report.clone())),
                metrics.documents.clone(),
            );
            Self {
                memory,
                judged,
                rejected,
                metrics,
            }
        }

        fn configure(&self, text: &str) {
            self.memory.set_configuration(Some(text.to_owned()));
        }

        /// Waits until this was handed on, once more if it was before.
        async fn handed_on(
            &self,
            watch: &mut watch::Receiver<Option<ConfigurationText>>,
            text: &str,
        ) {
            loop {
                timeout(LIMIT, watch.changed()).await.unwrap().unwrap();
                let read = watch.borrow_and_update().clone();
                if read.and_then(|it| it.text).as_deref() == Some(text) {
                    return;
                }
            }
        }

        async fn refused(&self, count: usize) -> Report {
            loop {
                let rejected = self.rejected.lock().unwrap().clone();
                if rejected.len() >= count {
                    return rejected.last().unwrap().clone();
                }
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn an_address_that_can_not_be_dialled_never_comes_to_the_machine() {
        let world = World::new();
        let mut watch = world.judged.watch();
        world.configure(GOOD);
        world.handed_on(&mut watch, GOOD).await;
        world.configure(&GOOD.replace("localhost:6649", "localhost"));
        let refused = timeout(LIMIT, world.refused(1)).await.unwrap();
        let Report::ConfigurationRejected {
            reason, keeps_last, ..
        } = refused
        else {
            panic!("{refused:?}");
        };
        assert!(
            keeps_last && reason.contains("servers[0].internal"),
            "{reason}"
        );
        assert!(!watch.has_changed().unwrap());
        // The machine has to hear that the last good one is what is meant again.
        world.configure(GOOD);
        world.handed_on(&mut watch, GOOD).await;
    }

    #[tokio::test]
    async fn unknown_keys_are_counted_until_they_are_gone() {
        let world = World::new();
        let mut watch = world.judged.watch();
        let misspelt = GOOD.replace(
            "replicationFactor: 1",
            "replicationFactor: 1, antiAffinity: []",
        );
        for (text, count) in [(misspelt.as_str(), 1), (GOOD, 0)] {
            world.configure(text);
            world.handed_on(&mut watch, text).await;
            let expected = format!("stepdown_configuration_unknown_keys {count}\n");
            let metrics = world.metrics.text().unwrap();
            assert!(metrics.contains(&expected), "{metrics}");
        }
    }
}
