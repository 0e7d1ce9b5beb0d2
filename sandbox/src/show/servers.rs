//! Data servers that come and go.

use std::time::Duration;

use tokio::time::Instant;

use super::state::Show;
use super::undertaking::Undertaking;
use crate::cluster::{DataServerProcess, SandboxError};

/// How long one that was drained may take to end.
const END: Duration = Duration::from_secs(5);
/// Shards of fewer replicas are not moved.
const MOVED: u32 = 3;

impl Show {
    pub(super) fn add_data_server(&mut self) -> Result<Undertaking, SandboxError> {
        let server = self.cluster.add_data_server()?.process().name().to_owned();
        self.configure()?;
        self.tell(&format!("we start {server} and list it"));
        Ok(Undertaking::Add {
            server,
            shares: self.replication_factor() >= MOVED,
        })
    }

    /// The index of the one that leads most shards, or the last of these.
    pub(super) fn drainable(&self) -> Result<usize, String> {
        let listed = |index: &usize| self.cluster.is_listed(*index);
        let all = (0..self.cluster.data_servers.len()).filter(listed).count();
        let replicas = self.replication_factor();
        let enough = u32::try_from(all).unwrap_or(u32::MAX) > replicas;
        if !enough {
            return Err(format!(
                "too few data servers would be left: there are {all}, and every shard has {replicas} replicas; \
                 add one before (add-data-server)"
            ));
        }
        if replicas < MOVED {
            return Err(format!(
                "shards of fewer than {MOVED} replicas are not moved, and these have {replicas}; start with \
                 --replication-factor {MOVED}"
            ));
        }
        let running = self.cluster.data_servers.iter().enumerate();
        let running = running.filter(|(index, it)| listed(index) && it.process().pid().is_some());
        let leads = |name: &str| {
            let mut seen = self.seen.servers.iter();
            seen.find(|it| it.name == name).map(|it| it.part.leads)
        };
        let most = running.max_by_key(|(_, it)| leads(it.process().name()));
        let (index, _) = most.ok_or("no data server runs that could be drained")?;
        Ok(index)
    }

    pub(super) fn drain(&mut self, index: usize) -> Result<Undertaking, SandboxError> {
        let server = self.cluster.data_servers.get(index);
        let server = server.map(|it| it.process().name().to_owned());
        let server = server.unwrap_or_default();
        self.cluster.list(index, false);
        self.configure()?;
        self.tell(&format!("we take {server} out of the configuration"));
        Ok(Undertaking::Drain { server })
    }

    pub(super) fn end_data_server(
        &mut self,
        name: &str,
    ) -> Result<Option<Undertaking>, SandboxError> {
        let index = self.cluster.find_data_server(name);
        let removed = index.and_then(|it| self.cluster.remove_data_server(it));
        self.restarts.retain(|it| it.name != name);
        self.tell(&format!("nothing is left on {name}; it is asked to end"));
        let running = removed.filter(|it| it.process().pid().is_some());
        if let Some(server) = &running {
            server.process().terminate()?;
        }
        let deadline = Instant::now() + END;
        Ok(running.map(|server| Undertaking::End { server, deadline }))
    }

    pub(super) fn await_end(
        &mut self,
        mut server: DataServerProcess,
        deadline: Instant,
    ) -> Result<Option<Undertaking>, SandboxError> {
        let process = server.process_mut();
        let name = process.name().to_owned();
        match process.ended()? {
            Some(status) if status.success() => self.tell(&format!("{name} has ended")),
            Some(status) => {
                let ended = format!("{name} ({status}) when asked to end");
                self.unasked.push(ended);
            }
            None if Instant::now() < deadline => {
                return Ok(Some(Undertaking::End { server, deadline }));
            }
            None => {
                process.kill()?;
                let ended = format!("{name} did not end when asked to, and was killed");
                self.unasked.push(ended);
            }
        }
        Ok(None)
    }
}
