//! The words of somebody else, or of a refusal that may have in them what was sent, however long that is.

use std::fmt::{self, Display, Write};

/// Its first words, of no more than so many characters.
pub fn brief(reason: &impl Display, most: usize) -> String {
    let mut brief = Brief {
        text: String::new(),
        left: most,
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

    const MOST: usize = 1_024;

    #[test]
    fn as_much_of_a_reason_is_said_as_anybody_reads() {
        let most = "é".repeat(MOST);
        assert_eq!(brief(&"", MOST), "");
        assert_eq!(brief(&most, MOST), most);
        assert_eq!(brief(&format!("{most}é"), MOST), format!("{most}…"));
        let parts = brief(&format_args!("a{most}b"), MOST);
        assert_eq!(parts, format!("a{}…", "é".repeat(MOST - 1)));
    }
}
