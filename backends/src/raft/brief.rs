//! The words of a refusal, which may have in them what was sent, however long that is.

use std::fmt::{self, Display, Write};

/// So many characters are said.
const MOST: usize = 1_024;

/// Its first words.
pub(super) fn brief(reason: &impl Display) -> String {
    let mut brief = Brief {
        text: String::new(),
        left: MOST,
    };
    // It fails once nothing more of it is wanted.
    if write!(brief, "{reason}").is_err() {
        brief.text.push('…');
    }
    brief.text
}

struct Brief {
    text: String,
    /// How many characters are still said.
    left: usize,
}

impl Write for Brief {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some((end, _)) = text.char_indices().nth(self.left) else {
            self.left -= text.chars().count();
            self.text.push_str(text);
            return Ok(());
        };
        self.text.push_str(text.get(..end).unwrap_or_default());
        self.left = 0;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_of_a_reason_is_said_as_anybody_reads() {
        let most = "é".repeat(MOST);
        assert_eq!(brief(&""), "");
        assert_eq!(brief(&most), most);
        assert_eq!(brief(&format!("{most}é")), format!("{most}…"));
        let parts = brief(&format_args!("a{most}b"));
        assert_eq!(parts, format!("a{}…", "é".repeat(MOST - 1)));
    }
}
