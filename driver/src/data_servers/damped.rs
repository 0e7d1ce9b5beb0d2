//! Health as it is told of a server. A status is a level, and no event: a server that sends them without
//! end, or changes its mind again and again, must not keep everybody at work with it.

use std::time::Duration;

use futures_util::stream::unfold;
use stepdown_core::call::CallError;
use stepdown_wire::Flood;
use tokio::time::{Instant, sleep_until};
use tokio_stream::{Stream, StreamExt};

/// So many statuses are taken of a server in a second. The others wait, until it may send no more.
const TAKEN: u32 = 100;
/// So often it is believed at once that it serves again, unless it was steady in the meantime.
const BELIEVED: u32 = 3;
/// After that it has to serve for this long first, then twice as long, and so on.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// It is steady if it does not change its mind for this long.
const STEADY: Duration = Duration::from_secs(60);

/// The statuses as they are to be told. That it does not serve is always told at once.
pub(super) fn damped(
    statuses: impl Stream<Item = Result<bool, CallError>> + Send + Unpin,
) -> impl Stream<Item = Result<bool, CallError>> + Send + Unpin {
    let told = Damped {
        statuses,
        flood: Flood::of(TAKEN),
        changes: Changes::default(),
        told_at: None,
    };
    Box::pin(unfold(told, Damped::next))
}

struct Damped<S> {
    statuses: S,
    flood: Flood,
    changes: Changes,
    /// When it is told that it serves, if it does until then.
    told_at: Option<Instant>,
}

impl<S: Stream<Item = Result<bool, CallError>> + Unpin> Damped<S> {
    async fn next(mut self) -> Option<(Result<bool, CallError>, Self)> {
        loop {
            let (until, is_held) = match self.told_at {
                Some(at) => (at, true),
                None => (Instant::now(), false),
            };
            // What is dropped here has taken nothing.
            let status = tokio::select! {
                biased;
                () = sleep_until(until), if is_held => {
                    self.told_at = None;
                    return Some((Ok(true), self));
                }
                status = next(&self.flood, &mut self.statuses) => status?,
            };
            self.flood.taken();
            let now = Instant::now();
            match status {
                Ok(true) => match self.changes.serves(now) {
                    None => return Some((Ok(true), self)),
                    Some(wait) => {
                        self.told_at.get_or_insert(now + wait);
                    }
                },
                Ok(false) => {
                    self.changes.does_not_serve();
                    self.told_at = None;
                    return Some((Ok(false), self));
                }
                Err(error) => return Some((Err(error), self)),
            }
        }
    }
}

/// The next one, once it may be taken.
async fn next<S: Stream + Unpin>(flood: &Flood, statuses: &mut S) -> Option<S::Item> {
    flood.free().await;
    statuses.next().await
}

/// How often it has changed its mind.
#[derive(Default)]
struct Changes {
    does_not_serve: bool,
    /// How often it has come back since it was steady.
    count: u32,
    last: Option<Instant>,
    /// How long it has to serve, if it has come back too often.
    wait: Option<Duration>,
}

impl Changes {
    fn does_not_serve(&mut self) {
        self.does_not_serve = true;
    }

    /// It serves, maybe again: how long it has to before it is believed, if that is not at once.
    fn serves(&mut self, now: Instant) -> Option<Duration> {
        if std::mem::take(&mut self.does_not_serve) {
            let last = self.last.replace(now);
            if last.is_none_or(|last| now >= last + STEADY) {
                self.count = 0;
            }
            self.count = self.count.saturating_add(1);
            let beyond = self.count.checked_sub(BELIEVED + 1);
            self.wait = beyond.map(|times| {
                let doubled = 2_u32.saturating_pow(times);
                FIRST.saturating_mul(doubled).min(LONGEST)
            });
            return self.wait;
        }
        let last = self.last?;
        self.wait.filter(|wait| now < last + *wait)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use stepdown_core::call::CallErrorKind;
    use tokio::sync::mpsc;
    use tokio::time::timeout;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    use super::*;

    /// What is told of these statuses, and after how many seconds; the stream of them stays open.
    async fn told(statuses: impl IntoIterator<Item = bool>) -> Vec<(bool, u64)> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for status in statuses {
            sender.send(Ok(status)).unwrap();
        }
        let mut told = pin!(damped(UnboundedReceiverStream::new(receiver)));
        let (begun, mut seen) = (Instant::now(), Vec::new());
        while let Ok(Some(status)) = timeout(2 * STEADY, told.next()).await {
            seen.push((status.unwrap(), begun.elapsed().as_secs()));
        }
        seen
    }

    fn flapping(times: usize) -> impl Iterator<Item = bool> {
        [true].into_iter().chain([false, true].repeat(times))
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_restarted_a_few_times_is_believed_at_once() {
        let seen = told(flapping(3)).await;
        let at_once: Vec<_> = flapping(3).map(|serves| (serves, 0)).collect();
        assert_eq!(seen, at_once);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_changes_its_mind_all_the_time_is_believed_once_it_serves_for_long() {
        let seen = told(flapping(1_000)).await;
        let serving: Vec<_> = seen.iter().filter(|(serves, _)| *serves).collect();
        assert_eq!(serving.len(), 5, "{serving:?}");
        let last = seen.last().unwrap();
        assert!(last.0 && last.1 >= 20 + LONGEST.as_secs(), "{last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn that_a_server_does_not_serve_is_told_at_once_whatever_it_said_before() {
        let seen = told(flapping(20).chain([false])).await;
        assert_eq!(seen.last(), Some(&(false, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_flood_so_many_are_taken_in_a_second() {
        let seen = told([true; 1_000]).await;
        assert_eq!(seen.len(), 1_000);
        for second in 0..10 {
            let taken = seen.iter().filter(|(_, at)| *at == second).count();
            assert_eq!(taken, 100, "in second {second}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_steady_is_believed_at_once_again() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut told = pin!(damped(UnboundedReceiverStream::new(receiver)));
        for status in flapping(5) {
            sender.send(Ok(status)).unwrap();
        }
        while timeout(2 * STEADY, told.next()).await.is_ok() {}
        for status in [false, true] {
            sender.send(Ok(status)).unwrap();
        }
        let begun = Instant::now();
        assert_eq!(told.next().await, Some(Ok(false)));
        assert_eq!(told.next().await, Some(Ok(true)));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_watch_is_told_at_once() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut told = pin!(damped(UnboundedReceiverStream::new(receiver)));
        let ended = CallError {
            kind: CallErrorKind::Unreachable,
            message: "it is gone".to_owned(),
        };
        for status in flapping(9) {
            sender.send(Ok(status)).unwrap();
        }
        sender.send(Err(ended.clone())).unwrap();
        drop(sender);
        let begun = Instant::now();
        let mut last = None;
        while let Some(item) = told.next().await {
            last = Some(item);
        }
        assert_eq!(last, Some(Err(ended)));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
