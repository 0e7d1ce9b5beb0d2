//! What a node knows of itself and of the cluster.

use std::time::Duration;

use stepdown_wire::raft as wire;
use tokio::time::{Instant, timeout};

use super::administration::Administration;
use crate::raft::machine::Machine;
use crate::raft::seat::Sitter;

/// How long a majority is waited for.
const QUORUM: Duration = Duration::from_secs(1);

impl Administration {
    pub(super) async fn report(&self) -> wire::StatusResponse {
        let formed = self.is_formed().await;
        let quorum_millis = self.quorum_millis().await;
        let metrics = self.metrics();
        let held = self.node.held();
        let machine = &held.machine;
        let database = self.database.upgrade();
        let membership = metrics.membership_config.membership();
        let members = membership.nodes().map(|(id, it)| self.told(*id, it));
        let cluster = machine.cluster.map(|id| id.to_string());
        let refused = self.strangers.counts().into_iter();
        wire::StatusResponse {
            node: self.node.id(),
            name: self.me.name.clone(),
            address: self.me.address.clone(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: cluster.unwrap_or_default(),
            term: metrics.current_term,
            leader: metrics.current_leader,
            serves: self.serves(),
            last: metrics.last_log_index,
            applied: metrics.last_applied.map(|id| id.index),
            snapshot: metrics.snapshot.map(|id| id.index),
            quorum_millis,
            file_bytes: database.as_ref().and_then(|it| it.file_bytes()),
            log_bytes: database.map_or(0, |it| it.log_bytes()),
            members: members.collect(),
            changing: membership.get_joint_config().len() > 1,
            status: status_version(machine),
            configuration: Some(configuration_version(machine)),
            failure: match metrics.running_state {
                Ok(()) => String::new(),
                Err(fatal) => fatal.to_string(),
            },
            refused: refused
                .map(|(kind, count)| (kind.to_string(), count))
                .collect(),
            formed,
        }
    }

    /// Whether it has taken part in a cluster. Raft is asked to the end even if nobody waits for it:
    /// it complains otherwise.
    async fn is_formed(&self) -> bool {
        let raft = self.node.raft().clone();
        let asked = tokio::spawn(async move { raft.is_initialized().await });
        // One that has failed has been something once.
        asked.await.is_ok_and(|answer| answer.unwrap_or(true))
    }

    /// How long a majority takes to answer, where this node leads one.
    async fn quorum_millis(&self) -> Option<u64> {
        self.node.leads()?;
        let asked = Instant::now();
        let node = self.node.clone();
        // Asked to the end, too.
        let answer = tokio::spawn(async move { node.read_index().await });
        timeout(QUORUM, answer).await.ok()?.ok()?.ok()?;
        u64::try_from(asked.elapsed().as_millis()).ok()
    }

    /// Whether the coordinator of this node leads.
    fn serves(&self) -> bool {
        match self.node.seat.sitter() {
            Sitter::Coordinator(_, term) => self.node.leads() == Some(term),
            Sitter::Nobody | Sitter::Promised(..) => false,
        }
    }
}

pub(super) fn status_version(machine: &Machine) -> Option<wire::StatusVersion> {
    let record = machine.status.as_ref()?;
    Some(wire::StatusVersion {
        version: record.version,
        epoch: machine.epoch.0,
        bytes: record.status.estimated_bytes(),
        shards: length(record.status.shards().count()),
    })
}

pub(super) fn configuration_version(machine: &Machine) -> wire::ConfigurationVersion {
    let configuration = &machine.configuration;
    wire::ConfigurationVersion {
        version: configuration.version,
        bytes: configuration.text.as_ref().map(|text| length(text.len())),
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
