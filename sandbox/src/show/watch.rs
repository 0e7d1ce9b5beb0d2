//! Looks on, and does what keys ask for meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::input::Input;
use super::news::news;
use super::operation::Operation;
use super::seen::Seen;
use super::shards::SeenShard;
use super::state::Show;
use super::view::Picture;
use crate::cluster::{NamespaceOptions, SandboxError};
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
                Input::AddDataServer => self.asked(Operation::AddDataServer)?,
                Input::Conflict => self.conflict().await?,
                Input::DrainDataServer => self.asked(Operation::DrainDataServer)?,
                Input::Help => self.help = !self.help,
                Input::KillDataServer => {
                    self.kill_data_server()?;
                }
                Input::KillLeader => {
                    self.kill_leader()?;
                }
                Input::Namespace => {
                    let is_there = self.namespaces.len() > 1;
                    self.asked(if is_there {
                        Operation::DeleteNamespace
                    } else {
                        Operation::AddNamespace
                    })?;
                }
            },
        }
        Ok(())
    }

    pub(super) async fn look(&mut self) -> Result<(), SandboxError> {
        self.notice_ends()?;
        self.restart_those_due()?;
        self.see().await
    }

    /// The same, but nothing that was killed is started again.
    pub(super) async fn see(&mut self) -> Result<(), SandboxError> {
        let seen = self.lookout.look(&self.cluster).await?;
        self.tally.add(&seen);
        for line in news(&self.seen, &seen) {
            self.tell(&line);
        }
        self.seen = seen;
        self.go_on().await?;
        let wanted = wanted(&self.seen, &self.namespaces);
        let leaders = wanted.map(|shard| LeaderAt {
            namespace: shard.namespace.clone(),
            shard: shard.id,
            address: shard
                .leader
                .as_ref()
                .map(|(_, address)| Arc::clone(address)),
        });
        self.workload.follow(leaders);
        let under_way = self.left();
        self.output.draw(&Picture {
            ran: self.began.elapsed(),
            seen: &self.seen,
            counts: self.tally.counts(),
            elections: self.tally.elections(),
            acknowledged: self.workload.acknowledged(),
            keys: self.options.script.is_none(),
            help: self.help,
            under_way: under_way.as_deref().filter(|_| self.waiting.is_none()),
            waiting: self.waiting.as_deref(),
        });
        Ok(())
    }
}

/// The shards of these namespaces but for those that are being deleted.
pub(super) fn wanted<'a>(
    seen: &'a Seen,
    namespaces: &'a [NamespaceOptions],
) -> impl Iterator<Item = &'a SeenShard> {
    let is_wanted = |it: &SeenShard| {
        let mut wanted = namespaces.iter();
        !it.deleting && wanted.any(|namespace| *namespace.name == *it.namespace)
    };
    seen.shards.iter().filter(move |it| is_wanted(it))
}
