//! Writes that are refused as malformed, again and again. A leader steps down at such a refusal, since
//! waiting does not mend it; whoever leads next is refused as well, and so on for ever. That is to go
//! slowly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stepdown_core::store::StoreOutcome;
use tokio::time::Instant;

/// A refusal is one of many where there was another within this time.
const MEMORY: Duration = Duration::from_secs(600);

/// When a write was refused last.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Option<Instant>>);

impl Refusals {
    /// The outcome of a write; of one that is refused once more, that it may not be written, which is
    /// tried again slowly and gives way to others. With new namespaces in it, another one will be tried
    /// without.
    pub(super) fn slowed(&self, outcome: StoreOutcome, admits: bool) -> StoreOutcome {
        let reason = match outcome {
            StoreOutcome::Invalid(reason) if !admits => reason,
            other @ (StoreOutcome::Ambiguous(_)
            | StoreOutcome::Conflict(_)
            | StoreOutcome::Corrupt(_)
            | StoreOutcome::Forbidden(_)
            | StoreOutcome::Invalid(_)
            | StoreOutcome::Stored(_)
            | StoreOutcome::TooLarge(_)
            | StoreOutcome::Unavailable { .. }) => return other,
        };
        let now = Instant::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_repeated = last.is_some_and(|last| now.duration_since(last) < MEMORY);
        *last = Some(now);
        if is_repeated {
            StoreOutcome::Forbidden(format!(
                "{reason}; it was refused before, so look for what refuses it: a policy, a webhook, a quota"
            ))
        } else {
            StoreOutcome::Invalid(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> StoreOutcome {
        StoreOutcome::Invalid("HTTP 422".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_is_repeated_is_tried_again_slowly() {
        let refusals = Refusals::default();
        assert_eq!(refusals.slowed(refused(), false), refused());
        for _ in 0..3 {
            let again = refusals.slowed(refused(), false);
            assert!(matches!(again, StoreOutcome::Forbidden(_)), "{again:?}");
        }
        tokio::time::advance(MEMORY).await;
        assert_eq!(refusals.slowed(refused(), false), refused());
    }

    #[test]
    fn a_namespace_that_is_refused_is_left_to_who_tries_without_it() {
        let refusals = Refusals::default();
        for _ in 0..3 {
            assert_eq!(refusals.slowed(refused(), true), refused());
        }
    }
}
