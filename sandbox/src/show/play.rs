//! A run from the first look to the end of every process.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::state::{Show, ShowOptions};
use super::summary::Summary;
use super::watch::{Halt, LOOK};
use crate::cluster::{Cluster, NamespaceOptions, SandboxError};
use crate::workload::Entries;

/// How long processes may take to end when they are asked to.
const CLOSE: Duration = Duration::from_secs(5);

/// Runs a show on a cluster that has just been started, and ends the cluster.
pub(super) async fn show(
    cluster: Cluster,
    namespaces: Vec<NamespaceOptions>,
    options: ShowOptions,
) -> Result<Summary, SandboxError> {
    let mut show = Show::open(cluster, namespaces, options)?;
    let played = show.play().await;
    Ok(show.end(played).await)
}

impl Show {
    async fn play(&mut self) -> Result<(), Halt> {
        let dir = self.cluster.dir().display().to_string();
        self.tell(&format!("documents, data and logs are in {dir}"));
        for told in self.metrics() {
            self.tell(&told);
        }
        self.steady().await?;
        self.tell("every shard has a leader that acknowledges writes");
        if let Some(script) = self.options.script.clone() {
            for step in script.0 {
                self.perform(step).await?;
                self.steady().await?;
            }
            return Ok(());
        }
        let ends = self.options.duration.map(|it| Instant::now() + it);
        while ends.is_none_or(|ends| Instant::now() < ends) {
            self.tick().await?;
        }
        self.steady().await
    }

    /// Where the metrics of each coordinator are.
    fn metrics(&self) -> Vec<String> {
        let coordinators = self.cluster.coordinators.iter();
        let told = coordinators.map(|it| {
            let name = it.process().name();
            format!("{name} has its metrics at http://{}/metrics", it.metrics())
        });
        told.collect()
    }

    async fn end(mut self, played: Result<(), Halt>) -> Summary {
        let (failure, settled) = match played {
            Ok(()) => (None, Ok(())),
            Err(Halt::Quit) => {
                self.tell("ending; waiting until every shard acknowledges once more");
                (None, self.steady().await)
            }
            Err(Halt::Failed(error)) => (Some(error), Ok(())),
        };
        let failure = match settled {
            Ok(()) | Err(Halt::Quit) => failure,
            Err(Halt::Failed(error)) => Some(error),
        };
        // What is read back is not to be deleted meanwhile.
        self.undertaking = None;
        self.workload.stop().await;
        let stopped = Instant::now();
        self.tell("reading back what was acknowledged");
        let entries = self.verify(failure.is_some()).await;
        if let Err(error) = self.close().await {
            self.unasked.push(error.to_string());
        }
        Summary {
            ran: self.began.elapsed(),
            conflicts: self.tally.counts().conflicts,
            step_downs: self.tally.counts().step_downs,
            offices: self.tally.counts().offices,
            elections: self.tally.elections(),
            longest_gap: self.workload.longest_gap(stopped),
            entries,
            killed: self.killed,
            unasked: self.unasked,
            failure: failure.map(|error| error.to_string()),
            kept: None,
        }
    }

    /// Reads back; of a cluster that failed only what is there now. Whoever can't wait quits.
    async fn verify(&mut self, failed: bool) -> Entries {
        let within = if failed {
            Duration::ZERO
        } else {
            self.options.timeout
        };
        let unread = Entries {
            acknowledged: self.workload.acknowledged(),
            ..Entries::default()
        };
        let mut reading = pin!(self.workload.verify(Instant::now() + within));
        loop {
            tokio::select! {
                entries = &mut reading => return entries,
                _ = self.inputs.next() => return unread,
                () = sleep(LOOK) => {}
            }
            // Leaders may change meanwhile. What can't be seen now is looked at again; and what is started now
            // would be asked to end before it can hear that.
            let _ = self.see().await;
        }
    }

    /// Ends every process in order, and kills those that take too long.
    async fn close(&mut self) -> Result<(), SandboxError> {
        let deadline = Instant::now() + CLOSE;
        for process in self.cluster.processes_mut() {
            if process.is_paused() {
                process.resume()?;
            }
            if process.pid().is_some() {
                process.terminate()?;
            }
        }
        loop {
            let mut running = 0;
            for process in self.cluster.processes_mut() {
                match process.ended()? {
                    Some(status) if !status.success() => {
                        self.unasked
                            .push(format!("{} ({status}) when asked to end", process.name()));
                    }
                    Some(_) | None => {}
                }
                running += usize::from(process.pid().is_some());
            }
            if running == 0 || Instant::now() >= deadline {
                return Ok(());
            }
            // A look is not needed any more, only a pause.
            let _ = timeout(LOOK, std::future::pending::<()>()).await;
        }
    }
}
