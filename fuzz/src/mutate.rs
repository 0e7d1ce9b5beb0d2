//! How one input is made of another: what random bytes would never come to, a change of a document that is
//! one still.

use std::ops::Range;

/// Bytes of an input: more take longer, and tell no more.
const MOST: usize = 16_384;

/// What means something to YAML, JSON, or whoever reads a number.
const WORDS: &[&str] = &[
    "-1",
    "0",
    "1",
    "-0",
    "007",
    "0x10",
    "0o7",
    "1e9",
    "1e999",
    "1.5",
    ".inf",
    ".nan",
    "null",
    "~",
    "true",
    "no",
    "''",
    "\"\"",
    "[]",
    "{}",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    ": ",
    "- ",
    ", ",
    "? ",
    "# ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "  ",
    "---\n",
    "...\n",
    "%YAML 1.2\n---\n",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "!!int ",
    "!!binary ",
    "|\n  ",
    ">-\n  ",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\\x41",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{e4}",
    "\u{10ffff}",
    "\u{301}",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "\0",
    "\u{7f}",
    "://",
    "[::1]:1",
    "@",
    "/",
    "%41",
    "=",
    "\u{ff10}",
];

/// Makes one change. `None` where there are no choices left, or nothing is to be changed.
pub(crate) fn mutate(
    choices: &mut impl Iterator<Item = u16>,
    bytes: &mut Vec<u8>,
    others: &[&[u8]],
) -> Option<()> {
    let mut below = |end: usize| Some(usize::from(choices.next()?) % end.max(1));
    match below(12)? {
        0 => {
            let (at, bit) = (below(bytes.len())?, below(8)?);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        1 => {
            let (at, new) = (below(bytes.len())?, below(256)?);
            if let (Some(byte), Ok(new)) = (bytes.get_mut(at), u8::try_from(new)) {
                *byte = new;
            }
        }
        2 => replace(bytes, range(&mut below, bytes.len())?, &[]),
        3 => bytes.truncate(below(bytes.len() + 1)?),
        4 => {
            let part = part(bytes, range(&mut below, bytes.len())?);
            insert(bytes, below(bytes.len() + 1)?, &part);
        }
        5 => {
            let other = others.get(below(others.len())?)?;
            let part = part(other, range(&mut below, other.len())?);
            insert(bytes, below(bytes.len() + 1)?, &part);
        }
        6 | 7 => {
            let word = WORDS.get(below(WORDS.len())?)?;
            insert(bytes, below(bytes.len() + 1)?, word.as_bytes());
        }
        8 => {
            let word = WORDS.get(below(WORDS.len())?)?;
            let at = token(bytes, below(bytes.len())?);
            replace(bytes, at, word.as_bytes());
        }
        9 => {
            // A value, or a name, takes the place of another.
            let part = part(bytes, token(bytes, below(bytes.len())?));
            let at = token(bytes, below(bytes.len())?);
            replace(bytes, at, &part);
        }
        10 => {
            let part = part(bytes, line(bytes, below(bytes.len())?));
            let at = line(bytes, below(bytes.len())?).start;
            insert(bytes, at, &part);
        }
        _ => replace(bytes, line(bytes, below(bytes.len())?), &[]),
    }
    bytes.truncate(MOST);
    Some(())
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    replace(bytes, at..at, part);
}

fn replace(bytes: &mut Vec<u8>, range: Range<usize>, part: &[u8]) {
    drop(bytes.splice(range, part.iter().copied()));
}

fn part(bytes: &[u8], range: Range<usize>) -> Vec<u8> {
    bytes.get(range).unwrap_or_default().to_vec()
}

/// Mostly a short one.
fn range(below: &mut impl FnMut(usize) -> Option<usize>, end: usize) -> Option<Range<usize>> {
    let start = below(end)?;
    let most = if below(4)? > 0 { 16 } else { end };
    let length = below(most.min(end - start) + 1)?;
    Some(start..start + length)
}

/// The letters and digits about this place.
fn token(bytes: &[u8], at: usize) -> Range<usize> {
    around(bytes, at, |byte| {
        !byte.is_ascii_alphanumeric() && !b"-._".contains(byte)
    })
}

/// The line about this place, with its end.
fn line(bytes: &[u8], at: usize) -> Range<usize> {
    let Range { start, end } = around(bytes, at, |byte| *byte == b'\n');
    start..(end + 1).min(bytes.len())
}

fn around(bytes: &[u8], at: usize, ends: impl Fn(&u8) -> bool) -> Range<usize> {
    let (before, after) = bytes.split_at(at.min(bytes.len()));
    let start = before.iter().rposition(&ends).map_or(0, |it| it + 1);
    let end = after.iter().position(&ends);
    start..end.map_or(bytes.len(), |it| before.len() + it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_every_input_can_be_made() {
        let mut rng = 1u64;
        let mut choices = std::iter::from_fn(|| {
            rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u16::try_from(rng >> 48).ok()
        });
        let others: [&[u8]; 2] = [b"", b"a: 1\nb: 2\n"];
        for length in 0..2_000 {
            let mut bytes = vec![b'\n'; length % 40];
            for _ in 0..20 {
                mutate(&mut choices, &mut bytes, &others).unwrap();
            }
        }
    }
}
