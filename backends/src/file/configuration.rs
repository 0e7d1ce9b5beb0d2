//! The configuration document as a file, which people and config maps replace at any time.
//!
//! Whoever writes it may do so in several goes, and what is there in between may be a document as well:
//! `initialShardCount: 1` on the way to `16`. So it is taken only when nobody is known to write it, and
//! it was the same twice, some time apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::ConfigurationText;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep};

use super::configuration_text::Look;
use super::watch::DirectoryWatch;
use crate::backend::ConfigurationSource;

/// Between two looks that have to see the same.
const REST: Duration = Duration::from_secs(1);
/// A file that was there before us and was not written for so long is believed at the first look.
const OLD: Duration = Duration::from_secs(5);
/// How long it may be written before that is said.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct FileConfiguration {
    text: watch::Receiver<Option<ConfigurationText>>,
    asked: Arc<Notify>,
    task: JoinHandle<()>,
}

impl FileConfiguration {
    pub(crate) fn new(path: PathBuf) -> Self {
        let (sender, text) = watch::channel(None);
        let asked = Arc::new(Notify::new());
        let task = tokio::spawn(follow(path, sender, asked.clone()));
        Self { text, asked, task }
    }
}

impl Drop for FileConfiguration {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ConfigurationSource for FileConfiguration {
    fn watch(&self) -> watch::Receiver<Option<ConfigurationText>> {
        self.text.clone()
    }

    fn read_again(&self) {
        self.asked.notify_one();
    }
}

async fn follow(
    path: PathBuf,
    sender: watch::Sender<Option<ConfigurationText>>,
    asked: Arc<Notify>,
) {
    // It watches before it reads, so that no change falls in between.
    let mut watch = DirectoryWatch::new(&path);
    let mut known = None;
    loop {
        let look = look(&path).await;
        let is_known = look
            .as_ref()
            .is_some_and(|look| Some(&look.text) == known.as_ref());
        if let Some(look) = look.filter(|_| !is_known) {
            let is_first = known.is_none();
            let settled = settled(&path, look, is_first, &watch).await;
            if let Some(error) = &settled.error {
                tracing::error!(path = %path.display(), error, "The configuration can't be read; the last one stays");
            }
            known = Some(settled.text.clone());
            sender.send_if_modified(|sent| {
                let is_new = sent.as_ref() != Some(&settled.text);
                *sent = Some(settled.text);
                is_new
            });
        }
        tokio::select! {
            () = watch.happened() => {}
            () = asked.notified() => {}
        }
    }
}

/// What is there once it rests.
async fn settled(path: &Path, first: Look, is_first: bool, watch: &DirectoryWatch) -> Look {
    let began = Instant::now();
    let mut is_told = false;
    let mut before = first;
    if is_first && before.is_older_than(OLD) && !watch.is_being_written() {
        return before;
    }
    loop {
        sleep(REST).await;
        let Some(now) = look(path).await else {
            continue;
        };
        if now == before && !watch.is_being_written() {
            return now;
        }
        before = now;
        if began.elapsed() >= PATIENCE && !is_told {
            tracing::warn!(path = %path.display(), "The configuration is still being written; it is read when that is over");
            is_told = true;
        }
    }
}

/// What is there now, unless it is being written: then a part of it may be a document as well.
pub(super) async fn read_at_rest(path: &Path) -> Result<ConfigurationText, String> {
    let failed = || format!("{} could not be looked at", path.display());
    let first = look(path).await.ok_or_else(failed)?;
    if !first.is_older_than(OLD) {
        sleep(REST).await;
        if look(path).await.ok_or_else(failed)? != first {
            return Err(format!("{} is being written", path.display()));
        }
    }
    match first.error {
        None => Ok(first.text),
        Some(_) => Err(first.text.source),
    }
}

/// Nothing, where the look could not be made.
async fn look(path: &Path) -> Option<Look> {
    let path = path.to_path_buf();
    spawn_blocking(move || Look::at(&path)).await.ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_is_read_once_more_follows_links_and_is_not_what_is_being_written() {
        let directory = tempfile::tempdir().unwrap();
        let (data, path) = (
            directory.path().join("data.yaml"),
            directory.path().join("cluster.yaml"),
        );
        std::os::unix::fs::symlink("data.yaml", &path).unwrap();
        let absent = read_at_rest(&path).await.unwrap();
        assert_eq!(absent.text, None);
        fs::write(&data, "initialShardCount: 1").unwrap();
        let read = read_at_rest(&path).await.unwrap();
        assert_eq!(read.text.as_deref(), Some("initialShardCount: 1"));
        let (reading, written) = tokio::join!(read_at_rest(&path), async {
            sleep(REST / 2).await;
            fs::write(&data, "initialShardCount: 16")
        });
        written.unwrap();
        assert!(reading.unwrap_err().contains("is being written"));
        fs::write(&data, b"\xff").unwrap();
        let error = read_at_rest(&path).await.unwrap_err();
        assert!(error.contains("UTF-8"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_since_the_last_look_is_looked_at_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cluster.yaml");
        let watch = DirectoryWatch::new(&path);
        fs::write(&path, "initialShardCount: 1").unwrap();
        let first = look(&path).await.unwrap();
        fs::write(&path, "initialShardCount: 16").unwrap();
        let settled = settled(&path, first, true, &watch).await;
        assert_eq!(settled.text.text.as_deref(), Some("initialShardCount: 16"));
    }
}
