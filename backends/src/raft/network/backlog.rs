//! What was handed to the node, and is not answered yet.
//!
//! A node whose disk hangs answers nothing, and its leader sends everything again. Whatever it was
//! handed stays in its memory, also where nobody waits for the answer any more.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tonic::Status;

/// So much may be with the node at once, and so much of it from one address.
#[derive(Debug)]
pub(super) struct Backlog {
    most: usize,
    of_one: usize,
    with: With,
}

/// How much is with the node, from each address.
type With = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    from: IpAddr,
    with: With,
}

impl Backlog {
    pub fn new(most: usize, of_one: usize) -> Self {
        Self {
            most,
            of_one,
            with: With::default(),
        }
    }

    /// Hands this to the node, unless too much is with it. It counts until it is answered, whoever
    /// waits for that.
    pub async fn hand<T: Send + 'static>(
        &self,
        from: IpAddr,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Status> {
        let full = || Status::resource_exhausted("this node has not answered what came before");
        let place = self.place(from).ok_or_else(full)?;
        let handed = tokio::spawn(async move {
            let answer = work.await;
            drop(place);
            answer
        });
        handed
            .await
            .map_err(|error| Status::internal(error.to_string()))
    }

    /// A place for something of this address, unless too much is there.
    pub fn place(&self, from: IpAddr) -> Option<Place> {
        let mut with = self.with.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = with.values().sum();
        let of_one = with.get(&from).copied().unwrap_or_default();
        if all >= self.most || of_one >= self.of_one {
            return None;
        }
        with.insert(from, of_one + 1);
        Some(Place {
            from,
            with: self.with.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut with = self.with.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = with.get_mut(&self.from) {
            *count = count.saturating_sub(1);
        }
        with.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::{Duration, timeout};
    use tonic::Code;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn at(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_counts_until_it_is_answered() {
        let backlog = Backlog::new(2, 2);
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let first = timeout(SHORT, backlog.hand(at(1), receiver)).await;
        assert!(first.is_err());
        let second = timeout(SHORT, backlog.hand(at(2), pending::<()>())).await;
        assert!(second.is_err());
        let refused = backlog.hand(at(3), ready(3)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        sender.send(()).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(backlog.hand(at(1), ready(3)).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn one_address_leaves_some_to_others() {
        let backlog = Backlog::new(3, 2);
        for _ in 0..2 {
            let waits = timeout(SHORT, backlog.hand(at(1), pending::<()>())).await;
            assert!(waits.is_err());
        }
        let refused = backlog.hand(at(1), ready(3)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(backlog.hand(at(2), ready(3)).await.unwrap(), 3);
    }
}
