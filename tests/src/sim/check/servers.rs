//! H1: when a data server is said to be away.

use std::time::Duration;

use stepdown_core::{Report, RequestId, ServerId, ServerState};

use super::{Check, Facts};
use crate::sim::world::World;

/// A server that is first heard of later than this was away when the tenure looked for it.
const TAKE_OVER: Duration = Duration::from_secs(1);

impl World<'_> {
    pub(super) fn note_watch(&mut self, host: usize, request: RequestId, server: ServerId) {
        self.hosts[host].facts.watches.insert(request, server);
    }

    /// Three failed probes, NOT_SERVING, or a broken watch with a hard error.
    pub(super) fn check_report(&mut self, host: usize, report: &Report) -> Check {
        let now = self.queue.now();
        let facts = &mut self.hosts[host].facts;
        if let Report::ShardVerified { shard, .. } = report {
            facts.doubted.remove(shard);
        }
        if let Report::LeaderConfirmed { shard, .. } = report {
            facts.unexplained.remove(shard);
        }
        if let Report::DeletionHeld { .. } = report {
            self.held = now;
        }
        if let Report::ServerForgotten { server, .. } = report {
            // Whoever is added again begins anew.
            facts.running.remove(server);
            facts.failures.remove(server);
        }
        let Report::ServerChanged {
            server,
            state,
            reason,
        } = report
        else {
            return Ok(());
        };
        // Until now the configuration that names it again may have been held back.
        if *state == ServerState::Running || reason == "configured again" {
            self.history.given_up.remove(server);
        }
        match state {
            ServerState::Draining | ServerState::Running => {
                // If it was working, only its configuration has changed.
                if facts.running.insert(server.clone()) {
                    facts.down.remove(server);
                    facts.hard.remove(server);
                    facts.failures.remove(server);
                    let opened = facts.opened;
                    if opened.is_some_and(|opened| now.since(opened) > TAKE_OVER) {
                        facts.doubt_shards_of(server);
                    }
                }
            }
            ServerState::Unavailable => {
                let was_running = facts.running.remove(server);
                let failures = facts.failures.get(server).copied().unwrap_or(0);
                let hard = facts.hard.remove(server);
                facts.down.insert(server.clone());
                facts.doubt_shards_of(server);
                if was_running && failures < 3 && !hard {
                    return Err(self.violation(
                        "H1",
                        format!(
                            "c{host}: {server} is called away after {failures} failures: {reason}"
                        ),
                    ));
                }
                self.sometimes.hit("server_away");
            }
        }
        Ok(())
    }
}

impl Facts {
    /// What the server led has to be looked at, or elected, even where it is back at once; and
    /// what it was about to be recorded as the leader of.
    fn doubt_shards_of(&mut self, server: &ServerId) {
        let shards = self.accepted.iter().flat_map(|(_, status)| status.shards());
        let led = shards.filter(|(_, id, shard)| {
            let leader = shard.leader.as_ref();
            leader.is_some_and(|leader| leader.id() == *server)
                || self.led.get(&(*id, shard.term)) == Some(server)
        });
        self.doubted.extend(led.map(|(_, id, _)| id));
    }
}
