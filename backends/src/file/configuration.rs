//! The configuration document as a file, which people and config maps replace at any time.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use stepdown_core::ConfigurationText;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::watch::DirectoryWatch;
use crate::backend::ConfigurationSource;

pub(crate) struct FileConfiguration {
    text: watch::Receiver<Option<ConfigurationText>>,
    task: JoinHandle<()>,
}

impl FileConfiguration {
    pub(crate) fn new(path: PathBuf) -> Self {
        let (sender, text) = watch::channel(None);
        let task = tokio::spawn(follow(path, sender));
        Self { text, task }
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
}

async fn follow(path: PathBuf, sender: watch::Sender<Option<ConfigurationText>>) {
    // It watches before it reads, so that no change falls in between.
    let mut watch = DirectoryWatch::new(&path);
    let mut known_error = None;
    loop {
        let read = {
            let path = path.clone();
            spawn_blocking(move || read(&path)).await
        };
        match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(text) => {
                known_error = None;
                sender.send_if_modified(|known| {
                    let is_new = known.as_ref() != Some(&text);
                    *known = Some(text);
                    is_new
                });
            }
            Err(error) => {
                let error = error.to_string();
                if known_error.as_ref() != Some(&error) {
                    tracing::error!(path = %path.display(), %error, "The configuration can't be read; the last one stays");
                    known_error = Some(error);
                }
            }
        }
        watch.happened().await;
    }
}

fn read(path: &Path) -> io::Result<ConfigurationText> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let source = path.display().to_string();
    Ok(ConfigurationText { source, text })
}
