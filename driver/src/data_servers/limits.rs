//! How many calls a server is to work on at once.

use std::time::Duration;

use stepdown_core::call::CallError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::failure::crowded_out;

/// Which allowance a call draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// May wait for other servers (`BecomeLeader`, `AddFollower`).
    Lasting,
    /// Is answered by the server alone.
    Ordinary,
}

/// One server's allowances.
#[derive(Debug)]
pub(super) struct Limits {
    lasting: Semaphore,
    ordinary: Semaphore,
}

impl Limits {
    pub fn new(ordinary: usize, lasting: usize) -> Self {
        let semaphore = |permits: usize| Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS));
        Self {
            lasting: semaphore(lasting),
            ordinary: semaphore(ordinary),
        }
    }

    /// Waits for a turn, in order of arrival, but not longer than `patience`.
    pub async fn turn(
        &self,
        class: Class,
        method: &'static str,
        patience: Duration,
    ) -> Result<SemaphorePermit<'_>, CallError> {
        let semaphore = match class {
            Class::Lasting => &self.lasting,
            Class::Ordinary => &self.ordinary,
        };
        if let Ok(permit) = semaphore.try_acquire() {
            return Ok(permit);
        }
        match timeout(patience, semaphore.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(crowded_out(method, patience)),
        }
    }
}
