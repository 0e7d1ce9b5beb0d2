//! What is missing until a change has had its effect, by what is planned.

use stepdown_wire::operator::{Plan, Waiting};

/// What is missing until a new data server has its share.
pub(super) fn until_balanced(plan: &Plan, name: &str) -> Option<String> {
    let server = plan.servers.iter().find(|it| it.server == name);
    if !server.is_some_and(|it| it.configured) {
        return Some(format!("{name} is not in the configuration in force yet"));
    }
    if !server.is_some_and(|it| it.running) {
        return Some(format!("{name} does not run yet"));
    }
    let (moving, next) = (plan.under_way.len(), plan.moves.len());
    let (electing, then) = (plan.handed.len(), plan.handings.len());
    let is_paused = plan.balancer.is_some_and(|it| it.paused);
    let resting: u32 = plan.resting.iter().map(|it| it.shards).sum();
    let namespaces = plan.namespaces.iter();
    let leaderless: u32 = namespaces.map(|it| it.shards.saturating_sub(it.led)).sum();
    if moving + next + electing + then == 0 && resting + leaderless == 0 {
        return None;
    }
    let paused = if is_paused {
        "; the balancer is paused"
    } else {
        ""
    };
    Some(format!(
        "{moving} shards are being moved, {next} are to be; leaders: {electing} and {then}; {leaderless} have no \
         leader; {resting} could not be moved, and are tried again{paused}"
    ))
}

/// What is missing until a data server that was taken out can be stopped.
pub(super) fn until_drained(plan: &Plan, name: &str) -> Option<String> {
    let server = plan.servers.iter().find(|it| it.server == name)?;
    if server.configured {
        return Some(format!("{name} is in the configuration in force still"));
    }
    let moving = plan.under_way.iter().filter(|it| it.from == name).count();
    let (left, to_delete) = (server.shards, server.to_delete);
    if left == 0 && to_delete == 0 {
        return None;
    }
    let stuck: Vec<_> = plan.stuck.iter().filter(|it| it.server == name).collect();
    let stuck = match stuck.first() {
        Some(first) if left > 0 => format!(
            "; {} stuck, such as {}/{}: {}",
            stuck.len(),
            first.namespace,
            first.shard,
            first.reason
        ),
        Some(_) | None => String::new(),
    };
    let waiting = plan.waiting.iter().filter(|it| it.server == name);
    let waiting = waiting.filter(|_| to_delete > 0).map(|it| {
        format!(
            "; {} of those can't be deleted, such as {}/{}: {}",
            it.shards, it.namespace, it.first, it.reason
        )
    });
    let waiting: String = waiting.collect();
    Some(format!(
        "{name} is a member of {left} shards, of which {moving} are being moved, and has {to_delete} to \
         delete{stuck}{waiting}"
    ))
}

/// What is missing until a new namespace can be used.
pub(super) fn until_led(plan: &Plan, name: &str) -> Option<String> {
    let found = plan.namespaces.iter().find(|it| it.namespace == name);
    match found.filter(|it| it.shards > 0) {
        Some(it) if it.led == it.shards => None,
        Some(it) => Some(format!(
            "{} of {} shards of {name} are led",
            it.led, it.shards
        )),
        None => {
            let refused = plan.refused.iter().find(|it| it.namespace == name);
            Some(match refused {
                Some(refused) => format!("{name} can't be made: {}", refused.reason),
                None => format!("{name} is not made yet"),
            })
        }
    }
}

/// What is missing until nothing of a namespace is left.
pub(super) fn until_gone(plan: &Plan, name: &str) -> Option<String> {
    let found = plan.namespaces.iter().find(|it| it.namespace == name)?;
    let (kept, deleting) = (found.shards, found.deleting);
    let keeps = |it: &Waiting| format!("; {} keeps what it has: {}", it.server, it.reason);
    let waiting = plan.waiting.iter().filter(|it| it.namespace == name);
    let waiting: String = waiting.map(keeps).collect();
    Some(format!(
        "{deleting} shards of {name} are being deleted, {kept} are to be{waiting}"
    ))
}

#[cfg(test)]
mod tests {
    use stepdown_wire::operator::{NamespaceProgress, NamespaceRefused, ServerShards, Stuck};

