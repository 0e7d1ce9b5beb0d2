//! What somebody else does: to the document, to a data server, to a coordinator.

use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{CallErrorKind, NewTerm};
use stepdown_core::cluster::{ClusterStatus, KeySorting, ShardMetadata, ShardStatus};
use stepdown_core::store::StoreOutcome;
use stepdown_core::{Event, RequestId, ShardId, Tenure, Term};
use stepdown_sandbox::replica::Request;

use super::check::Check;
use super::server::failure;
use super::world::World;

/// A coordinator looks at every replica within this time.
const LOOKED_AT: Duration = Duration::from_secs(310);

impl World<'_> {
    /// Somebody has used terms that no document knows of, or not any more: the server is fenced in
    /// one of them, for a shard.
    pub(super) fn fence_by_hand(&mut self, server: usize, by: u32) {
        let place = &self.servers[server];
        let mut shards: Vec<ShardId> = place.model.shards().collect();
        let status = self.store.status();
        shards.retain(|id| {
            status.is_some_and(|status| status.shards().any(|(_, other, _)| other == *id))
        });
        if !place.up || self.healed || shards.is_empty() {
            return;
        }
        let shard = shards[self.chance.faults.index(shards.len())];
        // Its health does not show it: replicas are looked at now and then, by whichever clock.
        let waits = self.hosts.iter().map(|host| host.clock.stretch(LOOKED_AT));
        let noticed = self.queue.now().plus(waits.max().unwrap_or(LOOKED_AT));
        if place.model.leads(shard).is_some() {
            if noticed >= self.chaos_ends {
                return;
            }
            self.sometimes.hit("leader_ahead");
        }
        self.calm = self.calm.max(noticed);
        let term = Term(place.model.term(shard).0 + i64::from(by));
        let token = self.token();
        let request = Request::NewTerm(NewTerm {
            namespace: "default".into(),
            shard,
            term,
            enable_notifications: true,
            key_sorting: KeySorting::Unknown,
        });
        self.servers[server].model.handle_request(token, request);
        self.plan_sync(server);
        self.sometimes.hit("server_ahead");
    }

    pub(super) fn write_by_hand(&mut self, mut status: Arc<ClusterStatus>) -> Check {
        // Oxia's coordinator drops what it does not know.
        self.lose_track();
        Arc::make_mut(&mut status).drop_beginnings();
        let lease = self.lease.lease.as_ref();
        let beside = lease.map(|lease| lease.record.epoch).unwrap_or_default();
        self.store.write_by_hand(status, beside);
        self.calm = self.calm.max(self.queue.now());
        self.sometimes.hit("foreign_write");
        self.check_accepted()
    }

    /// The document does not tell any more with what logs leaders began.
    pub(super) fn lose_track(&mut self) {
        let shards = self.store.status().into_iter().flat_map(|it| it.shards());
        for (_, id, shard) in shards {
            let untold = self.history.untold.entry(id).or_insert(shard.term);
            *untold = shard.term.max(*untold);
        }
    }

    /// Another kind of coordinator elects a shard: a higher term, and no leader yet.
    pub(super) fn elect_by_hand(&mut self) -> Check {
        let Some(status) = self.store.status() else {
            return Ok(());
        };
        let mut status = ClusterStatus::clone(status);
        for namespace in status.namespaces.values_mut() {
            let is_kept = |shard: &ShardMetadata| shard.status != ShardStatus::Deleting;
            let mut shards = namespace.shards.values_mut();
            let led = shards.find(|shard| shard.was_led() && is_kept(shard));
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
    pub(super) fn feed_junk(&mut self, host: usize) -> Check {
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
        )?;
        let before = Tenure(tenure.0.saturating_sub(1));
        let reason = "that was long ago".to_owned();
        let lost = Event::LeadershipLost {
            tenure: before,
            reason,
        };
        self.deliver(host, lost)?;
        self.deliver(host, Event::Drained { tenure: before })
    }
}
