//! Data servers that crash, restart, are silent, or are away by the majority.

use std::time::Duration;

use stepdown_sandbox::replica::Tail;

use super::clock::At;
use super::network::SLOWEST;
use super::world::{What, World};

impl World<'_> {
    pub(super) fn crash_server(&mut self, server: usize, tail_lost: bool, refuses: bool) {
        if !self.servers[server].up {
            return;
        }
        let tail = if tail_lost { Tail::Lost } else { Tail::Kept };
        self.servers[server].refuses = refuses;
        self.servers[server].crash(tail);
        self.servers[server].down_since = Some(self.queue.now());
        self.troubles(server, self.queue.now());
        self.sometimes.hit("server_crashed");
        let delay = if refuses {
            Duration::ZERO
        } else {
            self.keepalive()
        };
        self.sever(server, delay);
        for other in (0..self.servers.len()).filter(|other| *other != server) {
            let address = self.servers[server].address.internal.clone();
            // What is on its way comes first.
            self.queue
                .after(delay + SLOWEST, What::Parted(server, address, other));
        }
    }

    pub(super) fn cut_peers(&mut self, server: usize, other: usize, until: At) {
        self.network.cut_peers(server, other, until);
        for (one, two) in [(server, other), (other, server)] {
            let address = self.servers[one].address.internal.clone();
            self.queue.at(until, What::Parted(one, address, two));
        }
    }

    /// Nobody hears from a server, whose process goes on.
    pub(super) fn silence(&mut self, server: usize, until: At) {
        for host in 0..self.hosts.len() {
            let link = self.network.link(host, server);
            link.requests_cut = until;
            link.answers_cut = until;
            self.notice_cut(host, server);
        }
        for other in (0..self.servers.len()).filter(|other| *other != server) {
            self.cut_peers(server, other, until);
        }
        self.sometimes.hit("server_silent");
    }

    pub(super) fn take_majority_away(&mut self, first: usize, until: At) {
        let count = self.servers.len();
        for server in (first..=first + count / 2).map(|server| server % count) {
            self.troubles(server, until);
            self.crash_server(server, false, true);
            self.queue.at(until, What::ServerStarts(server));
        }
        self.sometimes.hit("majority_away");
    }

    /// Restarts a data server, so fast that only its connections tell, and again after a while.
    pub(super) fn restart_server(&mut self, server: usize, times: u32, apart: Duration) {
        if self.healed || !self.servers[server].up {
            return;
        }
        self.crash_server(server, false, true);
        let down = self.chance.network.millis(1, 30);
        self.queue.after(down, What::ServerStarts(server));
        self.sometimes.hit("server_restarted");
        if let Some(times) = times.checked_sub(1).filter(|left| *left > 0) {
            let again = What::ServerRestarts {
                server,
                times,
                apart,
            };
            self.queue.after(apart, again);
        }
    }
}
