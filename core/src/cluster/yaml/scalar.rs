//! What an unquoted scalar means, by the YAML 1.1 rules that Go's libraries keep to.

/// The meaning of an unquoted scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text,
}

pub(super) fn resolve(text: &str) -> Plain {
    let Some(first) = text.bytes().next() else {
        return Plain::Null;
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(text),
        b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => word(text),
        _ => Plain::Text,
    }
}

fn word(text: &str) -> Plain {
    match text {
        "~" | "null" | "Null" | "NULL" => Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Plain::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Plain::Bool(false)
        }
        _ => Plain::Text,
    }
}

fn number(text: &str) -> Plain {
    if text.starts_with('.') && !separates_digits(text) {
        return Plain::Text;
    }
    let digits = text.replace('_', "");
    if let Some(integer) = integer(&digits) {
        return Plain::Integer(integer);
    }
    match digits.as_str() {
        ".nan" | ".NaN" | ".NAN" => Plain::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Plain::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Plain::Float(f64::NEG_INFINITY),
        digits if is_float(digits) => digits.parse().map_or(Plain::Text, Plain::Float),
        _ => Plain::Text,
    }
}

/// Whether every underscore is between two digits. Go asks for that only after a leading dot.
fn separates_digits(text: &str) -> bool {
    let mut parts = text.split('_').peekable();
    while let Some(part) = parts.next() {
        let Some(next) = parts.peek() else {
            return true;
        };
        let is_digit = |character: char| character.is_ascii_digit();
        if !(part.ends_with(is_digit) && next.starts_with(is_digit)) {
            return false;
        }
    }
    true
}

/// Decimal, or 0x, 0o, 0b, or octal by a leading zero; in the 64 bits that Go gives it.
fn integer(digits: &str) -> Option<i128> {
    let (negative, magnitude) = match digits.as_bytes().first()? {
        b'-' => (true, digits.get(1..)?),
        b'+' => (false, digits.get(1..)?),
        _ => (false, digits),
    };
    let (radix, magnitude) = match magnitude.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, magnitude.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, magnitude.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, magnitude.get(2..)?),
        [b'0', _, ..] => (8, magnitude.get(1..)?),
        _ => (10, magnitude),
    };
    if !magnitude.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(magnitude, radix).ok()?);
    Some(if negative { -magnitude } else { magnitude })
}

/// Whether this is a decimal fraction, with or without an exponent.
pub(super) fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_digits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && is_digits(exponent)
    });
    exponent_is_digits
        && is_digits(whole)
        && is_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
}

pub(super) fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_yaml_1_1_are_booleans_and_nulls() {
        for word in ["y", "Yes", "on", "TRUE"] {
            assert_eq!(resolve(word), Plain::Bool(true), "{word}");
        }
        for word in ["n", "No", "off", "False"] {
            assert_eq!(resolve(word), Plain::Bool(false), "{word}");
        }
        for word in ["", "~", "null", "NULL"] {
            assert_eq!(resolve(word), Plain::Null, "{word}");
        }
        for word in ["yEs", "nULL", "None", "oN", "=", "Inf"] {
            assert_eq!(resolve(word), Plain::Text, "{word}");
        }
    }

    #[test]
    fn integers_have_the_prefixes_and_underscores_of_yaml_1_1() {
        for (text, value) in [
            ("0", 0),
            ("017", 15),
            ("0o17", 15),
            ("0x1F", 31),
            ("-0x1f", -31),
            ("+0b11", 3),
            ("1_000", 1000),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(resolve(text), Plain::Integer(value), "{text}");
        }
    }

    #[test]
    fn floats_are_those_that_go_reads() {
        for text in ["089", "1.", ".5", "12e03", "1e+5", "18446744073709551616"] {
            assert!(matches!(resolve(text), Plain::Float(_)), "{text}");
        }
        for text in [
            "0x",
            "1e",
            ".",
            "+",
            "-",
            "_1",
            ".e1",
            "0x1p-2",
            "1:30",
            "127.0.0.1:80",
        ] {
            assert_eq!(resolve(text), Plain::Text, "{text}");
        }
    }
}
