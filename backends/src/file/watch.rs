//! Notices that something happened in a directory. Files are replaced there by renaming and by
//! swapping links, so it is the directory that is watched, and never one file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::place::Place;
use super::vfs::RealVfs;
use super::writers::Writers;

/// How long it must be quiet, since editors and copies do many things in a row.
const QUIET: Duration = Duration::from_millis(100);
/// How long it may be restless.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look anyway: a watch may miss what happens behind a link, or not work at all.
const LOOK: Duration = Duration::from_secs(5);

/// Watches the directory that a path is in, and those that its links lead to.
pub(crate) struct DirectoryWatch {
    path: PathBuf,
    happened: Arc<Notify>,
    writers: Arc<Writers>,
    watched: BTreeSet<PathBuf>,
    watcher: Option<RecommendedWatcher>,
    has_warned: bool,
}

impl DirectoryWatch {
    pub(crate) fn new(path: &Path) -> Self {
        let mut watch = Self {
            path: path.to_path_buf(),
            happened: Arc::default(),
            writers: Arc::default(),
            watched: BTreeSet::new(),
            watcher: None,
            has_warned: false,
        };
        watch.follow();
        watch
    }

    /// Returns some time after something happened, when it is quiet again, and now and then.
    pub(crate) async fn happened(&mut self) {
        if timeout(LOOK, self.happened.notified()).await.is_ok() {
            let patience = Instant::now() + PATIENCE;
            while Instant::now() < patience {
                let quiet = sleep_until(Instant::now() + QUIET);
                tokio::select! {
                    () = quiet => break,
                    () = self.happened.notified() => {}
                }
            }
        }
        self.follow();
    }

    /// Whether somebody is known to write the file, and has not closed it.
    pub(crate) fn is_being_written(&self) -> bool {
        let target = resolved(&self.path);
        self.writers.are_at(&self.path) || target.is_ok_and(|target| self.writers.are_at(&target))
    }

    /// Watches where the path leads now.
    fn follow(&mut self) {
        let mut wanted = BTreeSet::new();
        for path in [Ok(self.path.clone()), resolved(&self.path)] {
            if let Some(directory) = path.ok().as_deref().and_then(Path::parent) {
                wanted.insert(present(directory));
            }
        }
        if wanted == self.watched && self.watcher.is_some() && wanted.iter().all(|it| it.exists()) {
            return;
        }
        match self.start(&wanted) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                self.watcher = None;
                if !self.has_warned {
                    tracing::warn!(path = %self.path.display(), %error, "Changes are noticed late: the directory can't be watched");
                }
                self.has_warned = true;
            }
        }
        self.watched = wanted;
    }

    fn start(&self, directories: &BTreeSet<PathBuf>) -> notify::Result<RecommendedWatcher> {
        let (happened, writers) = (self.happened.clone(), self.writers.clone());
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if let Ok(event) = &event {
                    writers.saw(event);
                }
                // Our own reading is no change.
                if !event.is_ok_and(|event| event.kind.is_access()) {
                    happened.notify_one();
                }
            })?;
        for directory in directories {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    }
}

fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    match path.canonicalize() {
        Ok(path) => Ok(path),
        Err(_) => Place::find(&RealVfs, path).map(|place| place.document),
    }
}

fn present(directory: &Path) -> PathBuf {
    if directory.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        directory.to_path_buf()
    }
}
