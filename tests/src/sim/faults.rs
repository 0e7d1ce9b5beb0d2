//! What each fault does.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::CallErrorKind;
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardStatus};
use stepdown_core::store::StoreOutcome;
use stepdown_core::{Event, RequestId, ShardId, Term};
use stepdown_sandbox::replica::Tail;

use super::check::Check;
use super::clock::At;
use super::host::Strike;
use super::plan::FaultKind;
use super::server::failure;
use super::store::Unheard;
use super::world::{What, World};

impl World<'_> {
    pub(super) fn strike(&mut self, index: usize) -> Check {
        let fault = self.plan.faults[index];
        let now = self.queue.now();
        self.trace.note(now, || format!("fault {fault:?}"));
        let lasts = Duration::from_millis(u64::from(fault.lasts));
        // Nothing lasts longer than the chaos: what is on its way is planned until then.
        let until = now.plus(lasts).min(self.chaos_ends);
        let host = fault.target % self.hosts.len();
        let server = fault.target % self.servers.len();
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        match fault.kind {
            FaultKind::Shutdown => return self.deliver(host, Event::ShutdownRequested),
            FaultKind::Crash { after_effects } => {
                let back_at = until;
                self.hosts[host].armed = Some((after_effects, Strike::Crash { back_at }));
            }
            FaultKind::Pause { after_effects } => {
                self.hosts[host].armed = Some((after_effects, Strike::Pause { until }));
            }
            FaultKind::Junk => return self.feed_junk(host),
            FaultKind::Hint => return self.deliver(host, Event::StatusHinted),
            FaultKind::Cut { coordinator } => {
                let host = coordinator % self.hosts.len();
                let link = self.network.link(host, server);
                link.requests_cut = until;
                link.answers_cut = until;
                self.notice_cut(host, server);
                self.sometimes.hit("cut_both_ways");
            }
            FaultKind::CutRequests { coordinator } => {
                let host = coordinator % self.hosts.len();
                self.network.link(host, server).requests_cut = until;
                self.notice_cut(host, server);
                self.sometimes.hit("cut_one_way");
            }
            FaultKind::CutAnswers { coordinator } => {
                let host = coordinator % self.hosts.len();
                self.network.link(host, server).answers_cut = until;
                self.notice_cut(host, server);
                self.sometimes.hit("cut_one_way");
            }
            FaultKind::Lossy { percent } => {
                for host in 0..self.hosts.len() {
                    self.network.link(host, server).lossy = (until, percent);
                }
            }
            FaultKind::Slow { most_ms } => {
                for host in 0..self.hosts.len() {
                    self.network.link(host, server).slow = (until, millis(most_ms));
                }
                if most_ms > 30_000 {
                    self.sometimes.hit("slower_than_the_deadline");
                }
            }
            FaultKind::Duplicate { percent } => {
                for host in 0..self.hosts.len() {
                    self.network.link(host, server).duplicates = (until, percent);
                }
            }
            FaultKind::Reset => self.sever(server, Duration::ZERO),
            FaultKind::CutPeers { other } => {
                let other = other % self.servers.len();
                self.cut_peers(server, other, until);
            }
            FaultKind::StoreUnavailable => self.store.unavailable = until,
            FaultKind::StoreSlow { most_ms } => self.store.slow = (until, millis(most_ms)),
            FaultKind::StoreStalled => self.store.stalled = until,
            FaultKind::StoreAppliedUnheard => self.store.next.push_back(Unheard::Applied),
            FaultKind::StoreLostUnheard => self.store.next.push_back(Unheard::Lost),
            FaultKind::StoreAppliedLate => self.store.next.push_back(Unheard::AppliedLate),
            FaultKind::StoreRefuses { how } => self.store.refusals.push_back(how),
            FaultKind::StoreCorrupt => self.store.corrupt = until,
            FaultKind::ForeignTouch => {
                if let Some(status) = self.store.status().cloned() {
                    return self.write_by_hand(status);
                }
            }
            FaultKind::ForeignElection => return self.elect_by_hand(),
            FaultKind::Lease(trouble) => self.strike_lease(trouble, until),
            FaultKind::LossReported => {
                let tenure = self.hosts[host].tenancy.tenure();
                let reason = "the backend is not sure any more".to_owned();
                return self.deliver(host, Event::LeadershipLost { tenure, reason });
            }
            FaultKind::ServerCrash { tail_lost, refuses } => {
                self.crash_server(server, tail_lost, refuses);
                self.queue.at(until, What::ServerStarts(server));
            }
            FaultKind::ServerRestarts { times, apart_ms } => {
                let apart = Duration::from_millis(u64::from(apart_ms));
                self.restart_server(server, times, apart);
            }
            FaultKind::ServerRestartsUnwatched { down_ms } => {
                self.crash_server(server, false, true);
                self.servers[server].restarts_unwatched = true;
                let down = Duration::from_millis(u64::from(down_ms));
                self.queue.after(down, What::ServerStarts(server));
            }
            FaultKind::ServerSilent => self.silence(server, until),
            FaultKind::MajorityAway => {
                // For as long as four faults.
                let until = now.plus(lasts * 4).min(self.chaos_ends);
                self.take_majority_away(server, until);
            }
            FaultKind::DiskEmptied => self.empty_disk(server, until),
            FaultKind::LogTrimmed => self.trim_logs(server),
            FaultKind::NotServing => {
                self.servers[server].not_serving = until;
                self.queue
                    .after(Duration::ZERO, What::ServingChanged(server));
                self.queue.at(until, What::ServingChanged(server));
                self.sometimes.hit("not_serving");
            }
            FaultKind::SlowProbes => self.servers[server].slow_probes = until,
            FaultKind::WatchBroken => {
                let callers: Vec<_> = self.servers[server].watchers.values().copied().collect();
                for caller in callers {
                    let error = failure(CallErrorKind::Unreachable, "watch broken");
                    self.queue
                        .after(Duration::ZERO, What::WatchEnds(caller, error));
                }
            }
            FaultKind::BecomeLeaderHangs => self.servers[server].leading_hangs = until,
            FaultKind::OtherCluster => {
                self.sever(server, Duration::ZERO);
                self.servers[server].other_cluster = until;
                self.sometimes.hit("other_cluster");
            }
            FaultKind::NamespaceAdded => {
                let name = format!("more-{}", self.configured.namespaces.len());
                self.configured.namespaces.push((name, 1 + fault.lasts % 3));
                self.announce_configuration();
            }
            FaultKind::ConfigurationBroken { how } => {
                self.configured.broken = Some(how);
                self.announce_configuration();
                self.queue.at(until, What::ConfigurationMended);
                self.sometimes.hit("configuration_broken");
            }
            FaultKind::AddressChanged => {
                self.crash_server(server, false, true);
                self.servers[server].relocate(server);
                self.configured.servers[server] = self.servers[server].address.clone();
                self.queue.at(until, What::ServerStarts(server));
                self.announce_configuration();
                self.sometimes.hit("address_changed");
            }
        }
        Ok(())
    }

    pub(super) fn crash_server(&mut self, server: usize, tail_lost: bool, refuses: bool) {
        if !self.servers[server].up {
            return;
        }
        let tail = if tail_lost { Tail::Lost } else { Tail::Kept };
        self.servers[server].refuses = refuses;
        self.servers[server].crash(tail);
        self.sometimes.hit("server_crashed");
        let delay = if refuses {
            Duration::ZERO
        } else {
            self.keepalive()
        };
        self.sever(server, delay);
        for other in (0..self.servers.len()).filter(|other| *other != server) {
            let address = self.servers[server].address.internal.clone();
            self.queue
                .after(delay, What::Parted(server, address, other));
        }
    }

    fn cut_peers(&mut self, server: usize, other: usize, until: At) {
        self.network.cut_peers(server, other, until);
        for (one, two) in [(server, other), (other, server)] {
            let address = self.servers[one].address.internal.clone();
            self.queue.at(until, What::Parted(one, address, two));
        }
    }

    /// Nobody hears from a server, whose process goes on.
    fn silence(&mut self, server: usize, until: At) {
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

    fn take_majority_away(&mut self, first: usize, until: At) {
        let count = self.servers.len();
        for server in (first..=first + count / 2).map(|server| server % count) {
            self.crash_server(server, false, true);
            self.queue.at(until, What::ServerStarts(server));
        }
        self.sometimes.hit("majority_away");
    }

    /// Replaces the disk of a server, if no loss can follow from that alone.
    fn empty_disk(&mut self, server: usize, until: At) {
        if !self.can_spare(server) {
            return;
        }
        self.crash_server(server, false, true);
        self.servers[server].empty(server);
        self.queue.at(until, What::ServerStarts(server));
        self.sometimes.hit("disk_emptied");
    }

    /// Whether all shards of a server can do without its disk. Of each shard's members, a majority
    /// must remember, without it, and one must have, on its disk, everything that was committed or
    /// that the server may have acknowledged. And none of them may be in an earlier term: the
    /// server would forget that it has promised to follow that one's leader no more.
    fn can_spare(&self, server: usize) -> bool {
        let Some(status) = self.store.status() else {
            return false;
        };
        let place = &self.servers[server];
        let known = |id: ShardId| status.shards().any(|(_, other, _)| other == id);
        place.up
            && !self.healed
            && place.model.shards().all(known)
            && status.shards().all(|(_, id, shard)| {
                let members: Vec<usize> = shard
                    .ensemble
                    .iter()
                    .filter_map(|member| self.server_named(member))
                    .collect();
                let term = self.servers[server].model.term(id);
                let others = members.iter().copied().filter(|other| *other != server);
                let terms = others
                    .clone()
                    .map(|other| self.servers[other].model.term(id));
                let remembering = terms.clone().filter(|it| *it > Term::NEVER);
                !members.contains(&server)
                    || (remembering.count() > shard.ensemble.len() / 2
                        && terms.clone().all(|it| it >= term)
                        && others
                            .clone()
                            .any(|other| self.has_all_of(other, server, id)))
            })
    }

    /// The server that a document means, wherever it is now.
    fn server_named(&self, identity: &DataServerIdentity) -> Option<usize> {
        let names = self.servers.iter().map(|server| &server.address.name);
        names
            .into_iter()
            .position(|name| identity.name.as_deref() == Some(name.as_str()))
    }

    fn has_all_of(&self, other: usize, server: usize, id: ShardId) -> bool {
        let (one, two) = (&self.servers[other], &self.servers[server]);
        let Some((log, _)) = one.model.log(id) else {
            return false;
        };
        let committed = self.ghost.committed(id);
        let acknowledged = two.model.log(id).map(|(log, _)| log);
        !one.sync_planned
            && one.model.term(id) >= two.model.term(id)
            && committed.is_none_or(|committed| log.starts_with(committed))
            && acknowledged.is_none_or(|acknowledged| log.starts_with(acknowledged))
    }

    fn trim_logs(&mut self, server: usize) {
        if !self.servers[server].up {
            return;
        }
        let shards: Vec<ShardId> = self.servers[server].model.shards().collect();
        for shard in shards {
            self.servers[server].model.trim(shard);
        }
        self.plan_sync(server);
        self.sometimes.hit("log_trimmed");
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

    fn write_by_hand(&mut self, status: Arc<ClusterStatus>) -> Check {
        let lease = self.lease.lease.as_ref();
        let beside = lease.map(|lease| lease.record.epoch).unwrap_or_default();
        self.store.write_by_hand(status, beside);
        self.sometimes.hit("foreign_write");
        self.check_accepted()
    }

    /// Another kind of coordinator elects a shard: a higher term, and no leader yet.
    fn elect_by_hand(&mut self) -> Check {
        let Some(status) = self.store.status() else {
            return Ok(());
        };
        let mut status = ClusterStatus::clone(status);
        for namespace in status.namespaces.values_mut() {
            let led = namespace.shards.values_mut().find(|shard| shard.was_led());
            if let Some(shard) = led {
                let shard = Arc::make_mut(shard);
                shard.term = shard.term.next();
                shard.status = ShardStatus::Election;
                shard.leader = None;
            }
        }
        self.write_by_hand(Arc::new(status))
    }

    /// Answers to nothing, which must change nothing and break nothing.
    fn feed_junk(&mut self, host: usize) -> Check {
        let tenure = self.hosts[host].tenancy.tenure();
        let request = RequestId(u64::MAX);
        let result = Err(failure(CallErrorKind::Other, "junk"));
        self.sometimes.hit("junk");
        self.deliver(
            host,
            Event::CallAnswered {
                tenure,
                request,
                result,
            },
        )?;
        self.deliver(
            host,
            Event::StoreEnded {
                tenure,
                request,
                outcome: StoreOutcome::Conflict("junk".to_owned()),
            },
        )?;
        self.deliver(
            host,
            Event::HealthObserved {
                tenure,
                request,
                serving: false,
            },
        )
    }
}
