//! What is new from one look to the next, in words.

use std::collections::BTreeMap;

use stepdown_core::Role;

use super::seen::{Counts, Seen, SeenCoordinator};

/// So many shards are named; of more, only the number is told.
const NAMED: usize = 6;

/// What is new.
pub(super) fn news(old: &Seen, new: &Seen) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, coordinator) in new.coordinators.iter().enumerate() {
        coordinator_news(old.coordinators.get(index), coordinator, &mut lines);
    }
    for server in &new.servers {
        let mut before = old.servers.iter();
        let before = before.find(|it| it.name == server.name);
        let before = before.and_then(|it| it.known);
        match (before, server.known) {
            (Some(true), Some(false)) => lines.push(format!("{} is unavailable", server.name)),
            (None | Some(false), Some(true)) => lines.push(format!("{} is available", server.name)),
            (Some(true) | None, Some(true) | None)
            | (Some(false), Some(false) | None)
            | (None, Some(false)) => {}
        }
    }
    shard_news(old, new, &mut lines);
    lines
}

fn coordinator_news(old: Option<&SeenCoordinator>, new: &SeenCoordinator, lines: &mut Vec<String>) {
    let name = &new.name;
    let Some(answer) = &new.answer else {
        return;
    };
    let old = old
        .filter(|old| old.pid == new.pid)
        .and_then(|old| old.known.as_ref());
    let before = old.map_or(Counts::default(), |old| old.counts);
    let now = answer.counts;
    if old.is_none() && answer.role == Role::Candidate {
        lines.push(format!("{name} is a candidate"));
    }
    if now.conflicts > before.conflicts {
        lines.push(format!(
            "{name} met a conflict and stepped down; it is a candidate again"
        ));
    } else if now.step_downs > before.step_downs {
        lines.push(format!("{name} stepped down"));
    }
    if now.offices > before.offices {
        lines.push(format!(
            "{name} leads in epoch {}, tenure {}",
            answer.epoch, answer.tenure
        ));
    }
}

fn shard_news(old: &Seen, new: &Seen, lines: &mut Vec<String>) {
    let before: BTreeMap<_, _> = old.shards.iter().map(|it| (it.id, it)).collect();
    let mut elected = Vec::new();
    let mut fenced = Vec::new();
    for shard in new.shards.iter().filter(|it| !it.deleting) {
        let old = before.get(&shard.id);
        let name = format!("{}/{}", shard.namespace, shard.id);
        let newer = old.is_none_or(|old| old.term < shard.term);
        match &shard.leader {
            Some((leader, _)) if newer || old.is_some_and(|old| old.leader.is_none()) => {
                elected.push(format!("{name} led by {leader} in term {}", shard.term));
            }
            None if newer => fenced.push(format!("{name} in term {}", shard.term)),
            Some(_) | None => {}
        }
    }
    tell("in election", &fenced, lines);
    tell("elected", &elected, lines);
}

fn tell(what: &str, shards: &[String], lines: &mut Vec<String>) {
    match shards.len() {
        0 => {}
        1..=NAMED => lines.push(format!("{what}: {}", shards.join(", "))),
        many => lines.push(format!("{what}: {many} shards")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::seen::{Answer, SeenServer};
    use crate::show::shards::Part;

    fn coordinator(role: Role, counts: Counts) -> SeenCoordinator {
        let answer = Answer {
            role,
            epoch: 4,
            tenure: 2,
            counts,
            servers: [].into(),
        };
        SeenCoordinator {
            name: "coordinator-1".to_owned(),
            pid: Some(7),
            paused: false,
            answer: Some(answer.clone()),
            known: Some(answer),
        }
    }

    fn seen(coordinator: SeenCoordinator, up: Option<bool>) -> Seen {
        Seen {
            coordinators: vec![coordinator],
            servers: vec![SeenServer {
                name: "server-1".to_owned(),
                pid: Some(8),
                up,
                known: up,
                draining: false,
                part: Part::default(),
            }],
            ..Seen::default()
        }
    }

    #[test]
    fn what_happened_between_two_looks_is_told_by_what_was_counted() {
        let before = coordinator(Role::Leader, Counts::default());
        let after = coordinator(
            Role::Leader,
            Counts {
                conflicts: 1,
                step_downs: 1,
                offices: 1,
            },
        );
        assert_eq!(
            news(&seen(before, Some(true)), &seen(after, Some(false))),
            [
                "coordinator-1 met a conflict and stepped down; it is a candidate again",
                "coordinator-1 leads in epoch 4, tenure 2",
                "server-1 is unavailable",
            ]
        );
    }

    #[test]
    fn a_coordinator_that_answers_again_has_no_old_news() {
        let mut paused = coordinator(Role::Leader, Counts::default());
        paused.answer = None;
        let again = coordinator(Role::Leader, Counts::default());
        assert!(news(&seen(paused, None), &seen(again, None)).is_empty());
    }

    #[test]
    fn a_server_is_compared_with_itself_though_one_before_it_has_gone() {
        let mut before = seen(coordinator(Role::Leader, Counts::default()), Some(false));
        let mut after = before.clone();
        let mut second = before.servers[0].clone();
        second.name = "server-2".to_owned();
        second.known = Some(true);
        before.servers.push(second.clone());
        after.servers = vec![second];
        assert!(news(&before, &after).is_empty());
    }
}
