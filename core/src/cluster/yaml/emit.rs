//! Writes block YAML, byte for byte as Go's yaml.v3 does. Only strings with line breaks and maps
//! under very long keys look different, and mean the same.

use std::fmt::{Display, Write};

use super::scalar::{Plain, is_digits, resolve};

const INDENT: usize = 4;
/// Bytes above which a key is written in its explicit form.
const LONG_KEY: usize = 128;

/// A document being written.
#[derive(Default)]
pub(in super::super) struct Emitter {
    out: String,
    /// Spaces before a line.
    indent: usize,
    /// The next line is the first of a list's item.
    at_item: bool,
}

impl Emitter {
    /// An emitter with room for `bytes`.
    pub(in super::super) fn with_capacity(bytes: usize) -> Self {
        Self {
            out: String::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// The document; `{}` if nothing was written.
    pub(in super::super) fn finish(mut self) -> String {
        if self.out.is_empty() {
            self.out.push_str("{}\n");
        }
        self.out
    }

    /// `key: 5`.
    pub(in super::super) fn number(&mut self, key: impl Display, number: impl Display) {
        self.start_line();
        // Writing to a string can't fail.
        let _ = writeln!(self.out, "{key}: {number}");
    }

    /// `key: text`.
    pub(in super::super) fn text(&mut self, key: impl Display, text: &str) {
        self.start_line();
        let _ = write!(self.out, "{key}: ");
        scalar(&mut self.out, text);
        self.out.push('\n');
    }

    /// `key: true`.
    pub(in super::super) fn flag(&mut self, key: impl Display, is_on: bool) {
        self.number(key, is_on);
    }

    /// As `text`, but the key is any text.
    pub(in super::super) fn named_text(&mut self, key: &str, text: &str) {
        self.start_line();
        self.key(key);
        self.out.push_str(": ");
        scalar(&mut self.out, text);
        self.out.push('\n');
    }

    /// `key: {}`.
    pub(in super::super) fn empty(&mut self, key: impl Display) {
        self.start_line();
        let _ = writeln!(self.out, "{key}: {{}}");
    }

    /// `key:` with `body` below it, indented.
    pub(in super::super) fn map(&mut self, key: impl Display, body: impl FnOnce(&mut Self)) {
        self.start_line();
        let _ = writeln!(self.out, "{key}:");
        self.indented(INDENT, body);
    }

    /// As `map`, but the key is any text.
    pub(in super::super) fn named_map(&mut self, key: &str, body: impl FnOnce(&mut Self)) {
        self.start_line();
        self.key(key);
        self.out.push_str(":\n");
        self.indented(INDENT, body);
    }

    /// `key:` with a list below it, whose items `body` writes; nothing where there are none.
    pub(in super::super) fn list<T>(
        &mut self,
        key: &str,
        items: &[T],
        mut body: impl FnMut(&mut Self, &T),
    ) {
        if items.is_empty() {
            return;
        }
        self.map(key, |yaml| {
            for item in items {
                yaml.start_line();
                yaml.out.push_str("- ");
                yaml.at_item = true;
                yaml.indented(2, |yaml| body(yaml, item));
                yaml.at_item = false;
            }
        });
    }

    /// A number that is an item of a list.
    pub(in super::super) fn item(&mut self, number: impl Display) {
        self.start_line();
        let _ = writeln!(self.out, "{number}");
    }

    /// A text that is an item of a list.
    pub(in super::super) fn text_item(&mut self, text: &str) {
        self.start_line();
        scalar(&mut self.out, text);
        self.out.push('\n');
    }

    /// A key that is any text, up to its colon.
    fn key(&mut self, key: &str) {
        if key.len() > LONG_KEY {
            self.out.push_str("? ");
            scalar(&mut self.out, key);
            self.out.push('\n');
            self.start_line();
        } else {
            scalar(&mut self.out, key);
        }
    }

    fn indented(&mut self, by: usize, body: impl FnOnce(&mut Self)) {
        self.indent += by;
        body(self);
        self.indent -= by;
    }

    fn start_line(&mut self) {
        if self.at_item {
            self.at_item = false;
            return;
        }
        let _ = write!(self.out, "{:1$}", "", self.indent);
    }
}

fn scalar(out: &mut String, text: &str) {
    if text.chars().any(is_special) || reads_as_something_else(text) {
        double_quoted(out, text);
    } else if breaks_syntax(text) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        out.push_str(text);
    }
}

fn double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            character if is_special(character) => {
                let code = u32::from(character);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02X}"),
                    0x100..=0xffff => write!(out, "\\u{code:04X}"),
                    _ => write!(out, "\\U{code:08X}"),
                };
            }
            character => out.push(character),
        }
    }
    out.push('"');
}

/// Whether Go writes it as an escape.
fn is_special(character: char) -> bool {
    !matches!(character,
        ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether a reader would take it for something other than a string, unless quoted.
fn reads_as_something_else(text: &str) -> bool {
    resolve(text) != Plain::Text || is_base_60(text) || is_timestamp(text) || text == "<<"
}

/// As in `190:20:30`, which YAML 1.1 reads as a number.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some((first, rest)) = unsigned.split_once(':') else {
        return false;
    };
    let (rest, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let is_sixty = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [ten, digit] => (b'0'..=b'5').contains(ten) && digit.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|first: char| first.is_ascii_digit())
        && is_digits(&first.replace('_', ""))
        && is_digits(&fraction.replace('_', ""))
        && rest.split(':').all(is_sixty)
}

/// A date, alone or with a time; some more than are in truth.
fn is_timestamp(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let day = rest
        .find(|character: char| !character.is_ascii_digit())
        .map_or(rest, |end| rest.get(..end).unwrap_or(rest));
    let time = rest.get(day.len()..).unwrap_or("");
    let is_short = |part: &str| matches!(part.len(), 1 | 2) && is_digits(part);
    year.len() == 4
        && is_digits(year)
        && is_short(month)
        && is_short(day)
        && (time.is_empty() || (time.starts_with(['T', 't', ' ']) && time.contains(':')))
}

/// Whether it holds what would end a plain scalar, or start something else.
fn breaks_syntax(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    let blank_follows = characters.next().is_none_or(|second| second == ' ');
    let starts_otherwise = match first {
        Some('-' | '?' | ':') => blank_follows,
        Some(first) => " ,[]{}#&*!|>'\"%@`".contains(first),
        None => true,
    };
    starts_otherwise
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.starts_with("---")
        || text.starts_with("...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        scalar(&mut out, text);
        out
    }

    /// Each as Oxia v0.17.1 was seen to write it.
    #[test]
    fn strings_are_quoted_as_go_quotes_them() {
        let seen = include_str!("../fixtures/strings.yaml");
        for line in seen.lines() {
            let document = super::super::parse(line).unwrap();
            let root = document.root();
            let (_, at) = root.entries().unwrap().next().unwrap();
            let text = at.text().unwrap();
            assert_eq!(format!("x: {}", written(text)), line);
        }
        assert!(seen.lines().count() > 90);
    }

    #[test]
    fn strings_that_go_writes_and_cannot_read_are_quoted_all_the_same() {
        assert_eq!(written("<<"), "\"<<\"");
        assert_eq!(written("a\nb"), "\"a\\nb\"");
        assert_eq!(written("a\u{2028}b"), "\"a\\Lb\"");
    }

    #[test]
    fn an_empty_document_is_an_empty_mapping() {
        assert_eq!(Emitter::default().finish(), "{}\n");
    }
}
