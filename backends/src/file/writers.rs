//! Which files of a watched directory somebody has begun to write and has not closed yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, event::Flag};
use tokio::time::Instant;

/// After so long without another write a file counts as closed: who changes it without opening it
/// closes nothing, and the notice of a close may be lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// The files that are being written, and when each was written last.
#[derive(Debug, Default)]
pub(super) struct Writers(Mutex<BTreeMap<PathBuf, Instant>>);

impl Writers {
    /// Takes note of what happened in the directory.
    pub(super) fn saw(&self, event: &Event) {
        let mut written = self.written();
        if event.attrs.flag() == Some(Flag::Rescan) {
            // Something was missed, perhaps a close.
            written.clear();
        }
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                let now = Instant::now();
                written.retain(|_, last| last.elapsed() < PATIENCE);
                written.extend(event.paths.iter().map(|path| (path.clone(), now)));
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => {
                for path in &event.paths {
                    written.remove(path);
                }
            }
            EventKind::Access(_)
            | EventKind::Any
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Other => {}
        }
    }

    /// Whether the file at this path is being written.
    pub(super) fn are_at(&self, path: &Path) -> bool {
        let Ok(path) = std::path::absolute(path) else {
            return false;
        };
        let last = self.written().get(&path).copied();
        last.is_some_and(|last| last.elapsed() < PATIENCE)
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, RenameMode};

    use super::*;

    const PATH: &str = "/etc/oxia/cluster.yaml";

    fn saw(writers: &Writers, kind: EventKind) {
        writers.saw(&Event::new(kind).add_path(PATH.into()));
    }

    #[test]
    fn a_file_is_being_written_from_the_first_write_to_the_close_after_it() {
        let writers = Writers::default();
        let is_written = || writers.are_at(Path::new(PATH));
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        for end in [
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)),
        ] {
            assert!(!is_written());
            saw(&writers, write);
            saw(
                &writers,
                EventKind::Access(AccessKind::Close(AccessMode::Read)),
            );
            assert!(is_written());
            saw(&writers, end);
        }
        assert!(!is_written());
    }

    #[tokio::test(start_paused = true)]
    async fn a_close_that_is_never_noticed_is_not_waited_for_for_ever() {
        let writers = Writers::default();
        saw(
            &writers,
            EventKind::Modify(ModifyKind::Data(DataChange::Any)),
        );
        tokio::time::advance(PATIENCE).await;
        assert!(!writers.are_at(Path::new(PATH)));
    }
}
