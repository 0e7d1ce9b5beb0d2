//! Reports as log lines.

use std::time::Duration;

use stepdown_core::{Cause, Report, Role, ServerId, ServerState, StoreResult};
use tracing::{debug, error, info, warn};

use super::names::{self, role, store_result};

/// How many shards a line names.
const LISTED: usize = 20;

/// Logs a report. What comes once per shard and store is for debugging only.
pub fn log_report(report: &Report) {
    match report {
        Report::ConfigurationApplied { source } => {
            info!(component = "coordinator", source, "Read the configuration");
        }
        Report::ConfigurationRejected {
            source,
            reason,
            keeps_last: true,
        } => warn!(
            component = "coordinator",
            source,
            error = reason.as_str(),
            "Refused the configuration; the last good one stays in force"
        ),
        Report::ConfigurationRejected {
            source,
            reason,
            keeps_last: false,
        } => warn!(
            component = "coordinator",
            source,
            error = reason.as_str(),
            "No configuration can be put in force yet; namespaces wait for one"
        ),
        Report::Elected {
            namespace,
            shard,
            term,
            leader,
            took,
        } => info!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            term = term.0,
            leader = &*leader.0,
            took_ms = millis(*took),
            "Elected a leader"
        ),
        Report::ElectionFailed {
            namespace,
            shard,
            term,
            reason,
            retry_after,
        } => warn!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            term = term.0,
            error = reason.as_str(),
            retry_after_ms = millis(*retry_after),
            "Failed to elect a leader"
        ),
        Report::DeletionBegun { namespace, shard } => info!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            "Deleting a shard"
        ),
        Report::DeletionHeld { namespaces, wait } => {
            let names: Vec<&str> = namespaces.iter().map(|name| &**name).collect();
            warn!(
                component = "coordinator",
                namespaces = names.join(", "),
                wait_ms = millis(*wait),
                "The configuration would delete more than it keeps; it is put into force once it has \
                 stayed as it is for a while"
            );
        }
        Report::DeletionUnsure { reason } => warn!(
            component = "coordinator",
            reason = reason.as_str(),
            "Namespaces are not deleted yet: the configuration was read once more"
        ),
        Report::ExchangeRefused {
            namespace,
            shard,
            reason,
        } => info!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            reason = reason.as_str(),
            "A shard is not moved now"
        ),
        Report::FencingEnded {
            namespace,
            shard,
            took,
        } => debug!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            took_ms = millis(*took),
            "A fencing round ended"
        ),
        Report::LeaderConfirmed {
            namespace,
            shard,
            took,
        } => debug!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            took_ms = millis(*took),
            "A server became leader"
        ),
        Report::MajorityAwaited { shards, servers } => {
            let servers: Vec<&str> = servers.iter().map(|server| &*server.0).collect();
            warn!(
                component = "coordinator",
                shards,
                unavailable = servers.join(", "),
                "Shards wait for a majority of their data servers; they are elected once it runs"
            );
        }
        Report::MajorityBack => info!(
            component = "coordinator",
            "No shard waits for a majority of its data servers any more"
        ),
        Report::MoveStuck { shard, reason } => warn!(
            component = "load-balancer",
            shard = shard.0,
            reason = reason.as_str(),
            "A shard can't leave a data server that is not configured any more"
        ),
        Report::NamespaceDeleted { namespace } => info!(
            component = "coordinator",
            namespace = &**namespace,
            "Deleted a namespace"
        ),
        Report::NamespaceCreated { namespace, shards } => info!(
            component = "coordinator",
            namespace = &**namespace,
            shards,
            "Created a namespace"
        ),
        Report::NamespaceRefused { namespace, reason } => warn!(
            component = "coordinator",
            namespace = &**namespace,
            error = reason.as_str(),
            "A namespace can't be created yet"
        ),
        Report::ReplicaLeftOut {
            namespace,
            shard,
            server,
            given_up,
        } => error!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            data_server = &*server.0,
            given_up,
            "{}",
            if *given_up {
                "A replica has what was given up when a loss was accepted: it is left out until its \
                 disk is emptied"
            } else {
                "A replica has another log than its leader, and is not known to fit; it is left out \
                 while others are enough, or until its disk is emptied"
            }
        ),
        Report::RoleChanged { .. } => role_changed(report),
        Report::ServerAnswers { server, silent_for } => info!(
            component = "data-server-controller",
            data_server = &*server.0,
            silent_ms = millis(*silent_for),
            "A data server answers again"
        ),
        Report::ServerChanged {
            server,
            state,
            reason,
        } => server_changed(server, *state, reason),
        Report::ServerEmptied { server, shards } => warn!(
            component = "data-server-controller",
            data_server = &*server.0,
            shards,
            "A data server was bound to the cluster only now, although shards that are led have a \
             replica on it: it is new, or it has lost its data"
        ),
        Report::ServerForgotten { server } => info!(
            component = "data-server-controller",
            data_server = &*server.0,
            "A data server is no longer known"
        ),
        Report::ServerGivenUp { server } => warn!(
            component = "data-server-controller",
            data_server = &*server.0,
            "A person has given up on a data server that is not configured any more: what it still has is left \
             there; empty its disk before it comes back"
        ),
        Report::ServerSilent {
            server,
            silent_for,
            reason,
        } => warn!(
            component = "data-server-controller",
            data_server = &*server.0,
            silent_ms = millis(*silent_for),
            reason,
            "A data server does not answer; it counts as running until more checks have failed"
        ),
        Report::ShardAccepted {
            namespace,
            shard,
            term,
            leader,
        } => debug!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            term = term.0,
            leader = leader.as_ref().map(|leader| &*leader.0),
            "The store accepted a shard"
        ),
        Report::ShardDeleted { namespace, shard } => info!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            "Deleted a shard"
        ),
        Report::ShardMoved {
            namespace,
            shard,
            from,
            to,
        } => info!(
            component = "load-balancer",
            namespace = &**namespace,
            shard = shard.0,
            from = &*from.0,
            to = &*to.0,
            "Moved a shard"
        ),
        Report::LeaderHanded {
            namespace,
            shard,
            from,
            to,
        } => info!(
            component = "load-balancer",
            namespace = &**namespace,
            shard = shard.0,
            from = &*from.0,
            to = &*to.0,
            "Elects another leader, since this one leads more shards than others"
        ),
        Report::ShardBlocked {
            namespace,
            shard,
            reason,
        } => error!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            error = reason.as_str(),
            "A shard can't go on by itself"
        ),
        Report::ShardInSync {
            namespace,
            shard,
            in_sync,
            replicas,
        } => debug!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            in_sync,
            replicas,
            "Replicas in sync"
        ),
        Report::ShardsShort { shards } => {
            let names = shards.iter().map(|(namespace, shard, in_sync, replicas)| {
                format!("{namespace}/{shard} ({in_sync} of {replicas})")
            });
            warn!(
                component = "coordinator",
                shards = shards.len(),
                names = listed(names),
                "Shards have had too few replicas in sync for long"
            );
        }
        Report::ShardsWhole { shards } => {
            let names = shards
                .iter()
                .map(|(namespace, shard)| format!("{namespace}/{shard}"));
            info!(
                component = "coordinator",
                shards = shards.len(),
                names = listed(names),
                "All replicas of the shards are in sync again"
            );
        }
        Report::ShardVerified { namespace, shard } => debug!(
            component = "shard-controller",
            namespace = &**namespace,
            shard = shard.0,
            "A shard is led as it should be"
        ),
        Report::StoreConcluded {
            outcome: StoreResult::Stored,
            changes,
            took,
            ..
        } => debug!(
            component = "coordinator-metadata",
            changes,
            took_ms = millis(*took),
            "Stored the status"
        ),
        Report::StoreConcluded {
            outcome,
            changes,
            took,
            reason,
        } => warn!(
            component = "coordinator-metadata",
            outcome = store_result(*outcome),
            changes,
            took_ms = millis(*took),
            error = reason.as_str(),
            "The status was not stored"
        ),
        Report::StatusAdopted { reason } => {
            warn!(
                component = "coordinator-metadata",
                reason, "Adopted a foreign status"
            );
        }
        Report::StatusUnreadable { reason } => error!(
            component = "coordinator-metadata",
            error = reason.as_str(),
            "The status can't be loaded"
        ),
    }
}

