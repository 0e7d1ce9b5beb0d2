//! What data servers do for clients and among themselves: appends, syncs, messages, streams.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::ShardId;
use stepdown_core::call::Answer;
use stepdown_sandbox::replica::{Body, Message, Output, Request};

use super::check::Check;
use super::world::{What, World};

const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

impl World<'_> {
    pub(super) fn message_arrived(&mut self, server: usize, boot: u32, message: Message) -> Check {
        // What a server sent before it moved ended with its connections.
        if self.server_at(&message.from).is_none() {
            return Ok(());
        }
        let place = &mut self.servers[server];
        if !place.up || place.boot != boot {
            return Ok(());
        }
        if matches!(&message.body, Body::Append { entries, .. } if !entries.is_empty()) {
            self.may_lag(server, message.target);
        }
        self.servers[server].model.handle_message(message);
        self.plan_sync(server);
        Ok(())
    }

    /// What is written to a leader now takes its time to be synced by some of those that follow.
    pub(super) fn write_unsynced(&mut self, leader: usize) {
        let leading = self.servers[leader].model.leading();
        let shards: Vec<ShardId> = leading.map(|(shard, ..)| shard).collect();
        for shard in shards {
            for server in 0..self.servers.len() {
                if server != leader && self.chance.syncs.percent(60) {
                    self.lag(server, shard);
                }
            }
            for _ in 0..=self.chance.syncs.below(3) {
                self.append_to(leader, shard);
            }
        }
    }

    fn lag(&mut self, server: usize, shard: ShardId) {
        let place = &mut self.servers[server];
        place.model.lag(shard);
        let over = What::LogSynced(server, place.boot, shard);
        let delay = self.chance.syncs.millis(1, 3_000);
        self.queue.after(delay, over);
        self.sometimes.hit("slow_syncs");
    }

    /// Where a server syncs its logs slowly, what is appended now may have to wait.
    fn may_lag(&mut self, server: usize, shard: ShardId) {
        let is_slow = self.queue.now() < self.servers[server].slow_syncs;
        if is_slow && self.chance.syncs.percent(30) {
            self.lag(server, shard);
        }
    }

    pub(super) fn log_synced(&mut self, server: usize, boot: u32, shard: ShardId) {
        let place = &mut self.servers[server];
        if place.up && place.boot == boot {
            if self.chance.syncs.percent(50) {
                place.model.forsake_sync(shard);
            }
            place.model.sync_log(shard);
            self.plan_sync(server);
        }
    }

    /// A client writes to whoever leads the shard.
    pub(super) fn append_somewhere(&mut self) -> Check {
        let Some(status) = self.store.status() else {
            return Ok(());
        };
        let shards: Vec<ShardId> = status.shards().map(|(_, id, _)| id).collect();
        if shards.is_empty() {
            return Ok(());
        }
        let shard = shards[self.chance.workload.index(shards.len())];
        for server in 0..self.servers.len() {
            if self.servers[server].up && self.servers[server].model.leads(shard).is_some() {
                self.append_to(server, shard);
            }
        }
        Ok(())
    }

    pub(super) fn append_to(&mut self, server: usize, shard: ShardId) {
        let token = self.token();
        self.may_lag(server, shard);
        let model = &mut self.servers[server].model;
        model.handle_request(token, Request::Append { shard });
        self.plan_sync(server);
    }

    pub(super) fn plan_sync(&mut self, server: usize) {
        let place = &mut self.servers[server];
        if !place.sync_planned {
            place.sync_planned = true;
            let boot = place.boot;
            let delay = self.chance.workload.micros(200, 2_000);
            self.queue.after(delay, What::Sync(server, boot));
        }
    }

    pub(super) fn synced(&mut self, server: usize, boot: u32) -> Check {
        let now = self.queue.now();
        let place = &mut self.servers[server];
        if !place.up || place.boot != boot {
            return Ok(());
        }
        place.sync_planned = false;
        place.model.sync();
        self.leave_alone(server);
        let place = &mut self.servers[server];
        let mut replies = std::mem::take(&mut place.handshakes);
        let mut sends = Vec::new();
        let mut leading = BTreeSet::new();
        while let Some(output) = place.model.poll_output() {
            match output {
                Output::Reply { token, result } => {
                    let answer = match result {
                        Ok(reply) => reply.answer().map(Ok),
                        Err(refusal) => Some(Err(refusal.into())),
                    };
                    if let Some(answer) = answer {
                        if answer == Ok(Answer::BecameLeader) && now < place.leading_hangs {
                            leading.insert(token);
                        }
                        replies.push((token, answer));
                    }
                }
                Output::Send { to, message } => sends.push((to, message)),
            }
        }
        for (token, answer) in replies {
            let Some(caller) = self.servers[server].callers.remove(&token) else {
                continue;
            };
            if leading.contains(&token) {
                self.sometimes.hit("become_leader_hung");
            } else {
                self.send_answer(server, caller, answer);
            }
        }
        for (to, message) in sends {
            if let Some(other) = self.server_at(&to)
                && let Some(delay) =
                    self.network
                        .peer_delay(server, other, now, &mut self.chance.network)
            {
                let boot = self.servers[other].boot;
                self.queue
                    .after(delay, What::MessageArrives(other, boot, message));
            }
        }
        let place = &self.servers[server];
        let owing = place.model.owing().into_iter();
        let news = owing.filter(|peer| !place.retries.contains_key(*peer));
        let news: Vec<Arc<str>> = news.cloned().collect();
        for peer in news {
            self.servers[server].retries.insert(peer.clone(), 0);
            let delay = self.back_off(0);
            self.queue.after(delay, What::Resend(server, boot, peer));
        }
        // What is not durable yet was told to nobody.
        self.check_logs(server)
    }

    /// A leader tries again what a follower has not answered.
    pub(super) fn resend(&mut self, server: usize, boot: u32, peer: Arc<str>) {
        let place = &mut self.servers[server];
        if !place.up || place.boot != boot {
            return;
        }
        if !place.model.is_owed_by(&peer) {
            place.retries.remove(&peer);
            return;
        }
        let tries = place.retries.entry(peer.clone()).or_default();
        *tries += 1;
        let tries = *tries;
        place.model.resend_to(|other| *other == *peer);
        self.plan_sync(server);
        let delay = self.back_off(tries);
        self.queue.after(delay, What::Resend(server, boot, peer));
    }

    /// How long a leader waits before it tries a follower again: up to a minute.
    fn back_off(&mut self, tries: u32) -> Duration {
        let delay = LONGEST_BACK_OFF.min(FIRST_BACK_OFF * (1 << tries.min(10)));
        self.chance.workload.between(delay / 2, delay)
    }

    /// A server's streams to another and back have ended. The other one is to feed it again.
    pub(super) fn part(&mut self, server: usize, address: &str, other: usize) {
        if self.servers[other].up {
            self.servers[other].model.peer_disconnected(address);
            self.plan_sync(other);
            self.reconnect(other, server, 0);
        }
    }

    fn reconnect(&mut self, server: usize, to: usize, tries: u32) {
        let boot = self.servers[server].boot;
        let delay = self.back_off(tries);
        let again = What::Reconnects {
            server,
            boot,
            to,
            tries,
        };
        self.queue.after(delay, again);
    }

    pub(super) fn reconnects(&mut self, server: usize, boot: u32, to: usize, tries: u32) {
        if !self.servers[server].up || self.servers[server].boot != boot {
            return;
        }
        let now = self.queue.now();
        if self.servers[to].up && !self.network.is_cut(server, to, now) {
            let address = self.servers[to].address.internal.clone();
            self.servers[server].model.peer_connected(&address);
            self.plan_sync(server);
        } else {
            self.reconnect(server, to, tries + 1);
        }
    }
}
