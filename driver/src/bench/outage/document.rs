//! The status document from outside: what is in it, and how much was written to get there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

/// More often than the file is ever replaced.
const LOOK: Duration = Duration::from_millis(2);

/// Weighs every document that is put in place.
pub(super) struct Weighed {
    bytes: Arc<AtomicU64>,
    looking: JoinHandle<()>,
}

/// Tells one document of a file from the next.
pub(super) type Stamp = (u64, i64, i64);

impl Weighed {
    pub(super) fn start(path: PathBuf) -> Self {
        let bytes = Arc::new(AtomicU64::new(0));
        let sum = Arc::clone(&bytes);
        let looking = tokio::spawn(async move {
            let mut last = None;
            loop {
                if let Ok(found) = fs::metadata(&path) {
                    let stamp = Some(stamp(&found));
                    if stamp != last {
                        sum.fetch_add(found.len(), Ordering::Relaxed);
                        last = stamp;
                    }
                }
                sleep(LOOK).await;
            }
        });
        Self { bytes, looking }
    }

    /// All of them together.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Weighed {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

pub(super) fn stamp(found: &fs::Metadata) -> Stamp {
    (found.ino(), found.mtime(), found.mtime_nsec())
}
