//! What was handed to the node, and is not answered yet.
//!
//! A node whose disk hangs answers nothing, and its leader sends everything again. Whatever it was
//! handed stays in its memory, also where nobody waits for the answer any more.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tonic::Status;

/// So much may be with the node at once.
#[derive(Debug)]
pub(super) struct Backlog(Arc<Semaphore>);

impl Backlog {
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }

    /// Hands this to the node, unless too much is with it. It counts until it is answered, whoever
    /// waits for that.
    pub async fn hand<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Status> {
        let full = |_| Status::resource_exhausted("this node has not answered what came before");
        let place = self.0.clone().try_acquire_owned().map_err(full)?;
        let handed = tokio::spawn(async move {
            let answer = work.await;
            drop(place);
            answer
        });
        handed
            .await
            .map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::{Duration, timeout};
    use tonic::Code;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_counts_until_it_is_answered() {
        let backlog = Backlog::new(2);
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let first = timeout(Duration::from_millis(20), backlog.hand(receiver)).await;
        assert!(first.is_err());
        let second = timeout(Duration::from_millis(20), backlog.hand(pending::<()>())).await;
        assert!(second.is_err());
        let refused = backlog.hand(ready(3)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        sender.send(()).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(backlog.hand(ready(3)).await.unwrap(), 3);
    }
}
