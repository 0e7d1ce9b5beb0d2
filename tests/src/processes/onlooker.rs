use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use stepdown_backends::raft::admin::AdminClient;
use stepdown_core::Epoch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::History;

/// How soon nodes are asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// Looks at a status file whenever it changes, and counts the attempts at its lock; or asks the nodes
/// of coordinators for their status, again and again.
#[derive(Debug)]
pub struct Onlooker {
    seen: Arc<Mutex<Seen>>,
    _looks: Looks,
}

/// How it looks. It ends with this.
#[derive(Debug)]
enum Looks {
    File { _watcher: RecommendedWatcher },
    Nodes { _task: JoinSet<()> },
}

#[derive(Debug)]
struct Seen {
    status: PathBuf,
    lock: PathBuf,
    history: History,
    attempts: u64,
    is_away: bool,
    wrong: Option<String>,
}

impl Onlooker {
    /// Begins; the file's directory must exist.
    pub fn new(status: &Path) -> Self {
        let seen = Arc::new(Mutex::new(Seen::at(status.to_path_buf())));
        let handler = seen.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Ok(event) = event {
                locked(&handler).happened(&event);
            }
        })
        .expect("directories can be watched");
        let directory = status.parent().expect("a file is in a directory");
        watcher
            .watch(directory, RecursiveMode::NonRecursive)
            .expect("the directory can be watched");
        Self {
            seen,
            _looks: Looks::File { _watcher: watcher },
        }
    }

    /// Begins. Whatever such a node exports a majority has, and it is no older than the question: so
    /// one export is never older than the one before.
    pub fn of_nodes(addresses: Vec<String>) -> Self {
        let client = AdminClient::new(addresses, None).expect("no TLS");
        let seen = Arc::new(Mutex::new(Seen::at(PathBuf::new())));
        let history = seen.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                if let Ok(exported) = client.export().await
                    && let Some(status) = exported.status
                {
                    locked(&history).take(status.text);
                }
                sleep(AGAIN).await;
            }
        });
        Self {
            seen,
            _looks: Looks::Nodes { _task: task },
        }
    }

    /// The greatest epoch in the file so far.
    pub fn epoch(&self) -> Epoch {
        let mut seen = locked(&self.seen);
        seen.look();
        seen.history.epoch
    }

    /// How many different documents were seen.
    pub fn documents(&self) -> u64 {
        locked(&self.seen).history.documents
    }

    /// How often somebody has let go of the lock file: each attempt at the lock that fails does.
    pub fn attempts(&self) -> u64 {
        locked(&self.seen).attempts
    }

    /// No longer judges the file: from now on it is put back on purpose.
    pub fn look_away(&self) {
        locked(&self.seen).is_away = true;
    }

    /// The first thing that was wrong with a document.
    pub fn wrong(&self) -> Option<String> {
        locked(&self.seen).wrong.clone()
    }
}

impl Seen {
    fn at(status: PathBuf) -> Self {
        let mut lock = status.as_os_str().to_owned();
        lock.push(".lock");
        Self {
            status,
            lock: lock.into(),
            history: History::default(),
            attempts: 0,
            is_away: false,
            wrong: None,
        }
    }

    fn happened(&mut self, event: &Event) {
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        if event.kind == closed && event.paths.contains(&self.lock) {
            self.attempts += 1;
        }
        // Its own reading is no change.
        if !event.kind.is_access() && event.paths.contains(&self.status) {
            self.look();
        }
    }

    fn look(&mut self) {
        if self.is_away {
            return;
        }
        // There is none at first.
        let Ok(text) = fs::read_to_string(&self.status) else {
            return;
        };
        self.take(text);
    }

    fn take(&mut self, text: String) {
        if let Err(wrong) = self.history.take(text) {
            self.wrong.get_or_insert(wrong);
        }
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