/// A role that was lost is a warning, unless the process was asked to end.
fn role_changed(report: &Report) {
    let Report::RoleChanged {
        tenure,
        from,
        to,
        cause: lost_by,
        reason,
        took,
        epoch,
    } = report
    else {
        return;
    };
    let epoch = epoch.map(|epoch| epoch.0);
    let took_ms = took.map(millis);
    let cause = lost_by.map(names::cause);
    macro_rules! log {
        ($level:ident, $message:literal) => {
            $level!(
                component = "coordinator",
                tenure = tenure.0,
                epoch,
                from = role(*from),
                to = role(*to),
                cause,
                reason,
                took_ms,
                $message
            )
        };
    }
    match (to, lost_by) {
        (Role::SteppingDown, Some(Cause::Shutdown)) | (Role::Candidate | Role::Leader, _) => {
            log!(info, "Changed role");
        }
        (Role::SteppingDown, _) => log!(warn, "Changed role"),
    }
}

/// A server that is lost is a warning.
fn server_changed(server: &ServerId, state: ServerState, reason: &str) {
    macro_rules! log {
        ($level:ident, $state:literal) => {
            $level!(
                component = "data-server-controller",
                data_server = &*server.0,
                state = $state,
                reason,
                "A data server's state changed"
            )
        };
    }
    match state {
        ServerState::Draining => log!(info, "draining"),
        ServerState::Running => log!(info, "running"),
        ServerState::Unavailable => log!(warn, "unavailable"),
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The first of them, and how many more there are: a line is for people to read.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let listed: Vec<_> = names.take(LISTED).collect();
    let listed = listed.join(", ");
    if more == 0 {
        return listed;
    }
    format!("{listed} and {more} more")
}

#[cfg(test)]
mod tests;
