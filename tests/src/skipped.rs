//! Tests that can't be run here.

use std::io::{self, Write};

/// Says so of some tests, and what is missing.
///
/// # Panics
///
/// If they may not be skipped, as this variable says: it is `required`.
pub fn skip(variable: &str, tests: &str, missing: &str) {
    let is_required = std::env::var_os(variable).is_some_and(|it| it == "required");
    assert!(!is_required, "{variable}=required, but {missing}");
    say_skipped(&format!("{tests} SKIPPED, NOT TESTED: {missing}"));
}

/// Says so loudly, past the test harness that keeps what a good test prints.
pub fn say_skipped(what: &str) {
    let line = "*".repeat(72);
    // Nobody reads standard error if this fails.
    let _ = io::stderr().write_all(format!("{line}\n  {what}\n{line}\n").as_bytes());
}
