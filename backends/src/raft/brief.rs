//! The words of a refusal, which may have in them what was sent, however long that is.

use std::fmt::Display;

/// So many characters are said.
const MOST: usize = 1_024;

/// Its first words.
pub(super) fn brief(reason: &impl Display) -> String {
    stepdown_wire::brief(reason, MOST)
}
