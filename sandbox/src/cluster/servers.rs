//! Data servers that come and go.

use std::collections::BTreeSet;

use super::error::SandboxError;
use super::{Cluster, DataServerProcess, DataServerProcessOptions};

impl Cluster {
    /// Starts one more data server, the last of all, and has the next configuration name it.
    pub fn add_data_server(&mut self) -> Result<&DataServerProcess, SandboxError> {
        self.named += 1;
        let server = DataServerProcess::start(DataServerProcessOptions {
            name: format!("server-{}", self.named),
            program: self.program.clone(),
            kind: self.data_server_kind.clone(),
            dir: self.dir.clone(),
        })?;
        Ok(self.data_servers.push_mut(server))
    }

    /// Has the next configuration name the data server with this index, or not.
    pub fn list(&mut self, index: usize, is_listed: bool) {
        if is_listed {
            self.unlisted.remove(&index);
        } else {
            self.unlisted.insert(index);
        }
    }

    /// Whether the next configuration names the data server with this index.
    pub fn is_listed(&self, index: usize) -> bool {
        !self.unlisted.contains(&index)
    }

    /// The index of the data server of this name; it changes when one before it is given up.
    pub fn find_data_server(&self, name: &str) -> Option<usize> {
        let mut servers = self.data_servers.iter();
        servers.position(|it| it.process().name() == name)
    }

    /// Gives up the data server with this index; whoever takes it has to end it.
    pub fn remove_data_server(&mut self, index: usize) -> Option<DataServerProcess> {
        if index >= self.data_servers.len() {
            return None;
        }
        self.unlisted = without(index, &self.unlisted);
        Some(self.data_servers.remove(index))
    }
}

/// What these indices are once there is nothing at this one any more.
fn without(index: usize, indices: &BTreeSet<usize>) -> BTreeSet<usize> {
    let others = indices.iter().filter(|it| **it != index);
    others.map(|it| it - usize::from(*it > index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_behind_a_server_that_has_gone_are_counted_anew() {
        let indices = [0, 2, 4, 5].into();
        assert_eq!(without(2, &indices), [0, 3, 4].into());
        assert_eq!(without(3, &indices), [0, 2, 3, 4].into());
        assert_eq!(without(6, &indices), indices);
    }
}
