//! What the environment says of how targets are fed.

use std::time::Duration;

const SECONDS: &str = "STEPDOWN_FUZZ_SECONDS";
const SEED: &str = "STEPDOWN_FUZZ_SEED";

/// `STEPDOWN_FUZZ_SECONDS`, or two seconds.
pub(crate) fn per_target() -> Duration {
    Duration::from_secs(number(SECONDS).unwrap_or(2))
}

/// `STEPDOWN_FUZZ_SEED`, or 0: what passed once passes again, as far as it gets in its time.
pub(crate) fn seed() -> u64 {
    // Far from the next one's, since each takes many that follow.
    number(SEED).unwrap_or_default() << 32
}

#[expect(
    clippy::panic,
    reason = "whoever sets the variable is told so at once, by the test that fails"
)]
fn number(variable: &str) -> Option<u64> {
    let value = std::env::var_os(variable).filter(|it| !it.is_empty())?;
    match value.to_str().and_then(|it| it.parse().ok()) {
        Some(number) => Some(number),
        None => panic!("{variable}={value:?} is no whole number"),
    }
}
