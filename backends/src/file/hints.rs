//! Hints that somebody else has written the status file.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::disk::Disk;
use super::vfs::Stat;
use super::watch::DirectoryWatch;
use crate::backend::StatusHints;

pub(crate) struct FileHints {
    hints: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl FileHints {
    pub(crate) fn new(disk: Arc<Disk>) -> Self {
        let (sender, hints) = watch::channel(0);
        // Before anybody can ask for hints, so that none falls in between.
        let watch = DirectoryWatch::new(&disk.place.document);
        let known = disk.stat().ok();
        let task = tokio::spawn(follow(disk, watch, known, sender));
        Self { hints, task }
    }
}

impl Drop for FileHints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StatusHints for FileHints {
    fn watch(&self) -> watch::Receiver<u64> {
        self.hints.clone()
    }
}

/// What was seen last: nothing if it could not be looked at, no file, or a file.
type Seen = Option<Option<Stat>>;

async fn follow(
    disk: Arc<Disk>,
    mut watch: DirectoryWatch,
    mut known: Seen,
    sender: watch::Sender<u64>,
) {
    loop {
        watch.happened().await;
        let seen = look(&disk).await;
        // What can't be looked at may have changed.
        let is_own = matches!(&seen, Some(Some(stat)) if disk.is_own(stat));
        if !is_own && (seen != known || seen.is_none()) {
            sender.send_modify(|count| *count += 1);
        }
        known = seen;
    }
}

async fn look(disk: &Arc<Disk>) -> Seen {
    let disk = disk.clone();
    spawn_blocking(move || disk.stat()).await.ok()?.ok()
}
