//! Connections that have yet to say something.

use std::collections::VecDeque;
use std::net::IpAddr;

use tokio::task::AbortHandle;

use super::places::{counted, network};

/// Those of one port. Of whoever has most of them, the one that was silent for longest makes room for
/// others: nobody who means well takes long. Nobody is refused, or whoever says nothing at all would
/// keep the rest out.
pub(super) struct Silent {
    most: usize,
    /// Oldest first.
    all: VecDeque<(IpAddr, AbortHandle)>,
}

impl Silent {
    /// So many there may be.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            all: VecDeque::new(),
        }
    }

    /// Adds one, which ends when it has said something, or makes room.
    pub fn add(&mut self, address: IpAddr, heard: AbortHandle) {
        self.all.push_back((network(address), heard));
        if self.all.len() > self.most {
            self.all.retain(|(_, it)| !it.is_finished());
        }
        while self.all.len() > self.most
            && let Some(longest) = self.longest()
            && let Some((_, heard)) = self.all.remove(longest)
        {
            heard.abort();
        }
    }

    fn longest(&self) -> Option<usize> {
        let counts = counted(self.all.iter().map(|(address, _)| *address));
        let most = counts.values().max()?;
        self.all
            .iter()
            .position(|(address, _)| counts.get(address) == Some(most))
    }
}
