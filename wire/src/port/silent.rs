//! Connections that have yet to say something.

use std::collections::VecDeque;
use std::net::IpAddr;

use tokio::task::AbortHandle;

use super::places::{counted, network};

/// So many there may be. Of whoever has most of them, the one that was silent for longest makes room for
/// others: nobody who means well takes long. Nobody is refused, or whoever says nothing at all would
/// keep the rest out.
pub(super) const SILENT: usize = 256;

/// Those of one port, oldest first.
#[derive(Default)]
pub(super) struct Silent(VecDeque<(IpAddr, AbortHandle)>);

impl Silent {
    /// Adds one, which ends when it has said something, or makes room.
    pub fn add(&mut self, address: IpAddr, heard: AbortHandle) {
        self.0.push_back((network(address), heard));
        if self.0.len() > SILENT {
            self.0.retain(|(_, it)| !it.is_finished());
        }
        while self.0.len() > SILENT
            && let Some(longest) = self.longest()
            && let Some((_, heard)) = self.0.remove(longest)
        {
            heard.abort();
        }
    }

    fn longest(&self) -> Option<usize> {
        let counts = counted(self.0.iter().map(|(address, _)| *address));
        let most = counts.values().max()?;
        self.0
            .iter()
            .position(|(address, _)| counts.get(address) == Some(most))
    }
}
