//! The keys, in words.

/// Each key, and what it does.
pub(super) const KEYS: [(char, &str); 8] = [
    ('c', "conflict: writes the status document as a stranger"),
    ('l', "kills the coordinator that leads"),
    ('d', "kills the data server that leads most shards"),
    ('a', "adds a data server"),
    ('r', "drains (removes) the server that leads most"),
    ('n', "adds a second namespace, or deletes it"),
    ('h', "shows this, or hides it again"),
    ('q', "ends, and reads back what was acknowledged"),
];

/// The last line, from the longest to the shortest.
const FEET: [&str; 3] = [
    "c  conflict   l  kill the leader   d  kill a data server   a  add one   r  drain one   \
     n  namespace   h  help   q  quit",
    "c conflict  l kill leader  d kill server  a add  r drain  n ns  h help  q quit",
    "h help  q quit",
];

/// What every key does, a line each.
pub(super) fn help() -> impl Iterator<Item = String> {
    KEYS.iter().map(|(key, does)| format!("{key}  {does}"))
}

/// The keys, as far as there is room for them.
pub(super) fn foot(columns: usize) -> &'static str {
    let mut feet = FEET.into_iter();
    let [.., shortest] = FEET;
    feet.find(|it| it.len() <= columns).unwrap_or(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_foot_names_every_key_on_a_terminal_of_80_columns_and_is_never_cut_on_one_of_20() {
        for columns in 20..200 {
            assert!(foot(columns).len() <= columns, "{columns}");
        }
        for (key, _) in KEYS {
            let named = format!("  {key} ");
            assert!(format!("  {}", foot(80)).contains(&named), "{key}");
        }
        assert!(foot(200).contains("kill the leader"));
    }

    #[test]
    fn the_help_fits_a_small_terminal() {
        assert!(help().all(|it| it.chars().count() <= 60));
    }
}
