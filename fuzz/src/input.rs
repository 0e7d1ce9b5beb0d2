//! One input, and how it is told to people.

use std::fmt::{self, Write};

/// What a target is fed.
#[derive(Clone, PartialEq, Eq)]
pub struct Input {
    /// The target, by the name of its corpus.
    pub target: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// As a command that keeps the input, so that it is fed again.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("printf '")?;
        for byte in &self.bytes {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'%' => f.write_str("%%")?,
                b'\\' => f.write_str("\\\\")?,
                b' '..=b'~' if *byte != b'\'' => f.write_char(char::from(*byte))?,
                _ => write!(f, "\\{byte:03o}")?,
            }
        }
        write!(f, "' >fuzz/corpus/{}/found", self.target)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_makes_the_input_of_what_is_told() {
        let bytes: Vec<u8> = (0..=255).chain(*b"100%\\n '0'\n7").collect();
        let input = Input {
            target: "x",
            bytes: bytes.clone(),
        };
        let told = format!("{input:?}");
        let (command, file) = told.split_once(" >").unwrap();
        assert_eq!(file, "fuzz/corpus/x/found");
        let made = Command::new("sh").args(["-c", command]).output().unwrap();
        assert_eq!(made.stdout, bytes);
    }
}
