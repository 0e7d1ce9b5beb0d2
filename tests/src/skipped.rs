//! Tests that can't be run here.

use std::io::{self, Write};

/// Says so, unless faults of networks and disks are required.
///
/// # Panics
///
/// If they are (`STEPDOWN_FAULTS=required`).
pub fn say_fault_skipped(what: &str) {
    let is_required = std::env::var("STEPDOWN_FAULTS").is_ok_and(|it| it == "required");
    assert!(!is_required, "STEPDOWN_FAULTS=required, and {what}");
    say_skipped(what);
}

/// Says so loudly, past the test harness that keeps what a good test prints.
pub fn say_skipped(what: &str) {
    let line = "*".repeat(72);
    // Nobody reads standard error if this fails.
    let _ = io::stderr().write_all(format!("{line}\n  {what}\n{line}\n").as_bytes());
}
