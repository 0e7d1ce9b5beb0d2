//! The picture on a terminal.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use stepdown_core::Role;

use super::keys::{foot, help};
use super::line::{Paint, counted, cut};
use super::seen::{Counts, Seen, SeenCoordinator, SeenServer};
use super::shards::SeenShard;
use super::summary::Elections;

/// So many shards have a line each; more are put together.
const ONE_BY_ONE: usize = 12;

/// What is shown.
pub(super) struct Picture<'a> {
    pub(super) ran: Duration,
    pub(super) seen: &'a Seen,
    pub(super) counts: Counts,
    pub(super) elections: Elections,
    pub(super) acknowledged: u64,
    pub(super) keys: bool,
    /// Whether it is said what the keys do, in place of what is seen.
    pub(super) help: bool,
    /// What is still to come of what a key asked for.
    pub(super) under_way: Option<&'a str>,
    /// What is waited for.
    pub(super) waiting: Option<&'a str>,
}

/// The whole picture, as a terminal takes it.
pub(super) fn draw(
    picture: &Picture<'_>,
    events: &VecDeque<String>,
    (width, height): (u16, u16),
    colour: bool,
) -> String {
    let paint = Paint(colour);
    let mut lines = head(picture, paint);
    if picture.help {
        lines.extend(help());
    } else {
        lines.extend(body(picture.seen, paint));
    }
    lines.push(String::new());
    let foot = match (picture.waiting, picture.keys) {
        (Some(waiting), _) => format!("waiting for {waiting}; q quits"),
        (None, true) => foot(usize::from(width)).to_owned(),
        (None, false) => "q  quit".to_owned(),
    };
    fit(&mut lines, events, usize::from(height).saturating_sub(2));
    lines.push(String::new());
    lines.push(paint.bold(&foot));
    let mut text = "\x1b[H".to_owned();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            text.push_str("\r\n");
        }
        text.push_str(&cut(line, usize::from(width)));
        text.push_str("\x1b[K");
    }
    text.push_str("\x1b[J");
    text
}

/// Adds the newest events as far as `room` lines have room for them. Where it has none for the rest, the last
/// lines say how much is not seen, and what happened last.
fn fit(lines: &mut Vec<String>, events: &VecDeque<String>, room: usize) {
    if lines.len() + usize::from(!events.is_empty()) > room {
        let seen = room.saturating_sub(2);
        let hidden = lines.iter().skip(seen).filter(|it| !it.is_empty()).count();
        lines.truncate(seen);
        lines.push(format!("… {hidden} more lines"));
        lines.extend(events.back().cloned());
        lines.truncate(room);
        return;
    }
    let newest = events.len().saturating_sub(room - lines.len());
    lines.extend(events.iter().skip(newest).cloned());
}

fn head(picture: &Picture<'_>, paint: Paint) -> Vec<String> {
    let Counts {
        conflicts,
        step_downs,
        offices,
    } = picture.counts;
    let Elections { first, later } = picture.elections;
    vec![
        paint.bold(&format!(
            "Stepdown sandbox, {:.0} s",
            picture.ran.as_secs_f64()
        )),
        [
            counted(conflicts, "conflict", "conflicts"),
            counted(step_downs, "step-down", "step-downs"),
            counted(offices, "term of office", "terms of office"),
            counted(first + later, "election", "elections"),
            counted(picture.acknowledged, "entry", "entries") + " acknowledged",
        ]
        .join(", "),
        picture
            .under_way
            .map_or_else(String::new, |it| paint.yellow(&format!("under way: {it}"))),
    ]
}

/// What is seen of the cluster.
fn body(seen: &Seen, paint: Paint) -> Vec<String> {
    let coordinators = seen.coordinators.iter().map(|it| coordinator(it, paint));
    let mut lines: Vec<_> = coordinators.collect();
    lines.push(String::new());
    lines.extend(seen.servers.iter().map(|it| server(it, paint)));
    lines.push(String::new());
    lines.extend(shards(&seen.shards));
    lines
}

fn coordinator(it: &SeenCoordinator, paint: Paint) -> String {
    let mut line = format!("{:<14}", it.name);
    let state = match (&it.answer, it.pid) {
        (_, None) => paint.red("killed       "),
        (_, Some(_)) if it.paused => paint.yellow("paused       "),
        (None, Some(_)) => paint.yellow("starting     "),
        (Some(answer), Some(_)) => match answer.role {
            Role::Leader => paint.green("leader       "),
            Role::SteppingDown => paint.yellow("stepping down"),
            Role::Candidate => "candidate    ".to_owned(),
        },
    };
    line.push_str(&state);
    if let Some(answer) = &it.answer {
        let _ = write!(
            line,
            "  tenure {:<4} epoch {:<4}",
            answer.tenure, answer.epoch
        );
    }
    if let Some(pid) = it.pid {
        let _ = write!(line, "  pid {pid}");
    }
    line
}

fn server(it: &SeenServer, paint: Paint) -> String {
    let state = match (it.pid, it.known) {
        (None, _) => paint.red("killed       "),
        (Some(_), _) if it.draining => paint.yellow("draining     "),
        (Some(_), Some(true)) => paint.green("up           "),
        (Some(_), Some(false)) => paint.red("unavailable  "),
        (Some(_), None) => "unknown      ".to_owned(),
    };
    let (leads, member) = (it.part.leads, it.part.member);
    let name = &it.name;
    let mut line = format!("{name:<14}{state}  leads {leads:<4} member of {member:<4} shards");
    if let Some(pid) = it.pid {
        let _ = write!(line, "  pid {pid}");
    }
    line
}

