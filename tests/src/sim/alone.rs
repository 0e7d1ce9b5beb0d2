//! Leaders that write what no follower has, and die: the next one goes on from less, and the logs
//! part.

use std::time::Duration;

use stepdown_core::ShardId;

use super::world::{What, World};

/// The most entries that one writes alone.
const MOST: u64 = 3;

/// Of one shard.
#[derive(Debug)]
pub struct Alone {
    /// So many more leaders write alone.
    left: u32,
    /// So long the next of them stays down: longer than the one before, which may lead meanwhile.
    down: Duration,
    /// The last one, and which boot of it.
    last: Option<(usize, u32)>,
}

impl World<'_> {
    /// Whoever leads a shard, and those who lead it next, write alone and die.
    pub(super) fn write_alone(&mut self, target: usize, leaders: u32, down: Duration) {
        let Some(status) = self.store.status().filter(|_| !self.healed) else {
            return;
        };
        let count = status.shards().count().max(1);
        let Some((_, shard, _)) = status.shards().nth(target % count) else {
            return;
        };
        let alone = Alone {
            left: leaders,
            down,
            last: None,
        };
        self.alone.insert(shard, alone);
        for server in 0..self.servers.len() {
            self.leave_alone(server);
        }
    }

    /// Cuts a server off from its followers if it leads a shard whose leaders are to write alone.
    pub(super) fn leave_alone(&mut self, server: usize) {
        if self.alone.is_empty() || !self.servers[server].up {
            return;
        }
        let place = &self.servers[server];
        let this = (server, place.boot);
        let begins = |(shard, alone): (&ShardId, &Alone)| {
            let leads = place.model.leads(*shard).is_some();
            (leads && alone.last != Some(this)).then_some(*shard)
        };
        let shards: Vec<ShardId> = self.alone.iter().filter_map(begins).collect();
        for shard in shards {
            self.cut_off(server, shard);
        }
    }

    fn cut_off(&mut self, server: usize, shard: ShardId) {
        let Some(alone) = self.alone.get_mut(&shard) else {
            return;
        };
        let boot = self.servers[server].boot;
        let down = alone.down;
        alone.left -= 1;
        alone.down = down * 3;
        alone.last = Some((server, boot));
        if alone.left == 0 {
            self.alone.remove(&shard);
            self.sometimes.hit("wrote_alone");
        }
        let dies = self.chance.faults.millis(20, 500);
        let until = self.queue.now().plus(dies);
        self.troubles(server, until.plus(down));
        for other in (0..self.servers.len()).filter(|other| *other != server) {
            self.troubles(other, until);
            self.cut_peers(server, other, until);
        }
        for _ in 0..=self.chance.faults.below(MOST) {
            self.append_to(server, shard);
        }
        self.queue.after(dies, What::Dies { server, boot, down });
    }

    pub(super) fn dies(&mut self, server: usize, boot: u32, down: Duration) {
        if self.servers[server].boot == boot && !self.healed {
            self.crash_server(server, false, true);
            self.queue.after(down, What::ServerStarts(server));
        }
    }
}
