//! Durations as Go writes them.

use std::fmt::Write;
use std::time::Duration;

/// Units by their length in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A text that is no duration of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// Not numbers with units.
    #[error("is not a duration such as 300ms, 30s or 1h30m")]
    Syntax,
    /// Below zero.
    #[error("is negative")]
    Negative,
    /// More nanoseconds than 63 bits hold.
    #[error("is longer than 292 years")]
    TooLong,
}

/// Reads Go's syntax: decimal numbers, each with a unit. Fractions of a nanosecond are cut off.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let (is_negative, mut rest) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..).unwrap_or("")),
        [b'+', ..] => (false, text.get(1..).unwrap_or("")),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(ParseDurationError::Syntax);
    }
    let mut nanos = 0_u64;
    while !rest.is_empty() {
        let (part, after) = next_part(rest)?;
        nanos = nanos.checked_add(part).ok_or(ParseDurationError::TooLong)?;
        rest = after;
    }
    if is_negative && nanos > 0 {
        return Err(ParseDurationError::Negative);
    }
    if i64::try_from(nanos).is_err() {
        return Err(ParseDurationError::TooLong);
    }
    Ok(Duration::from_nanos(nanos))
}

/// Writes Go's syntax: `1h30m0s`, `1.5s`, `300ms`.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let small = [(1, "ns"), (1_000, "\u{b5}s"), (1_000_000, "ms")];
    if nanos == 0 {
        return "0s".to_owned();
    }
    if let Some((unit, name)) = small.into_iter().rfind(|(unit, _)| nanos >= *unit)
        && nanos < 1_000_000_000
    {
        return format!("{}{name}", decimal(nanos, unit));
    }
    let minutes = nanos / 60_000_000_000;
    let mut out = String::new();
    // Writing to a string can't fail.
    if minutes >= 60 {
        let _ = write!(out, "{}h", minutes / 60);
    }
    if minutes > 0 {
        let _ = write!(out, "{}m", minutes % 60);
    }
    let _ = write!(out, "{}s", decimal(nanos % 60_000_000_000, 1_000_000_000));
    out
}

fn decimal(nanos: u128, unit: u128) -> String {
    let width = usize::try_from(unit.ilog10()).unwrap_or_default();
    let fraction = format!("{:0width$}", nanos % unit);
    let fraction = fraction.trim_end_matches('0');
    match fraction {
        "" => (nanos / unit).to_string(),
        fraction => format!("{}.{fraction}", nanos / unit),
    }
}

fn next_part(text: &str) -> Result<(u64, &str), ParseDurationError> {
    let is_number = |character: char| character.is_ascii_digit() || character == '.';
    let (number, rest) = split_at(text, |character| !is_number(character));
    let (unit, rest) = split_at(rest, is_number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return Err(ParseDurationError::Syntax);
    }
    let (_, unit) = UNITS
        .into_iter()
        .find(|(name, _)| *name == unit)
        .ok_or(ParseDurationError::Syntax)?;
    let mut nanos = 0_u128;
    for digit in whole.bytes() {
        nanos = nanos
            .saturating_mul(10)
            .saturating_add(u128::from(digit - b'0') * u128::from(unit));
    }
    let mut digit_unit = u128::from(unit) * 1_000_000_000;
    let mut fraction_nanos = 0_u128;
    for digit in fraction.bytes() {
        digit_unit /= 10;
        fraction_nanos += u128::from(digit - b'0') * digit_unit;
    }
    let nanos = nanos.saturating_add(fraction_nanos / 1_000_000_000);
    let nanos = u64::try_from(nanos).map_err(|_| ParseDurationError::TooLong)?;
    Ok((nanos, rest))
}

fn split_at(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(is_end).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("+0", 0),
            ("+0s", 0),
            ("-0s", 0),
            ("30s", 30_000_000_000),
            ("+10s", 10_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1.5s", 1_500_000_000),
            ("300ms", 300_000_000),
            ("5us", 5_000),
            ("7\u{b5}s", 7_000),
            ("7\u{3bc}s", 7_000),
            ("7ns", 7),
            ("1.9ns", 1),
            ("1s1s", 2_000_000_000),
            ("2562047h47m16.854775807s", i64::MAX as u64),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "", "5", "10", "s", "1d", "1 s", "1s 2s", "1.2.3s", "1..5s", "+", "-", ".s", "1s5",
            " 1s", "1\u{b5}",
        ] {
            assert_eq!(
                parse_duration(text),
                Err(ParseDurationError::Syntax),
                "{text}"
            );
        }
        assert_eq!(parse_duration("-1s"), Err(ParseDurationError::Negative));
        for text in [
            "2562047h47m16.854775808s",
            "99999999999999h",
            "99999999999999999999999999999999999999999h",
        ] {
            assert_eq!(
                parse_duration(text),
                Err(ParseDurationError::TooLong),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for text in [
            "0s",
            "1ns",
            "1.5\u{b5}s",
            "300ms",
            "1.5s",
            "1m0s",
            "1h0m0s",
            "1h30m0.25s",
        ] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_as_itself(nanos in 0..i64::MAX as u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_a_duration_or_an_error(text in "[-+]?[0-9.smhunµ]{0,12}|.{0,8}") {
            let _ = parse_duration(&text);
        }
    }
}