fn shards(shards: &[SeenShard]) -> Vec<String> {
    if shards.len() <= ONE_BY_ONE {
        return shards
            .iter()
            .map(|it| {
                let name = format!("{}/{}", it.namespace, it.id);
                format!("shard {name:<14} {:<12} term {}", leader(it), it.term)
            })
            .collect();
    }
    let mut terms: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for shard in shards {
        *terms.entry((leader(shard), shard.term)).or_default() += 1;
    }
    let lines = terms
        .iter()
        .map(|((leader, term), many)| format!("{many:>5} shards of {leader:<12} term {term}"));
    lines.collect()
}

fn leader(shard: &SeenShard) -> &str {
    match &shard.leader {
        _ if shard.deleting => "deleting",
        Some((leader, _)) => leader,
        None => "no leader",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepdown_core::ShardId;

    use super::super::shards::Part;
    use super::*;

    fn seen(shards: i64) -> Seen {
        let shard = |id| SeenShard {
            namespace: "default".into(),
            id: ShardId(id),
            term: 2,
            leader: Some(("server-1".into(), "127.0.0.1:1".into())),
            deleting: false,
        };
        Seen {
            coordinators: Vec::new(),
            servers: vec![SeenServer {
                name: "server-1".to_owned(),
                pid: Some(7),
                up: Some(true),
                known: Some(true),
                draining: false,
                part: Part {
                    leads: 4,
                    member: 6,
                    leaves: 1,
                },
            }],
            shards: Arc::new((0..shards).map(shard).collect()),
        }
    }

    fn picture(seen: &Seen, size: (u16, u16), colour: bool) -> String {
        drawn(&showing(seen), size, colour)
    }

    fn drawn(picture: &Picture<'_>, size: (u16, u16), colour: bool) -> String {
        let events = (0..100).map(|it| format!("event {it}")).collect();
        draw(picture, &events, size, colour)
    }

    fn showing(seen: &Seen) -> Picture<'_> {
        Picture {
            ran: Duration::from_secs(3),
            seen,
            counts: Counts::default(),
            elections: Elections::default(),
            acknowledged: 5,
            keys: true,
            help: false,
            under_way: None,
            waiting: None,
        }
    }

    #[test]
    fn the_picture_fits_the_terminal_and_ends_with_the_newest_events_and_the_keys() {
        for (width, height) in [(80, 24), (30, 10), (200, 60), (5, 3)] {
            let text = picture(&seen(4), (width, height), false);
            let lines: Vec<_> = text.split("\r\n").collect();
            assert!(lines.len() <= usize::from(height), "{height}");
            let plain = text
                .replace("\x1b[H", "")
                .replace("\x1b[K", "")
                .replace("\x1b[J", "");
            assert!(
                plain
                    .split("\r\n")
                    .all(|it| it.chars().count() <= usize::from(width))
            );
        }
        let text = picture(&seen(4), (80, 40), false);
        assert!(
            text.contains("event 99") && !text.contains("event 0\x1b"),
            "{text}"
        );
        assert!(text.contains("l kill leader") && text.contains("q quit"));
    }

    #[test]
    fn a_server_is_shown_with_its_shards_and_whether_it_is_being_drained() {
        let mut seen = seen(1);
        let shown = picture(&seen, (80, 40), false);
        assert!(
            shown.contains("server-1      up             leads 4    member of 6    shards  pid 7"),
            "{shown}"
        );
        seen.servers[0].draining = true;
        let shown = picture(&seen, (80, 40), false);
        assert!(
            shown.contains("server-1      draining       leads 4"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_under_way_and_what_is_being_deleted_is_told() {
        let mut seen = seen(1);
        Arc::make_mut(&mut seen.shards)[0].deleting = true;
        let shown = drawn(
            &Picture {
                under_way: Some("3 shards to leave server-1"),
                ..showing(&seen)
            },
            (80, 40),
            false,
        );
        assert!(
            shown.contains("under way: 3 shards to leave server-1"),
            "{shown}"
        );
        assert!(
            shown.contains("shard default/0      deleting     term 2"),
            "{shown}"
        );
    }

    #[test]
    fn the_help_takes_the_place_of_the_cluster_and_fits_as_the_cluster_does() {
        let seen = seen(12);
        let picture = Picture {
            help: true,
            ..showing(&seen)
        };
        let shown = drawn(&picture, (80, 24), false);
        for told in [
            "c  conflict",
            "n  adds a second namespace",
            "h  shows this",
            "event 99",
        ] {
            assert!(shown.contains(told), "{told}: {shown}");
        }
        assert!(!shown.contains("shard default"), "{shown}");
        let small = drawn(&picture, (30, 10), false);
        assert!(small.split("\r\n").count() <= 10, "{small}");
        assert!(small.contains("h help  q quit"), "{small}");
    }

    #[test]
    fn a_small_terminal_says_how_much_is_not_seen_and_what_happened_last() {
        let text = picture(&seen(12), (40, 15), false);
        assert!(text.contains("shard default/4"), "{text}");
        assert!(text.contains("… 7 more lines"), "{text}");
        assert!(text.contains("event 99"), "{text}");
        assert!(!text.contains("shard default/5"), "{text}");
    }

    #[test]
    fn many_shards_are_put_together() {
        assert!(
            picture(&seen(4), (80, 40), false).contains("shard default/3      server-1     term 2")
        );
        assert!(
            picture(&seen(900), (80, 40), false).contains("  900 shards of server-1     term 2")
        );
    }

    #[test]
    fn colours_are_used_only_where_they_are_wanted() {
        assert!(picture(&seen(4), (80, 40), true).contains("\x1b[32m"));
        assert!(!picture(&seen(4), (80, 40), false).contains("\x1b[3"));
    }
}
