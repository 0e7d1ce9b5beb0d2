//! What the sandbox does to its processes, and what they do by themselves.

use std::time::Duration;

use tokio::time::Instant;

use super::state::{Restart, Show};
use crate::cluster::{Process, SandboxError};

/// How long a killed process stays away.
const AWAY: Duration = Duration::from_secs(1);

impl Show {
    /// Writes the status document as another coordinator would.
    pub(super) async fn conflict(&mut self) -> Result<(), SandboxError> {
        if self.seen.shards.is_empty() {
            self.tell("there is no status document yet to write over");
            return Ok(());
        }
        self.tell("a stranger writes the status document");
        self.cluster.write_as_stranger().await
    }

    /// Kills the coordinator that leads; returns its index, or `None` if none leads.
    pub(super) fn kill_leader(&mut self) -> Result<Option<usize>, SandboxError> {
        let leader = self.seen.leader();
        if let Some(index) = leader
            && let Some(coordinator) = self.cluster.coordinators.get_mut(index)
        {
            let name = kill(coordinator.process_mut())?;
            self.killed(name);
        } else {
            self.tell("no coordinator leads that could be killed");
        }
        Ok(leader)
    }

    /// Kills the data server that leads most shards; returns its name.
    pub(super) fn kill_data_server(&mut self) -> Result<Option<String>, SandboxError> {
        let running = self.seen.servers.iter().filter(|it| it.pid.is_some());
        let most = running.max_by_key(|it| it.part.leads);
        let index = most.and_then(|it| self.cluster.find_data_server(&it.name));
        if let Some(index) = index
            && let Some(server) = self.cluster.data_servers.get_mut(index)
            && server.process().pid().is_some()
        {
            let name = kill(server.process_mut())?;
            self.killed(name.clone());
            return Ok(Some(name));
        }
        self.tell("no data server runs that could be killed");
        Ok(None)
    }

    /// Stops the coordinator that leads, or lets it go on.
    pub(super) fn pause(&mut self, index: usize, pause: bool) -> Result<(), SandboxError> {
        if let Some(coordinator) = self.cluster.coordinators.get_mut(index) {
            let process = coordinator.process_mut();
            let name = process.name().to_owned();
            if pause {
                process.pause()?;
                self.tell(&format!("we stop {name} (SIGSTOP)"));
            } else {
                process.resume()?;
                self.tell(&format!("we let {name} go on (SIGCONT)"));
            }
        }
        Ok(())
    }

    fn killed(&mut self, name: String) {
        self.killed += 1;
        self.tell(&format!("we kill {name} (SIGKILL)"));
        let at = Instant::now() + AWAY;
        self.restarts.push(Restart { at, name });
    }

    /// Notices processes that have ended by themselves; they are started again, too.
    pub(super) fn notice_ends(&mut self) -> Result<(), SandboxError> {
        let mut ended = Vec::new();
        for process in self.cluster.processes_mut() {
            if let Some(status) = process.ended()? {
                let log = process.log().display().to_string();
                ended.push((process.name().to_owned(), format!("{status}; log: {log}")));
            }
        }
        for (name, how) in ended {
            self.tell(&format!("{name} ended unasked: {how}"));
            self.unasked.push(format!("{name} ({how})"));
            let at = Instant::now() + AWAY;
            self.restarts.push(Restart { at, name });
        }
        Ok(())
    }

    /// Starts those whose time away is over.
    pub(super) fn restart_those_due(&mut self) -> Result<(), SandboxError> {
        let now = Instant::now();
        let (due, later) = self.restarts.drain(..).partition(|it| it.at <= now);
        self.restarts = later;
        for Restart { name, .. } in due {
            let mut processes = self.cluster.processes_mut();
            if let Some(process) = processes.find(|it| it.name() == name) {
                process.restart()?;
            }
            drop(processes);
            self.tell(&format!("{name} is started again"));
        }
        Ok(())
    }
}

fn kill(process: &mut Process) -> Result<String, SandboxError> {
    process.kill()?;
    Ok(process.name().to_owned())
}
