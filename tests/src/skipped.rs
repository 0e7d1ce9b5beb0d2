//! Tests that can't be run here.

use std::io::{self, Write};

/// Says so loudly, past the test harness that keeps what a good test prints.
pub fn say_skipped(what: &str) {
    let line = "*".repeat(72);
    // Nobody reads standard error if this fails.
    let _ = io::stderr().write_all(format!("{line}\n  {what}\n{line}\n").as_bytes());
}
