//! Where the ports are answered: on a thread that gives way to everything else of the process.
//!
//! Whoever reaches a port can keep a processor busy. An election must not wait for that, so strangers share
//! one thread of their own, and the system runs it, and what it starts, only with what is left.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::pin;

use rustix::process::nice;
use tokio::runtime::{Builder, EnterGuard, Runtime};
use tracing::debug;

/// By how much it gives way, in the system's own measure: others get ten times as much of a processor.
const GIVES_WAY: i32 = 10;

/// The thread, and what runs on it. What is still under way when this is dropped is given up.
#[derive(Debug)]
pub struct Lane(Option<Runtime>);

impl Lane {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Where the system has none left.
    pub fn open() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(1).thread_name("ports").enable_all();
        let runtime = builder.on_thread_start(give_way).build()?;
        Ok(Self(Some(runtime)))
    }

    /// Does this, and what it spawns and opens is on the thread.
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let _on_it = self.enter();
            work.as_mut().poll(context)
        })
        .await
    }

    /// What is spawned, and opened, while this is held is on the thread.
    #[must_use]
    pub fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = mem::take(&mut self.0) {
            // It may be dropped where nobody may wait.
            runtime.shutdown_background();
        }
    }
}

/// On Linux it is a thread's own, and passed on to those that it starts.
fn give_way() {
    if let Err(error) = nice(GIVES_WAY) {
        debug!(
            error = &error as &dyn std::error::Error,
            "The ports' thread gives way to nobody"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn what_it_runs_and_starts_gives_way_and_nothing_else_does() {
        let own = || nice(0).expect("it is known");
        let before = own();
        let lane = Lane::open().expect("a thread");
        let (on_it, started) = lane
            .within(async move {
                let on_it = tokio::spawn(async move {
                    let started = thread::spawn(own).join();
                    (own(), started.expect("it ends"))
                });
                on_it.await.expect("it ends")
            })
            .await;
        assert_eq!(on_it, before + GIVES_WAY);
        assert_eq!(started, on_it);
        assert_eq!(own(), before);
    }
}
