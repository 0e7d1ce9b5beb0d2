//! How much longer the texts in a status get as JSON, which writes some of their bytes as two or six.

use std::sync::Arc;

use stepdown_core::cluster::{ClusterStatus, DataServerIdentity, ShardMetadata};

use super::room::written;

/// What an estimate of a status takes for short, in bytes.
pub(super) fn left_out(status: &ClusterStatus) -> u64 {
    let namespaces = status.namespaces.values();
    let splits = namespaces
        .flat_map(|it| it.shards.values())
        .filter_map(|shard| shard.split.as_ref());
    length(&status.instance_id) + splits.map(written).sum::<u64>()
}

/// So many bytes more than without such texts.
pub(super) fn in_status(status: &ClusterStatus) -> u64 {
    let namespaces = status.namespaces.iter();
    let namespaces = namespaces.map(|(name, namespace)| {
        in_text(name) + namespace.shards.values().map(in_shard).sum::<u64>()
    });
    in_text(&status.instance_id) + namespaces.sum::<u64>()
}

fn in_shard(shard: &Arc<ShardMetadata>) -> u64 {
    let servers = shard
        .leader
        .iter()
        .chain(&shard.ensemble)
        .chain(&shard.removed_nodes)
        .chain(&shard.pending_delete_shard_nodes);
    let last_leader = shard.last_leader.as_ref();
    let last_leader = last_leader.and_then(|it| it.server.as_ref());
    servers.map(in_server).sum::<u64>() + last_leader.map_or(0, |it| in_text(&it.0))
}

fn in_server(server: &DataServerIdentity) -> u64 {
    let name = server.name.as_deref().unwrap_or_default();
    in_text(name) + in_text(&server.public) + in_text(&server.internal)
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn in_text(text: &str) -> u64 {
    let more = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.bytes().map(more).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stepdown_core::ServerId;

    use super::super::fixtures::any_status;
    use super::*;

    /// The same in a status whose texts are all this one.
    fn saying(status: &ClusterStatus, text: &str) -> ClusterStatus {
        let text: Arc<str> = text.into();
        let mut status = status.clone();
        status.instance_id = text.clone();
        for namespace in status.namespaces.values_mut() {
            for shard in namespace.shards.values_mut() {
                let shard = Arc::make_mut(shard);
                let servers = shard
                    .leader
                    .iter_mut()
                    .chain(&mut shard.ensemble)
                    .chain(&mut shard.removed_nodes)
                    .chain(&mut shard.pending_delete_shard_nodes);
                for server in servers {
                    server.name = server.name.as_ref().map(|_| text.clone());
                    server.public = text.clone();
                    server.internal = text.clone();
                }
                if let Some(last) = &mut shard.last_leader {
                    last.server = Some(ServerId(text.clone()));
                }
                let split = shard.split.iter_mut();
                for leader in split.flat_map(|it| it.child_leaders_at_bootstrap.values_mut()) {
                    *leader = text.clone();
                }
            }
        }
        if let Some((_, namespace)) = status.namespaces.pop_first() {
            status.namespaces.insert(text, namespace);
        }
        status
    }

    proptest! {
        #[test]
        fn no_status_is_longer_in_the_log_than_its_estimate_and_this(
            status in any_status(), text in "[\u{0}-\u{ff}]{0,200}"
        ) {
            let status = saying(&status, &text);
            let most = status.estimated_bytes() + left_out(&status) + in_status(&status);
            prop_assert!(written(&status) <= most, "{} > {most}", written(&status));
        }
    }
}
