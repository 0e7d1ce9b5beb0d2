//! Health watches and assignment streams, which last until something breaks them.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::Event;
use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{CallError, CallErrorKind};

use super::check::Check;
use super::host::Stream;
use super::server::{Caller, Token, failure};
use super::world::{What, World};

/// How long a dead link goes unnoticed: a ping every 10 s, and 3 s for its answer.
const KEEPALIVE: Duration = Duration::from_secs(13);

impl World<'_> {
    pub(super) fn open_watch(&mut self, caller: Caller, place: Option<usize>) {
        let connections = &mut self.hosts[caller.host].connections;
        connections.watches.insert(caller.request, place);
        let now = self.queue.now();
        let Some(server) = place.filter(|server| self.servers[*server].up) else {
            let error = failure(CallErrorKind::Unreachable, "connection refused");
            let delay = self.chance.network.millis(1, 100);
            self.queue.after(delay, What::WatchEnds(caller, error));
            return;
        };
        let link = *self.network.link(caller.host, server);
        let token = self.token();
        match link.request_delay(now, &mut self.chance.network) {
            Some(delay) => self
                .queue
                .after(delay, What::WatchArrives(server, token, caller)),
            None => {
                let error = failure(CallErrorKind::Unreachable, "keepalive failed");
                self.queue.after(KEEPALIVE, What::WatchEnds(caller, error));
            }
        }
    }

    pub(super) fn watch_arrived(&mut self, server: usize, token: Token, caller: Caller) {
        if self.servers[server].up {
            self.servers[server].watchers.insert(token, caller);
            self.say(server, caller);
        } else {
            let error = failure(CallErrorKind::Unreachable, "connection refused");
            self.queue
                .after(Duration::from_millis(1), What::WatchEnds(caller, error));
        }
    }

    pub(super) fn serving_changed(&mut self, server: usize) {
        let watchers: Vec<Caller> = self.servers[server].watchers.values().copied().collect();
        for caller in watchers {
            self.say(server, caller);
        }
    }

    fn say(&mut self, server: usize, caller: Caller) {
        let now = self.queue.now();
        let serving = now >= self.servers[server].not_serving;
        let cut = self.network.link(caller.host, server).answers_cut.max(now);
        let delay = self.chance.network.micros(100, 2_000);
        self.queue
            .at(cut.plus(delay), What::WatchSays(caller, serving));
    }

    pub(super) fn watch_said(&mut self, caller: Caller, serving: bool) -> Check {
        self.answered(
            caller,
            Event::HealthObserved {
                tenure: caller.tenure,
                request: caller.request,
                serving,
            },
        )
    }

    pub(super) fn watch_ended(&mut self, caller: Caller, error: CallError) -> Check {
        if let Some(connections) = self.connections(caller) {
            connections.watches.remove(&caller.request);
        }
        for server in &mut self.servers {
            server.watchers.retain(|_, other| *other != caller);
        }
        self.answered(
            caller,
            Event::HealthWatchEnded {
                tenure: caller.tenure,
                request: caller.request,
                error,
            },
        )
    }

    pub(super) fn push(
        &mut self,
        caller: Caller,
        place: Option<usize>,
        assignments: Arc<ShardAssignments>,
    ) {
        let now = self.queue.now();
        let Some(server) = place.filter(|server| self.servers[*server].up) else {
            self.hosts[caller.host].connections.streams.insert(
                caller.request,
                Stream {
                    server: place,
                    last: now,
                },
            );
            let error = failure(CallErrorKind::Unreachable, "connection refused");
            let delay = self.chance.network.millis(1, 100);
            self.queue.after(delay, What::PushEnds(caller, error));
            return;
        };
        let link = *self.network.link(caller.host, server);
        let delay = link.slowness(now, &mut self.chance.network);
        let connections = &mut self.hosts[caller.host].connections;
        let stream = connections.streams.entry(caller.request).or_insert(Stream {
            server: Some(server),
            last: now,
        });
        stream.last = stream.last.max(link.requests_cut.max(now).plus(delay));
        let (at, boot) = (stream.last, self.servers[server].boot);
        let instance_id = connections.instance_id.clone();
        self.queue.at(
            at,
            What::PushArrives(server, boot, caller, instance_id, assignments),
        );
    }

    pub(super) fn push_arrived(
        &mut self,
        server: usize,
        boot: u32,
        caller: Caller,
        instance_id: Option<Arc<str>>,
        assignments: Arc<ShardAssignments>,
    ) {
        let place = &mut self.servers[server];
        if !place.up || place.boot != boot {
            return;
        }
        match place.model.admit(instance_id.as_deref().unwrap_or("")) {
            Ok(()) => place.assignments = Some(assignments),
            Err(refusal) => {
                let delay = self.chance.network.micros(100, 2_000);
                self.queue
                    .after(delay, What::PushEnds(caller, refusal.into()));
            }
        }
    }

    pub(super) fn push_ended(&mut self, caller: Caller, error: CallError) -> Check {
        if let Some(connections) = self.connections(caller) {
            connections.streams.remove(&caller.request);
        }
        self.answered(
            caller,
            Event::PushEnded {
                tenure: caller.tenure,
                request: caller.request,
                error,
            },
        )
    }

    /// Breaks every connection to a data server; its coordinators notice after `delay`.
    pub(super) fn sever(&mut self, server: usize, delay: Duration) {
        for host in 0..self.hosts.len() {
            self.sever_from(host, server, delay);
        }
    }

    pub(super) fn link_lost(&mut self, host: usize, server: usize) {
        let now = self.queue.now();
        let link = self.network.link(host, server);
        if now < link.requests_cut.max(link.answers_cut) {
            self.sometimes.hit("keepalive_failed");
            self.sever_from(host, server, Duration::ZERO);
        }
    }

    pub(super) fn notice_cut(&mut self, host: usize, server: usize) {
        self.queue.after(KEEPALIVE, What::LinkLost(host, server));
    }

    pub(super) fn sever_from(&mut self, host: usize, server: usize, delay: Duration) {
        let place = &self.hosts[host];
        let caller = |request| Caller {
            host,
            boot: place.boot,
            tenure: place.tenancy.tenure(),
            request,
        };
        let error = || failure(CallErrorKind::Unreachable, "connection reset");
        let mut ends = Vec::new();
        for (request, outgoing) in &place.connections.calls {
            if outgoing.server == Some(server) {
                ends.push(What::CallAnswered(caller(*request), Err(error())));
            }
        }
        for (request, to) in &place.connections.watches {
            if *to == Some(server) {
                ends.push(What::WatchEnds(caller(*request), error()));
            }
        }
        for (request, stream) in &place.connections.streams {
            if stream.server == Some(server) {
                ends.push(What::PushEnds(caller(*request), error()));
            }
        }
        for end in ends {
            self.queue.after(delay, end);
        }
    }

    pub(super) fn keepalive(&self) -> Duration {
        KEEPALIVE
    }
}
