//! What was begun and takes its time, and what is still to come of it.

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::seen::Seen;
use crate::cluster::DataServerProcess;
use crate::workload::Entries;

/// What was begun.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is not moved about"
)]
pub(super) enum Undertaking {
    /// A data server is to be listed, and to get its share of the shards, where these are moved.
    Add { server: String, shares: bool },
    /// A data server is to be emptied.
    Drain { server: String },
    /// A data server that is empty is to end until then.
    End {
        server: DataServerProcess,
        deadline: Instant,
    },
    /// A namespace of so many shards is to be made.
    Make { namespace: String, shards: usize },
    /// What a namespace has acknowledged is read back before it is deleted.
    ReadBack {
        namespace: String,
        reading: JoinHandle<Entries>,
    },
    /// A namespace is to be deleted.
    Delete { namespace: String },
}

impl Undertaking {
    /// What is still to come, by what is seen; `None` where it has come about.
    pub(super) fn missing(&self, seen: &Seen) -> Option<String> {
        match self {
            Self::Add { server, shares } => shares.then(|| uneven(server, seen)).flatten(),
            Self::Drain { server } => not_empty(server, seen),
            Self::End { server, .. } => Some(format!("{} to end", server.process().name())),
            Self::Make { namespace, shards } => {
                let made = seen.shards.iter().filter(|it| *it.namespace == **namespace);
                let led = made.filter(|it| it.leader.is_some()).count();
                let led = (led < *shards).then_some(led);
                led.map(|led| format!("{namespace} to be led: {led} of its {shards} shards are"))
            }
            Self::ReadBack { namespace, .. } => {
                Some(format!("{namespace} to be read back before it is deleted"))
            }
            Self::Delete { namespace } => {
                let left = seen.shards.iter().filter(|it| *it.namespace == **namespace);
                let left = left.count();
                (left > 0).then(|| format!("{namespace} to be deleted: it has {left} shards still"))
            }
        }
    }
}

/// No two servers may differ by two or more shards.
fn uneven(server: &str, seen: &Seen) -> Option<String> {
    let listed = || seen.servers.iter().filter(|it| !it.draining);
    let Some(new) = listed().find(|it| it.name == server) else {
        return Some(format!("{server} to be seen"));
    };
    let least = listed().map(|it| it.part.member).min().unwrap_or_default();
    let most = listed().map(|it| it.part.member).max().unwrap_or_default();
    let has = new.part.member;
    (most - least >= 2)
        .then(|| format!("{server} to get its share: it has {has} shards, most {most}"))
}

/// The leader knows a server that was taken out of the configuration until it is empty, so that this one is no
/// older than the configuration.
fn not_empty(server: &str, seen: &Seen) -> Option<String> {
    let it = seen.servers.iter().find(|it| it.name == server)?;
    match it.part.holds() {
        0 if seen.leader().is_some() && it.up.is_none() => None,
        0 => Some(format!("the leader to know {server} no more")),
        left => Some(format!(
            "{server} to be drained: {left} shards are on it still"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepdown_core::{Role, ShardId};

    use super::*;
    use crate::show::seen::{Answer, Counts, SeenCoordinator, SeenServer};
    use crate::show::shards::{Part, SeenShard};

    fn server(name: &str, member: usize, leaves: usize) -> SeenServer {
        SeenServer {
            name: name.to_owned(),
            pid: Some(7),
            up: Some(true),
            known: Some(true),
            draining: false,
            part: Part {
                leads: 0,
                member,
                leaves,
            },
        }
    }

    fn leader() -> SeenCoordinator {
        let answer = Answer {
            role: Role::Leader,
            epoch: 1,
            tenure: 1,
            counts: Counts::default(),
            servers: [].into(),
        };
        SeenCoordinator {
            name: "coordinator-1".to_owned(),
            pid: Some(8),
            paused: false,
            answer: Some(answer),
            known: None,
        }
    }

    fn shard(id: i64, namespace: &str, is_led: bool) -> SeenShard {
        SeenShard {
            namespace: namespace.into(),
            id: ShardId(id),
            term: 1,
            leader: is_led.then(|| ("server-1".into(), "127.0.0.1:1".into())),
            deleting: false,
        }
    }

    #[test]
    fn a_new_server_has_its_share_once_no_two_that_stay_differ_by_two() {
        let mut seen = Seen {
            servers: vec![server("a", 4, 0), server("b", 3, 0)],
            ..Seen::default()
        };
        let add = |shares| Undertaking::Add {
            server: "new".to_owned(),
            shares,
        };
        assert!(add(true).missing(&seen).is_some());
        seen.servers.push(server("new", 2, 0));
        assert_eq!(
            add(true).missing(&seen).unwrap(),
            "new to get its share: it has 2 shards, most 4"
        );
        assert_eq!(add(false).missing(&seen), None);
        seen.servers[2].part.member = 3;
        assert_eq!(add(true).missing(&seen), None);
        let mut drained = server("drained", 0, 1);
        drained.draining = true;
        seen.servers.push(drained);
        assert_eq!(add(true).missing(&seen), None);
    }

    #[test]
    fn a_server_is_drained_once_nothing_is_on_it_and_whoever_leads_says_that_it_is_not_configured()
    {
        let mut seen = Seen {
            coordinators: vec![leader()],
            servers: vec![server("a", 1, 1)],
            ..Seen::default()
        };
        let drain = Undertaking::Drain {
            server: "a".to_owned(),
        };
        assert_eq!(
            drain.missing(&seen).unwrap(),
            "a to be drained: 2 shards are on it still"
        );
        seen.servers[0].part = Part::default();
        assert_eq!(
            drain.missing(&seen).unwrap(),
            "the leader to know a no more"
        );
        seen.servers[0].up = None;
        assert_eq!(drain.missing(&seen), None);
        seen.coordinators.clear();
        assert!(drain.missing(&seen).is_some());
    }

    #[test]
    fn a_namespace_is_there_once_it_is_led_and_gone_once_no_shard_is_left() {
        let (make, delete) = (
            Undertaking::Make {
                namespace: "more".to_owned(),
                shards: 2,
            },
            Undertaking::Delete {
                namespace: "more".to_owned(),
            },
        );
        for (shards, made, gone) in [
            (vec![shard(0, "one", true)], false, true),
            (
                vec![shard(1, "more", true), shard(2, "more", false)],
                false,
                false,
            ),
            (
                vec![shard(1, "more", true), shard(2, "more", true)],
                true,
                false,
            ),
        ] {
            let seen = Seen {
                shards: Arc::new(shards),
                ..Seen::default()
            };
            assert_eq!(make.missing(&seen).is_none(), made);
            assert_eq!(delete.missing(&seen).is_none(), gone);
        }
    }
}
