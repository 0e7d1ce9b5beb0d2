//! Lines of a terminal.

/// So many, as one says it.
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Cuts a line to the terminal's width, with a mark; what colours it has no width.
pub(super) fn cut(line: &str, columns: usize) -> String {
    let is_cut = visible(line) > columns;
    let width = columns.saturating_sub(usize::from(is_cut));
    let mut text = String::new();
    let (mut used, mut escape, mut mark) = (0, false, is_cut && columns > 0);
    for char in line.chars() {
        if char == '\x1b' {
            escape = true;
        }
        if escape {
            escape = char != 'm';
        } else if used == width {
            if std::mem::take(&mut mark) {
                text.push('…');
            }
            continue;
        } else {
            used += 1;
        }
        text.push(char);
    }
    text
}

/// How many characters of a line are seen.
fn visible(line: &str) -> usize {
    let mut escape = false;
    let seen = line.chars().filter(|char| {
        escape |= *char == '\x1b';
        let is_seen = !escape;
        escape &= *char != 'm';
        is_seen
    });
    seen.count()
}

/// Whether there are colours.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_has_a_mark_and_colours_have_no_width() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("\x1b[1mabcdef\x1b[0m", 6), "\x1b[1mabcdef\x1b[0m");
        assert_eq!(cut("\x1b[1mabcdefg\x1b[0m", 6), "\x1b[1mabcde…\x1b[0m");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn one_of_a_kind_is_not_many() {
        let kinds = |count| counted(count, "conflict", "conflicts");
        assert_eq!(
            [kinds(0), kinds(1), kinds(2)],
            ["0 conflicts", "1 conflict", "2 conflicts"]
        );
    }
}
