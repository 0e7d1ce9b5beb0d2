//! What an option is called, in messages to operators.

use std::fmt;

/// The name of one option: its key in the options file, and the flags that set it as well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    yaml: &'static str,
    flags: &'static str,
}

impl Key {
    /// A key that no flag sets.
    pub(super) const fn of_file(yaml: &'static str) -> Self {
        Self { yaml, flags: "" }
    }

    /// A key, and the flag that sets the same; or several, with commas between them.
    pub(super) const fn new(yaml: &'static str, flags: &'static str) -> Self {
        Self { yaml, flags }
    }

    /// The key alone, without the flags.
    pub(super) const fn in_file(self) -> Self {
        Self::of_file(self.yaml)
    }

    /// The name, with a value where the file has it.
    pub(super) fn saying(self, value: impl fmt::Display) -> String {
        let Self { yaml, flags } = self;
        match flags {
            "" => format!("{yaml} {value}"),
            flags => format!("{yaml} {value} ({flags})"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { yaml, flags } = self;
        match *flags {
            "" => f.write_str(yaml),
            flags => write!(f, "{yaml} ({flags})"),
        }
    }
}

/// As in messages: options are logged whole.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_key_and_the_flags() {
        let both = Key::new("a.b", "--a-b, --ab");
        assert_eq!(both.to_string(), "a.b (--a-b, --ab)");
        assert_eq!(format!("{both:?}"), "\"a.b (--a-b, --ab)\"");
        assert_eq!(both.saying("'c'"), "a.b 'c' (--a-b, --ab)");
        let alone = Key::of_file("a.b");
        assert_eq!(alone.to_string(), "a.b");
        assert_eq!(alone.saying("'c'"), "a.b 'c'");
    }
}
