//! What each fault does.

use std::time::Duration;

use stepdown_core::Event;
use stepdown_core::call::CallErrorKind;

use super::check::Check;
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
        // As long as four faults.
        let longer = now.plus(lasts * 4).min(self.chaos_ends);
        let host = fault.target % self.hosts.len();
        let server = fault.target % self.servers.len();
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        if fault.kind.is_of_a_server() {
            self.troubles(server, until);
        } else {
            self.calm = self.calm.max(until);
        }
        match fault.kind {
            FaultKind::Shutdown => return self.deliver(host, Event::ShutdownRequested),
            FaultKind::Crash { after_effects } => {
                let back_at = until;
                self.hosts[host].armed = Some((after_effects, Strike::Crash { back_at }));
            }
            FaultKind::Pause { after_effects } => {
                self.hosts[host].armed = Some((after_effects, Strike::Pause { until }));
            }
            FaultKind::CallsQueued { most_ms } => {
                self.hosts[host].queued = (until, millis(most_ms));
            }
            FaultKind::ClockJumps { by_ms } => return self.jump(host, millis(by_ms)),
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
                self.troubles(other, until);
                self.cut_peers(server, other, until);
            }
            FaultKind::StoreUnavailable => self.store.unavailable = until,
            FaultKind::StoreSlow { most_ms } => self.store.slow = (until, millis(most_ms)),
            FaultKind::StoreStalled => self.store.stalled = until,
            FaultKind::StoreAppliedUnheard => self.store.next.push_back(Unheard::Applied),
            FaultKind::StoreLostUnheard => self.store.next.push_back(Unheard::Lost),
            FaultKind::StoreAppliedLate => self.store.next.push_back(Unheard::AppliedLate),
            FaultKind::StoreKeepsRefusing { how } => {
                self.store.keeps_refusing = (longer, how);
                self.calm = self.calm.max(longer);
            }
            FaultKind::StoreReadsOld => self.store.reads_old = until,
            FaultKind::StoreRefuses { how } => self.store.refusals.push_back(how),
            FaultKind::StoreCorrupt => self.store.corrupt = until,
            FaultKind::ForeignTouch => {
                if let Some(status) = self.store.status().cloned() {
                    return self.write_by_hand(status);
                }
            }
            FaultKind::ForeignElection => return self.elect_by_hand(),
            FaultKind::DocumentRestored => self.copy_document(longer),
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
            FaultKind::ServerAhead { by } => self.fence_by_hand(server, by),
            FaultKind::MajorityAway => self.take_majority_away(server, longer),
            FaultKind::DiskEmptied => self.empty_disk(server, until),
            FaultKind::DiskRolledBack => {
                self.troubles(server, longer);
                self.copy_disk(server, longer);
            }
            FaultKind::LogTrimmed => self.trim_logs(server),
            FaultKind::NotServing => {
                self.servers[server].not_serving = until;
                self.queue
                    .after(Duration::ZERO, What::ServingChanged(server));
                self.queue.at(until, What::ServingChanged(server));
                self.sometimes.hit("not_serving");
            }
            FaultKind::SlowProbes => self.servers[server].slow_probes = until,
            FaultKind::DiesUnsynced { after_ms } => {
                self.write_unsynced(server);
                let boot = self.servers[server].boot;
                let dies = What::Dies {
                    server,
                    boot,
                    down: Duration::from_millis(u64::from(fault.lasts)),
                };
                self.queue.after(millis(after_ms), dies);
            }
            FaultKind::SlowSyncs => self.servers[server].slow_syncs = until,
            FaultKind::WatchBroken => {
                let callers: Vec<_> = self.servers[server].watchers.values().copied().collect();
                for caller in callers {
                    let error = failure(CallErrorKind::Unreachable, "watch broken");
                    self.queue
                        .after(Duration::ZERO, What::WatchEnds(caller, error));
                }
            }
            FaultKind::WritesAlone { leaders } => self.write_alone(fault.target, leaders, lasts),
            FaultKind::BecomeLeaderHangs => self.servers[server].leading_hangs = until,
            FaultKind::OtherCluster => {
                self.sever(server, Duration::ZERO);
                self.servers[server].other_cluster = until;
                self.sometimes.hit("other_cluster");
            }
            FaultKind::NamespaceAdded => {
                self.add_namespace(1 + fault.lasts % 3);
            }
            FaultKind::NamespaceRemoved => self.remove_namespace(fault.target),
            FaultKind::ConfigurationBroken { how } => {
                self.configured.broken = Some(how);
                self.announce_configuration();
                self.queue.at(until, What::ConfigurationMended);
                self.sometimes.hit("configuration_broken");
            }
            FaultKind::ConfigurationUnheard => {
                self.hosts[host].deaf = longer;
                self.calm = self.calm.max(longer);
                self.sometimes.hit("configuration_unheard");
            }
            FaultKind::ConfigurationUnreadable => {
                self.configured.unreadable = longer;
                self.calm = self.calm.max(longer);
                self.sometimes.hit("configuration_unreadable");
            }
            FaultKind::ServerAdded => self.add_server(),
            FaultKind::ServerRemoved => self.remove_server(server),
            FaultKind::ServerLost => self.lose_server(server, until),
            FaultKind::AddressChanged => self.move_server(server, until),
        }
        Ok(())
    }
}
