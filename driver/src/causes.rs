//! An error with its causes, in one line.

use std::error::Error;

/// The error's words, and those of each of its causes after a colon, unless it has said them itself.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_in_words = cause.to_string();
        if !text.ends_with(&cause_in_words) {
            text = format!("{text}: {cause_in_words}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Told {
        words: &'static str,
        source: Option<Box<dyn Error>>,
    }

    #[test]
    fn each_cause_is_said_once() {
        let cause = || Some(Box::new(io::Error::other("gone")) as Box<dyn Error>);
        for words in ["lost", "lost: gone"] {
            let told = with_causes(&Told {
                words,
                source: cause(),
            });
            assert_eq!(told, "lost: gone");
        }
    }
}
