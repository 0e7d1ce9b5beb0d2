//! For how long each target is fed.

use std::time::Duration;

const VARIABLE: &str = "STEPDOWN_FUZZ_SECONDS";

/// `STEPDOWN_FUZZ_SECONDS`, or two seconds.
#[must_use]
#[expect(
    clippy::panic,
    reason = "whoever sets the variable is told so at once, by the test that fails"
)]
pub fn per_target() -> Duration {
    let Some(seconds) = std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) else {
        return Duration::from_secs(2);
    };
    match seconds.to_str().and_then(|it| it.parse().ok()) {
        Some(seconds) => Duration::from_secs(seconds),
        None => panic!("{VARIABLE}={seconds:?} is no whole number of seconds"),
    }
}
