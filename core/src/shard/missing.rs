//! The servers that a majority misses, and why, in no more words than anybody reads.

use crate::id::ServerId;

/// So many are named.
const SERVERS: usize = 8;
/// So many characters are said of each, its name and its reason.
const CHARACTERS: usize = 200;

/// Each with its reason; how many more there are, where they are too many.
pub(super) fn named<'a>(missing: impl Iterator<Item = (&'a ServerId, &'a str)>) -> String {
    let mut missing = missing.map(|(id, why)| format!("{id}: {why}"));
    let mut named: Vec<_> = missing.by_ref().take(SERVERS).map(brief).collect();
    match missing.count() {
        0 => {}
        more => named.push(format!("and {more} more")),
    }
    named.join("; ")
}

fn brief(text: String) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_said_of_servers_that_are_missing_than_anybody_reads() {
        let ids: Vec<_> = (10..30)
            .map(|it| ServerId(format!("s{it}").into()))
            .collect();
        let why = "é".repeat(10_000);
        let said = named(ids.iter().map(|id| (id, why.as_str())));
        assert!(said.starts_with("s10: éé"), "{said}");
        assert!(said.ends_with("é…; and 12 more"), "{said}");
        assert!(said.chars().count() < (SERVERS + 1) * (CHARACTERS + 3));
        let two = ids.iter().take(2).map(|id| (id, "it is away"));
        assert_eq!(named(two), "s10: it is away; s11: it is away");
    }
}
