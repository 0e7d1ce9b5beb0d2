//! The picture on a terminal.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use stepdown_core::Role;

use super::line::{Paint, counted, cut};
use super::seen::{Counts, Seen, SeenCoordinator, SeenServer, SeenShard};
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
    lines.extend(
        picture
            .seen
            .coordinators
            .iter()
            .map(|it| coordinator(it, paint)),
    );
    lines.push(String::new());
    lines.extend(picture.seen.servers.iter().map(|it| server(it, paint)));
    lines.push(String::new());
    lines.extend(shards(&picture.seen.shards));
    lines.push(String::new());
    let foot = match (picture.waiting, picture.keys) {
        (Some(waiting), _) => format!("waiting for {waiting}; q quits"),
        (None, true) => {
            "c  conflict   l  kill the leader   d  kill a data server   q  quit".to_owned()
        }
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
        String::new(),
    ]
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
        (Some(_), Some(true)) => paint.green("up           "),
        (Some(_), Some(false)) => paint.red("unavailable  "),
        (Some(_), None) => "unknown      ".to_owned(),
    };
    let mut line = format!("{:<14}{state}  leads {:<4} shards", it.name, it.leads);
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
                let leader = it.leader.as_ref().map_or("no leader", |(leader, _)| leader);
                format!("shard {name:<14} {leader:<12} term {}", it.term)
            })
            .collect();
    }
    let mut terms: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for shard in shards {
        let leader = shard
            .leader
            .as_ref()
            .map_or("no leader", |(leader, _)| leader);
        *terms.entry((leader, shard.term)).or_default() += 1;
    }
    let lines = terms
        .iter()
        .map(|((leader, term), many)| format!("{many:>5} shards of {leader:<12} term {term}"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stepdown_core::ShardId;

    use super::*;

    fn seen(shards: i64) -> Seen {
        let shard = |id| SeenShard {
            namespace: "default".into(),
            id: ShardId(id),
            term: 2,
            leader: Some(("server-1".into(), "127.0.0.1:1".into())),
        };
        Seen {
            coordinators: Vec::new(),
            servers: vec![SeenServer {
                name: "server-1".to_owned(),
                pid: Some(7),
                up: Some(true),
                known: Some(true),
                leads: 4,
            }],
            shards: Arc::new((0..shards).map(shard).collect()),
        }
    }

    fn picture(seen: &Seen, size: (u16, u16), colour: bool) -> String {
        let events = (0..100).map(|it| format!("event {it}")).collect();
        let picture = Picture {
            ran: Duration::from_secs(3),
            seen,
            counts: Counts::default(),
            elections: Elections::default(),
            acknowledged: 5,
            keys: true,
            waiting: None,
        };
        draw(&picture, &events, size, colour)
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
        assert!(text.contains("kill the leader"));
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
