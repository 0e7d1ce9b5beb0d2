//! The words of somebody else, on a terminal that obeys what it is sent.

/// The same words, without what a terminal would obey. Lines stay lines.
pub(super) fn visible(words: &str) -> String {
    let is_shown = |it: &char| *it == '\n' || !it.is_control();
    words.chars().filter(is_shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_move_no_cursor_and_change_no_colour() {
        let sent = "a\x1b]0;title\x07 b\x1b[2J\r\nc\u{9b}31m\u{7f}é";
        assert_eq!(visible(sent), "a]0;title b[2J\nc31mé");
    }
}
