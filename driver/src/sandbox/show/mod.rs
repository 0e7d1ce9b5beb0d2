//! A run of the sandbox: looks on, hurts the cluster as asked, and sums up.

mod hurt;
mod input;
mod news;
mod output;
mod seen;
mod steps;
mod tally;
mod view;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use self::hurt::Restart;
use self::input::{Input, Inputs};
use self::news::news;
use self::output::Output;
use self::seen::{Lookout, Seen};
use self::tally::Tally;
use self::view::Picture;
use super::summary::{Entries, Summary};
use super::workload::{LeaderAt, Workload};
use super::{Cluster, SandboxError, Script};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long processes may take to end when they are asked to.
const CLOSE: Duration = Duration::from_secs(5);

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct ShowOptions {
    /// What to do to the cluster; without it, what keys ask for.
    pub script: Option<Script>,
    /// When to end, without a script; until asked to where absent.
    pub duration: Option<Duration>,
    /// The longest time to wait for the cluster.
    pub timeout: Duration,
    /// How many shards there shall be.
    pub shards: usize,
}

/// A run.
pub(super) struct Show {
    options: ShowOptions,
    cluster: Cluster,
    lookout: Lookout,
    seen: Seen,
    tally: Tally,
    workload: Workload,
    inputs: Inputs,
    output: Output,
    restarts: Vec<Restart>,
    began: Instant,
    next_look: Instant,
    waiting: Option<String>,
    killed: u32,
    unasked: Vec<String>,
}

/// Why a run ends before its script does.
enum Halt {
    Quit,
    Failed(SandboxError),
}

impl From<SandboxError> for Halt {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

/// Runs a show on a cluster that has just been started, and ends the cluster.
pub async fn show(cluster: Cluster, options: ShowOptions) -> Result<Summary, SandboxError> {
    let output = Output::open();
    let inputs = Inputs::listen(output.is_live()).map_err(SandboxError::os("listen to signals"))?;
    let now = Instant::now();
    let mut show = Show {
        workload: Workload::new(options.shards),
        options,
        cluster,
        lookout: Lookout::default(),
        seen: Seen::default(),
        tally: Tally::default(),
        inputs,
        output,
        restarts: Vec::new(),
        began: now,
        next_look: now,
        waiting: None,
        killed: 0,
        unasked: Vec::new(),
    };
    let played = show.play().await;
    Ok(show.end(played).await)
}

impl Show {
    async fn play(&mut self) -> Result<(), Halt> {
        if let Some(dir) = self.cluster.status_path().parent() {
            let dir = dir.display().to_string();
            self.tell(&format!("documents, data and logs are in {dir}"));
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

    /// Waits for the next look, or does what is asked meanwhile.
    async fn tick(&mut self) -> Result<(), Halt> {
        tokio::select! {
            () = sleep_until(self.next_look) => {
                self.look().await?;
                self.next_look = Instant::now() + LOOK;
            }
            input = self.inputs.next() => match input {
                Input::Quit => return Err(Halt::Quit),
                // What a script does is not to be disturbed.
                _ if self.options.script.is_some() => {}
                Input::Conflict => self.conflict()?,
                Input::KillDataServer => {
                    self.kill_data_server()?;
                }
                Input::KillLeader => {
                    self.kill_leader()?;
                }
            },
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), SandboxError> {
        self.notice_ends()?;
        self.restart_those_due()?;
        let seen = self.lookout.look(&self.cluster).await?;
        self.tally.add(&seen);
        for line in news(&self.seen, &seen) {
            self.tell(&line);
        }
        self.seen = seen;
        let leaders = self.seen.shards.iter().map(|shard| LeaderAt {
            namespace: shard.namespace.clone(),
            shard: shard.id,
            address: shard
                .leader
                .as_ref()
                .map(|(_, address)| Arc::clone(address)),
        });
        self.workload.follow(leaders);
        self.output.draw(&Picture {
            ran: self.began.elapsed(),
            seen: &self.seen,
            counts: self.tally.counts(),
            elections: self.tally.elections(),
            acknowledged: self.workload.acknowledged(),
            keys: self.options.script.is_none(),
            waiting: self.waiting.as_deref(),
        });
        Ok(())
    }

    fn tell(&mut self, event: &str) {
        self.output.tell(self.began.elapsed(), event);
    }

    /// Looks on until `missing` finds nothing missing any more.
    async fn wait(&mut self, missing: impl Fn(&Self) -> Option<String>) -> Result<(), Halt> {
        let within = self.options.timeout;
        let deadline = Instant::now() + within;
        loop {
            self.tick().await?;
            self.waiting = missing(self);
            let Some(what) = &self.waiting else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let what = what.clone();
                return Err(SandboxError::Timeout { what, within }.into());
            }
        }
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
        tokio::select! {
            entries = self.workload.verify(Instant::now() + within) => entries,
            _ = self.inputs.next() => unread,
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
