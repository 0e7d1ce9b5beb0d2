//! The status for people.

use std::fmt::Write;

use stepdown_wire::raft::StatusResponse;

use super::gather::{Seen, View};

const HEAD: [&str; 10] = [
    "MEMBER", "ADDRESS", "NODE", "ROLE", "MATCHED", "LAG", "APPLIED", "SNAPSHOT", "FILE", "LOG",
];

pub(super) fn view(view: &View) -> String {
    let mut text = head(view);
    if !view.members.is_empty() {
        text.push('\n');
        text.push_str(&rows(view));
    }
    let remarks: Vec<_> = view.members.iter().filter_map(remark).collect();
    if !remarks.is_empty() {
        text.push('\n');
    }
    for remark in remarks {
        text.push_str(&remark);
    }
    text
}

fn head(view: &View) -> String {
    let best = &view.best;
    if view.members.is_empty() {
        return format!(
            "{} at {} belongs to no cluster yet: it waits for those that form one with it, or to \
             be added: stepdown raft add {}\n",
            best.name, best.address, best.address
        );
    }
    let cluster = match best.cluster.as_str() {
        "" => "not named yet",
        id => id,
    };
    let mut text = format!("cluster        {cluster}\n");
    // Writing to a string can't fail.
    let _ = writeln!(text, "leader         {}", leader(view));
    let _ = writeln!(text, "status         {}", status(best));
    let _ = writeln!(text, "configuration  {}", configuration(best));
    if best.changing {
        text.push_str("members        a change was begun and is not finished: ask for it again\n");
    }
    text
}

fn leader(view: &View) -> String {
    let term = view.best.term;
    let Some(seen) = view.leader() else {
        return format!("none is known to {}, in term {term}", view.best.address);
    };
    let member = format!("{} at {}", seen.member.name, seen.member.address);
    let Ok(status) = &seen.status else {
        return format!("{member}, in term {term}, but it does not answer");
    };
    let serves = match status.serves {
        true => "",
        false => "; its coordinator does not lead",
    };
    let asked = match view.quorum_millis() {
        Some(millis) => format!("; a majority answers it within {millis} ms"),
        None => "; no majority answers it".to_owned(),
    };
    format!("{member}, in term {term}{serves}{asked}")
}

fn status(best: &StatusResponse) -> String {
    match &best.status {
        None => "none".to_owned(),
        Some(it) => format!(
            "version {}, epoch {}, shards {}, {}",
            it.version,
            it.epoch,
            it.shards,
            size(it.bytes)
        ),
    }
}

fn configuration(best: &StatusResponse) -> String {
    let version = best.configuration.unwrap_or_default();
    match version.bytes {
        Some(bytes) => format!("version {}, {}", version.version, size(bytes)),
        None => "none".to_owned(),
    }
}

fn rows(view: &View) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(view.members.iter().map(|seen| row(view, seen)));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(view: &View, seen: &Seen) -> [String; 10] {
    let member = &seen.member;
    let status = seen.status.as_ref().ok();
    let number = |of: Option<u64>| of.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let role = match (Some(member.node) == view.best.leader, member.votes) {
        (true, _) => "leader",
        (false, true) => "voter",
        (false, false) => "learner",
    };
    [
        member.name.clone(),
        member.address.clone(),
        member.node.to_string(),
        role.to_owned(),
        number(member.matched),
        number(view.lag(seen)),
        number(status.and_then(|it| it.applied)),
        number(status.and_then(|it| it.snapshot)),
        status
            .and_then(|it| it.file_bytes)
            .map_or_else(|| "-".to_owned(), size),
        status.map_or_else(|| "-".to_owned(), |it| size(it.log_bytes)),
    ]
}

fn remark(seen: &Seen) -> Option<String> {
    let name = &seen.member.name;
    let status = match &seen.status {
        Err(error) => return Some(format!("{name} does not answer: {error}\n")),
        Ok(status) => status,
    };
    if !status.failure.is_empty() {
        return Some(format!("{name} has stopped: {}\n", status.failure));
    }
    let refused = status.refused.iter().filter(|(_, count)| **count > 0);
    let refused: Vec<_> = refused
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if refused.is_empty() {
        return None;
    }
    let refused = refused.join(", ");
    Some(format!(
        "{name} has refused messages of strangers: {refused}; its log says whose\n"
    ))
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = "B";
    let mut tenths = bytes.saturating_mul(10);
    for next in UNITS {
        if tenths < 10_240 {
            break;
        }
        unit = next;
        tenths /= 1024;
    }
    match (unit, tenths) {
        ("B", _) => format!("{bytes} B"),
        (unit, tenths) => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_600_000, "1.5 MiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
