//! Metrics: upstream's names in both of its spellings, so that its dashboards work, and our own.

mod admin;
mod declare;
mod documents;
mod family;
mod grpc;
mod leadership;
mod moves;
mod nonsense;
mod process;
mod rpc;
mod shard_families;
mod shards;

use std::io::Write;
use std::sync::Arc;

use prometheus::{Encoder, Registry, TextEncoder};
use stepdown_core::{Report, Role};

pub(crate) use admin::AdminRequests;
pub(crate) use documents::Documents;
pub(crate) use grpc::{CountRpcs, RpcCounter};
pub(crate) use nonsense::Nonsense;

use self::leadership::Leadership;
use self::moves::Moves;
use self::rpc::Rpcs;
use self::shards::Series;

/// Every metric of the process. Clones share the same numbers.
#[derive(Clone)]
pub struct Metrics {
    /// What admins ask for.
    pub(crate) admin: AdminRequests,
    /// What is read and stored.
    pub(crate) documents: Documents,
    leadership: Leadership,
    moves: Moves,
    /// What data servers say that can't be.
    pub(crate) nonsense: Nonsense,
    registry: Registry,
    rpcs: Rpcs,
    shards: Arc<Series>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// All metrics, at rest. It fails only if two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        Self::with_shard_histograms(true)
    }

    /// The same; shards have histograms of their own, or share one in each namespace.
    pub fn with_shard_histograms(histograms: bool) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        process::register(&registry)?;
        Ok(Self {
            admin: AdminRequests::new(&registry)?,
            documents: Documents::new(&registry)?,
            leadership: Leadership::new(&registry)?,
            moves: Moves::new(&registry)?,
            nonsense: Nonsense::new(&registry)?,
            rpcs: Rpcs::register(&registry)?,
            registry,
            shards: Arc::new(Series::new(histograms)),
        })
    }

    /// Takes note of a report. It costs little: a lock, a look-up and an addition.
    pub(crate) fn report(&self, report: &Report) {
        match report {
            Report::ConfigurationApplied { .. } => self.documents.configuration_read(true),
            Report::ConfigurationRejected { .. } => self.documents.configuration_read(false),
            Report::Elected {
                namespace,
                shard,
                took,
                ..
            } => self.shards.elected(namespace, *shard, *took),
            Report::ElectionFailed {
                namespace, shard, ..
            } => self.shards.election_failed(namespace, *shard),
            Report::FencingEnded {
                namespace,
                shard,
                took,
            } => self.shards.fenced(namespace, *shard, *took),
            Report::LeaderConfirmed {
                namespace,
                shard,
                took,
            } => self.shards.leader_confirmed(namespace, *shard, *took),
            Report::DeletionHeld { .. }
            | Report::ExchangeRefused { .. }
            | Report::LeaderHanded { .. }
            | Report::MoveStuck { .. }
            | Report::ShardMoved { .. } => self.moves.report(report),
            Report::DeletionBegun { .. }
            | Report::DeletionUnsure { .. }
            | Report::MajorityAwaited { .. }
            | Report::MajorityBack
            | Report::NamespaceDeleted { .. }
            | Report::NamespaceCreated { .. }
            | Report::NamespaceRefused { .. }
            | Report::ReplicaLeftOut { .. }
            | Report::ServerGivenUp { .. }
            | Report::ShardVerified { .. }
            | Report::ShardsShort { .. }
            | Report::ShardsWhole { .. } => {}
            Report::RoleChanged {
                from,
                to,
                cause,
                took,
                epoch,
                ..
            } => {
                self.leadership
                    .role_changed(*from, *to, *cause, *took, *epoch);
                if *from == Role::Leader {
                    self.shards.close_office();
                }
                // Whoever gives leadership back has no say about the status any more.
                self.documents.status_loaded(true);
            }
            Report::ServerAnswers { server, .. } => self.shards.server_silent(server, false),
            Report::ServerChanged { server, state, .. } => {
                self.shards.server_changed(server, *state);
                self.nonsense.known(server);
            }
            Report::ServerEmptied { server, .. } => self.shards.server_emptied(server),
            Report::ServerForgotten { server } => self.shards.server_forgotten(server),
            Report::ServerSilent { server, .. } => self.shards.server_silent(server, true),
            Report::ShardAccepted {
                namespace,
                shard,
                term,
                ..
            } => self.shards.accepted(namespace, *shard, *term),
            Report::ShardBlocked {
                namespace, shard, ..
            } => self.shards.blocked(namespace, *shard),
            Report::ShardDeleted { shard, .. } => {
                self.shards.deleted(*shard);
                self.moves.report(report);
            }
            Report::ShardInSync {
                namespace,
                shard,
                in_sync,
                replicas,
            } => self.shards.in_sync(namespace, *shard, *in_sync, *replicas),
            Report::StatusAdopted { .. } => self.documents.status_loaded(true),
            Report::StatusUnreadable { .. } => self.documents.status_loaded(false),
            Report::StoreConcluded {
                outcome,
                changes,
                took,
                ..
            } => self.documents.store_concluded(*outcome, *changes, *took),
        }
    }

    /// Whether this coordinator could lead.
    pub(crate) fn able_to_lead(&self, is_able: bool) {
        self.leadership.able_to_lead(is_able);
    }

    /// Counts the calls that are served, as a layer of a tonic server.
    pub(crate) fn count_served(&self) -> CountRpcs {
        CountRpcs::new(self.rpcs.served.clone())
    }

    /// Counts the calls that are made, as a layer around a tonic channel.
    pub(crate) fn count_made(&self) -> CountRpcs {
        CountRpcs::new(self.rpcs.made.clone())
    }

    /// Writes everything, in Prometheus' text form.
    pub(crate) fn write(&self, out: &mut impl Write) -> Result<(), prometheus::Error> {
        TextEncoder::new().encode(&self.registry.gather(), out)?;
        self.shards.copied().write(out)
    }

    /// Everything, in Prometheus' text form.
    #[cfg(test)]
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        self.write(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(test)]
mod alerts;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod tests;
