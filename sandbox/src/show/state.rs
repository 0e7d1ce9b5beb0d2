//! What a run has, and what it has come to so far.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::input::Inputs;
use super::output::Output;
use super::script::Script;
use super::seen::{Lookout, Seen};
use super::tally::Tally;
use super::undertaking::Undertaking;
use crate::cluster::{Balancing, Cluster, NamespaceOptions, SandboxError};
use crate::workload::Workload;

/// Sooner than where nobody looks on.
const BALANCING: Balancing = Balancing {
    schedule_interval: Duration::from_secs(2),
    quarantine_time: Duration::from_secs(5),
};

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct ShowOptions {
    /// What to do to the cluster; without it, what keys ask for.
    pub script: Option<Script>,
    /// When to end, without a script; until asked to where absent.
    pub duration: Option<Duration>,
    /// The longest time to wait for the cluster.
    pub timeout: Duration,
}

/// A run.
pub(super) struct Show {
    pub(super) options: ShowOptions,
    pub(super) cluster: Cluster,
    /// Those that there are to be.
    pub(super) namespaces: Vec<NamespaceOptions>,
    pub(super) lookout: Lookout,
    pub(super) seen: Seen,
    pub(super) tally: Tally,
    pub(super) workload: Workload,
    pub(super) inputs: Inputs,
    pub(super) output: Output,
    pub(super) restarts: Vec<Restart>,
    pub(super) undertaking: Option<Undertaking>,
    /// The configuration that is being handed out for it.
    pub(super) handing: Option<JoinHandle<Result<(), SandboxError>>>,
    pub(super) help: bool,
    pub(super) began: Instant,
    pub(super) next_look: Instant,
    pub(super) waiting: Option<String>,
    pub(super) killed: u32,
    pub(super) unasked: Vec<String>,
}

/// A process that is to be started again.
#[derive(Debug)]
pub(super) struct Restart {
    pub(super) at: Instant,
    pub(super) name: String,
}

impl Show {
    pub(super) fn open(
        mut cluster: Cluster,
        namespaces: Vec<NamespaceOptions>,
        options: ShowOptions,
    ) -> Result<Self, SandboxError> {
        let output = Output::open();
        let inputs =
            Inputs::listen(output.is_live()).map_err(SandboxError::os("listen to signals"))?;
        let now = Instant::now();
        cluster.balance(BALANCING);
        Ok(Self {
            workload: Workload::new(shards(&namespaces)),
            options,
            cluster,
            namespaces,
            lookout: Lookout::default(),
            seen: Seen::default(),
            tally: Tally::default(),
            inputs,
            output,
            restarts: Vec::new(),
            undertaking: None,
            handing: None,
            help: false,
            began: now,
            next_look: now,
            waiting: None,
            killed: 0,
            unasked: Vec::new(),
        })
    }

    pub(super) fn tell(&mut self, event: &str) {
        self.output.tell(self.began.elapsed(), event);
    }
}

/// How many shards namespaces have.
pub(super) fn shards(namespaces: &[NamespaceOptions]) -> usize {
    let shards: u32 = namespaces.iter().map(|it| it.shards).sum();
    usize::try_from(shards).unwrap_or(usize::MAX)
}
