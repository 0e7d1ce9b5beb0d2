//! Looks on, and does what keys ask for meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::input::Input;
use super::news::news;
use super::state::Show;
use super::view::Picture;
use crate::cluster::SandboxError;
use crate::workload::LeaderAt;

/// Between two looks.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Why a run ends before its script does.
pub(super) enum Halt {
    Quit,
    Failed(SandboxError),
}

impl From<SandboxError> for Halt {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl Show {
    /// Looks on until `missing` finds nothing missing any more.
    pub(super) async fn wait(
        &mut self,
        missing: impl Fn(&Self) -> Option<String>,
    ) -> Result<(), Halt> {
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

    /// Waits for the next look, or does what is asked meanwhile.
    pub(super) async fn tick(&mut self) -> Result<(), Halt> {
        tokio::select! {
            () = sleep_until(self.next_look) => {
                self.look().await?;
                self.next_look = Instant::now() + LOOK;
            }
            input = self.inputs.next() => match input {
                Input::Quit => return Err(Halt::Quit),
                // What a script does is not to be disturbed.
                _ if self.options.script.is_some() => {}
                Input::Conflict => self.conflict().await?,
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

    pub(super) async fn look(&mut self) -> Result<(), SandboxError> {
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
}