    use super::*;

    fn server(name: &str, configured: bool, shards: u32, to_delete: u32) -> ServerShards {
        ServerShards {
            server: name.to_owned(),
            configured,
            running: true,
            shards,
            to_delete,
            ..ServerShards::default()
        }
    }

    fn namespace(name: &str, shards: u32, led: u32) -> NamespaceProgress {
        NamespaceProgress {
            namespace: name.to_owned(),
            shards,
            led,
            deleting: 0,
        }
    }

    fn waiting(server: &str, namespace: &str, reason: &str) -> Waiting {
        Waiting {
            server: server.to_owned(),
            reason: reason.to_owned(),
            shards: 2,
            namespace: namespace.to_owned(),
            first: 7,
        }
    }

    fn stuck(server: &str, shard: i64, reason: &str) -> Stuck {
        Stuck {
            namespace: "a".to_owned(),
            shard,
            reason: reason.to_owned(),
            server: server.to_owned(),
        }
    }

    #[test]
    fn a_new_server_has_its_share_only_once_every_shard_is_led() {
        let mut plan = Plan {
            servers: vec![server("new", true, 3, 0)],
            namespaces: vec![namespace("a", 4, 4), namespace("b", 4, 2)],
            ..Plan::default()
        };
        let told = until_balanced(&plan, "new").unwrap();
        assert!(told.contains("; 2 have no leader;"), "{told}");
        plan.namespaces = vec![namespace("a", 4, 4), namespace("b", 4, 4)];
        assert_eq!(until_balanced(&plan, "new"), None);
    }

    #[test]
    fn a_server_that_is_drained_is_told_of_with_what_it_waits_for_and_no_other() {
        let plan = Plan {
            servers: vec![server("s1", false, 1, 0), server("s2", false, 1, 4)],
            stuck: vec![stuck("s1", 1, "nobody is free"), stuck("s2", 2, "too few")],
            waiting: vec![
                waiting("s1", "a", "it is away"),
                waiting("s2", "a", "it is slow"),
                waiting("s2", "b", "another leads"),
            ],
            ..Plan::default()
        };
        assert_eq!(
            until_drained(&plan, "s2").unwrap(),
            "s2 is a member of 1 shards, of which 0 are being moved, and has 4 to delete; 1 stuck, such as a/2: \
             too few; 2 of those can't be deleted, such as a/7: it is slow; 2 of those can't be deleted, such as \
             b/7: another leads"
        );
        let told = until_drained(&plan, "s1").unwrap();
        assert!(
            told.ends_with("; 1 stuck, such as a/1: nobody is free"),
            "{told}"
        );
    }

    #[test]
    fn a_namespace_that_cannot_be_made_says_why_until_it_is() {
        let mut plan = Plan {
            refused: vec![NamespaceRefused {
                namespace: "new".to_owned(),
                reason: "too few servers run".to_owned(),
            }],
            ..Plan::default()
        };
        let told = Some("new can't be made: too few servers run".to_owned());
        assert_eq!(until_led(&plan, "new"), told);
        plan.namespaces = vec![namespace("new", 0, 0)];
        assert_eq!(until_led(&plan, "new"), told);
        assert_eq!(until_led(&plan, "other").unwrap(), "other is not made yet");
        plan.namespaces = vec![namespace("new", 2, 1)];
        let told = until_led(&plan, "new").unwrap();
        assert_eq!(told, "1 of 2 shards of new are led");
        plan.namespaces = vec![namespace("new", 2, 2)];
        assert_eq!(until_led(&plan, "new"), None);
    }

    #[test]
    fn everybody_who_keeps_something_of_a_namespace_is_named() {
        let plan = Plan {
            namespaces: vec![namespace("a", 0, 0)],
            waiting: vec![
                waiting("s1", "a", "it is away"),
                waiting("s1", "b", "it is slow"),
                waiting("s2", "a", "it is slow"),
            ],
            ..Plan::default()
        };
        let told = until_gone(&plan, "a").unwrap();
        assert!(
            told.ends_with("; s1 keeps what it has: it is away; s2 keeps what it has: it is slow"),
            "{told}"
        );
    }
}
