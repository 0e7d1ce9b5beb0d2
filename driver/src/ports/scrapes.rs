//! What all metrics are, for everybody who asks.
//!
//! They are put together once at a time, and not again for as long as is fair: with many shards that is work
//! for a processor, and whoever asks all the time would get all of it. It is done by a thread of its own,
//! lest whoever stores the status wait for one.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;

use super::packed::Packed;

/// The same is good for so many times as long as it took, and no longer than this: what costs little may be
/// had as it is.
const TIMES: u32 = 10;
const FRESH: Duration = Duration::from_secs(1);

/// The last scrape. Clones are one.
#[derive(Clone)]
pub(super) struct Scrapes {
    put_together: Arc<dyn Fn() -> Option<Packed> + Send + Sync>,
    last: Arc<Mutex<Option<Last>>>,
}

struct Last {
    done: Instant,
    fresh: Duration,
    packed: Packed,
}

impl Last {
    /// Whether it is good for whoever asked then: it may have come in the meantime.
    fn is_good(&self, asked: Instant) -> bool {
        self.done >= asked || self.done.elapsed() < self.fresh
    }
}

impl Scrapes {
    /// Those that this function puts together.
    pub(super) fn new(put_together: impl Fn() -> Option<Packed> + Send + Sync + 'static) -> Self {
        Self {
            put_together: Arc::new(put_together),
            last: Arc::default(),
        }
    }

    /// One that is good; `None` if none can be put together.
    pub(super) async fn latest(&self) -> Option<Packed> {
        let asked = Instant::now();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(last) = last.as_ref().filter(|it| it.is_good(asked)) {
            return Some(last.packed.clone());
        }
        // Nobody else begins before this one is over, even if whoever asked for it has gone.
        let (sender, done) = oneshot::channel();
        let put_together = Arc::clone(&self.put_together);
        let work = move || {
            let begun = std::time::Instant::now();
            let packed = put_together();
            // Whoever asked may have gone.
            let _ = sender.send((packed, begun.elapsed()));
        };
        let task = tokio::spawn(async move {
            let thread = thread::Builder::new().name("metrics".to_owned());
            thread.spawn(work).ok()?;
            let (packed, took) = done.await.ok()?;
            let packed = packed?;
            *last = Some(Last {
                done: Instant::now(),
                fresh: fresh_for(took),
                packed: packed.clone(),
            });
            Some(packed)
        });
        task.await.ok()?
    }
}

fn fresh_for(took: Duration) -> Duration {
    took.saturating_mul(TIMES).min(FRESH)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    fn some() -> Option<Packed> {
        Packed::made_by(|_| Ok(()))
    }

    #[tokio::test]
    async fn everybody_who_asks_meanwhile_gets_the_same_and_who_asks_later_another() {
        let made = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&made);
        let scrapes = Scrapes::new(move || {
            counting.fetch_add(1, Ordering::SeqCst);
            some()
        });
        tokio::time::pause();
        let all = join_all((0..100).map(|_| scrapes.latest())).await;
        assert!(all.iter().all(Option::is_some));
        assert_eq!(made.load(Ordering::SeqCst), 1);
        tokio::time::advance(FRESH).await;
        assert!(scrapes.latest().await.is_some());
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn the_more_it_costs_the_longer_it_is_good_up_to_a_second() {
        for (took, millis) in [(0, 0), (1, 10), (50, 500), (100, 1_000), (900, 1_000)] {
            let fresh = fresh_for(Duration::from_millis(took));
            assert_eq!(fresh, Duration::from_millis(millis));
        }
    }

    #[tokio::test]
    async fn none_is_put_together_while_another_one_is_even_if_nobody_waits_for_that() {
        tokio::time::pause();
        let (begun, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let ends = std::sync::Mutex::new(ends);
        let scrapes = Scrapes::new(move || {
            begun.send(()).unwrap();
            ends.lock().unwrap().recv().unwrap();
            some()
        });
        let first = tokio::spawn({
            let scrapes = scrapes.clone();
            async move { scrapes.latest().await }
        });
        while begins.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        first.abort();
        first.await.unwrap_err();
        let mut second = Box::pin(scrapes.latest());
        assert!((&mut second).now_or_never().is_none());
        end.send(()).unwrap();
        assert!(second.await.is_some());
        assert!(begins.try_recv().is_err());
    }

    #[tokio::test]
    async fn one_that_fails_is_tried_again_at_the_next_question() {
        let tries = AtomicUsize::new(0);
        let scrapes = Scrapes::new(move || match tries.fetch_add(1, Ordering::SeqCst) {
            0 => None,
            1 => panic!("as a bug would"),
            _ => some(),
        });
        assert!(scrapes.latest().await.is_none());
        assert!(scrapes.latest().await.is_none());
        assert!(scrapes.latest().await.is_some());
    }
}
