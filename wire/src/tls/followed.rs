//! Files that are read again for each handshake, by a thread that may wait for a disk: those that answer may
//! not, as all that they answer would wait as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// So long a handshake waits for what is in the files. After that what was read last holds.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was read from files.
pub(super) trait Reread: Send + Sync {
    /// Reads them again. What can't be read stays as it was, and the log says so.
    fn reread(&self);
}

/// All that one side of TLS has from files.
#[derive(Clone, Default)]
pub(super) struct Followed {
    files: Arc<[Arc<dyn Reread>]>,
    /// Of whoever reads: a disk that does not answer keeps one thread waiting, however many ask.
    turn: Arc<Mutex<()>>,
    /// How many readings have begun.
    begun: Arc<AtomicU64>,
}

impl Followed {
    pub(super) fn new(files: impl IntoIterator<Item = Arc<dyn Reread>>) -> Self {
        Self {
            files: files.into_iter().collect(),
            turn: Arc::default(),
            begun: Arc::default(),
        }
    }

    /// Returns once all is as the files were after this was called, or after a while.
    pub(super) async fn follow(&self) {
        let until = Instant::now() + PATIENCE;
        let before = self.begun.load(Ordering::SeqCst);
        let Ok(turn) = timeout_at(until, Arc::clone(&self.turn).lock_owned()).await else {
            return late();
        };
        // Whoever has read meanwhile has read for all that have waited since before.
        if self.begun.load(Ordering::SeqCst) > before {
            return;
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        let files = Arc::clone(&self.files);
        let reading = spawn_blocking(move || {
            // Kept until the end, though nobody may wait for it by then.
            let _turn = turn;
            for each in &*files {
                each.reread();
            }
        });
        if timeout_at(until, reading).await.is_err() {
            late();
        }
    }
}

fn late() {
    warn!(
        "The files of TLS were not read within {PATIENCE:?}: a disk does not answer; what was read last is used"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures_util::future::join_all;

    use super::*;

    /// Answers when it is told to.
    struct Disk {
        asked: AtomicUsize,
        answers: std::sync::Mutex<mpsc::Receiver<()>>,
    }

    impl Reread for Disk {
        fn reread(&self) {
            self.asked.fetch_add(1, Ordering::SeqCst);
            // At once, where the test has ended.
            let _ = self.answers.lock().unwrap().recv();
        }
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_asked_once_and_nobody_waits_for_it_for_long() {
        let (answer, answers) = mpsc::channel();
        let disk = Arc::new(Disk {
            asked: AtomicUsize::new(0),
            answers: std::sync::Mutex::new(answers),
        });
        let followed = Followed::new([Arc::clone(&disk) as _]);
        let asked = || disk.asked.load(Ordering::SeqCst);
        join_all((0..100).map(|_| followed.follow())).await;
        while asked() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked(), 1);
        answer.send(()).unwrap();
        answer.send(()).unwrap();
        while asked() == 1 {
            followed.follow().await;
        }
        drop(answer);
    }
}
