//! The document under the lock: everything here blocks, and runs on threads that may.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use stepdown_core::Version;
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{StatusDocument, StoreOutcome, WrittenBy};

use super::commit::{CommitError, commit};
use super::content::{Content, judge, version};
use super::header::{Header, seal};
use super::notes::{self, Holder, Notes};
use super::outcome;
use super::place::{Place, if_there};
use super::sidecar::Record;
use super::vfs::{Stat, Vfs, VfsFile};
use crate::lacks::Remembered;

/// One coordinator's access to the files.
pub(crate) struct Disk {
    vfs: Arc<dyn Vfs>,
    given: PathBuf,
    pub(crate) place: Place,
    initialize_empty: bool,
    held: Mutex<Option<Held>>,
    /// Whether what is seen on disk may be undone by a power cut. At first anything may be.
    unsettled: AtomicBool,
    /// The file that we wrote last.
    own: Mutex<Option<Stat>>,
}

/// The lock, for as long as this lives.
pub(crate) struct Held {
    lock: Box<dyn VfsFile>,
    /// Keeps those out who lock the document itself.
    document: Option<Box<dyn VfsFile>>,
    /// As they are in the lock file.
    notes: Notes,
}

/// Whether the lock could be taken.
pub(crate) enum Taken {
    Held(Held),
    /// Another coordinator has it.
    ByAnother,
    /// An Oxia coordinator has locked the document itself.
    ByOxia,
}

impl Disk {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, given: &Path, initialize_empty: bool) -> io::Result<Self> {
        Ok(Self {
            place: Place::find(&*vfs, given)?,
            given: given.to_path_buf(),
            initialize_empty,
            held: Mutex::default(),
            unsettled: AtomicBool::new(true),
            own: Mutex::default(),
            vfs,
        })
    }

    /// Tries to take the lock, and doesn't wait for it.
    pub(crate) fn try_lock(&self) -> io::Result<Taken> {
        let lock = self.vfs.open_or_create(&self.place.lock)?;
        if !lock.try_lock()? || !self.is_named(&*lock)? {
            return Ok(Taken::ByAnother);
        }
        let document = if_there(self.vfs.open(&self.place.document))?;
        if let Some(document) = &document
            && !document.try_lock()?
        {
            return Ok(Taken::ByOxia);
        }
        self.clean_up();
        let known = self.place.read_lock_file(&*self.vfs);
        // They are only lost: what can't be read now is written anew with the next document.
        let notes = known.map(|it| it.notes()).unwrap_or_default();
        Ok(Taken::Held(Held {
            lock,
            document,
            notes,
        }))
    }

    /// Who says in the lock file that the lock is theirs.
    pub(crate) fn holder(&self) -> Option<Holder> {
        let read = self.place.read_lock_file(&*self.vfs);
        read.ok()?.notes().holder
    }

    /// Holds on to the lock until [`let_go`](Self::let_go).
    pub(crate) fn hold(&self, held: Held) {
        self.unsettled.store(true, Ordering::SeqCst);
        *self.held() = Some(held);
    }

    /// Gives the lock back; says whether we had it.
    pub(crate) fn let_go(&self) -> bool {
        self.held().take().is_some()
    }

    /// Whether the lock that we hold is still the one that others try.
    pub(crate) fn is_held(&self) -> io::Result<bool> {
        match &*self.held() {
            None => Ok(false),
            Some(held) => self.is_named(&*held.lock),
        }
    }

    /// What is on disk. Under the lock it is durable as well.
    pub(crate) fn read(&self) -> io::Result<Content> {
        if self.unsettled.load(Ordering::SeqCst) {
            self.settle(self.held().as_ref())?;
        }
        self.read_unsettled()
    }

    /// Compares and sets.
    pub(crate) fn store(
        &self,
        expected: Option<&Version>,
        document: &StatusDocument,
    ) -> StoreOutcome {
        let mut held = self.held();
        let Some(lock) = held.as_mut() else {
            return StoreOutcome::Conflict(format!("{} is not locked by us", self.shown()));
        };
        match self.may_write(lock) {
            Ok(None) => {}
            Ok(Some(reason)) => return StoreOutcome::Conflict(reason),
            Err(error) => return outcome::not_stored(&self.place.document, &error),
        }
        let content = self.settle(Some(lock)).and_then(|()| self.read_unsettled());
        let committed = match content {
            Err(error) => return outcome::not_stored(&self.place.document, &error),
            Ok(Content::Corrupt(corrupt)) => return StoreOutcome::Corrupt(corrupt.to_string()),
            Ok(Content::Absent) if expected.is_none() => Record::default(),
            Ok(Content::Document(present)) if Some(&present.version) == expected => {
                present.committed
            }
            Ok(Content::Document(present)) => {
                let (write_id, intact) = (present.write_id, present.intact);
                let writer = WrittenBy { write_id, intact };
                let (path, version) = (self.shown(), &present.version);
                return StoreOutcome::Conflict(format!(
                    "{path} is at version {version}, written {writer}"
                ));
            }
            Ok(Content::Absent) => return StoreOutcome::Conflict(self.changed()),
        };
        let header = Header {
            version: committed.version.saturating_add(1),
            epoch: document.epoch.max(committed.epoch),
            write_id: Some(document.write_id),
        };
        let bytes = seal(&header, &document.status.encode());
        let outcome = self.replace(lock, expected, header.record(), &bytes);
        if matches!(outcome, StoreOutcome::Stored(_)) {
            lock.note_document(&self.place.lock, &document.status);
        }
        outcome
    }

    /// Whether this is the file that we wrote last, as it was.
    pub(crate) fn is_own(&self, stat: &Stat) -> bool {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.as_ref() == Some(stat)
    }

    pub(crate) fn stat(&self) -> io::Result<Option<Stat>> {
        if_there(self.vfs.stat(&self.given))
    }

    fn replace(
        &self,
        held: &mut Held,
        expected: Option<&Version>,
        record: Record,
        bytes: &[u8],
    ) -> StoreOutcome {
        let before_rename = |stat| {
            let refused = self.refuses(held, expected)?;
            *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(stat);
            Ok(refused)
        };
        match commit(&*self.vfs, &self.place, bytes, before_rename) {
            Ok(file) => held.document = Some(file),
            Err(CommitError::NotApplied(error)) => {
                return outcome::not_stored(&self.place.document, &error);
            }
            Err(CommitError::Refused(reason)) => return StoreOutcome::Conflict(reason),
            Err(CommitError::Unknown(error)) => {
                self.unsettled.store(true, Ordering::SeqCst);
                return StoreOutcome::Ambiguous(format!("{}: {error}", self.shown()));
            }
        }
        held.remember(&self.place.lock, record);
        StoreOutcome::Stored(version(bytes))
    }

    /// Makes what is seen durable, and the lock file catch up with it, before anybody relies on
    /// it: a rename may have outlived the one who made it, or the answer to it.
    fn settle(&self, held: Option<&Held>) -> io::Result<()> {
        let Some(held) = held.filter(|_| self.unsettled.load(Ordering::SeqCst)) else {
            return Ok(());
        };
        self.vfs.sync_directory(&self.place.directory)?;
        let known = self.place.read_lock_file(&*self.vfs)?.sidecar;
        if let Content::Document(present) = self.read_unsettled()?
            && present.intact
            && known.record() < Some(present.committed)
        {
            held.remember(&self.place.lock, present.committed);
        }
        self.unsettled.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn read_unsettled(&self) -> io::Result<Content> {
        // In this order: a commit in between may put the document ahead, never the lock file.
        let lock = self.place.read_lock_file(&*self.vfs)?;
        let bytes = self.place.read_document(&*self.vfs)?;
        let path = &self.place.document;
        Ok(judge(path, bytes, &lock, self.initialize_empty))
    }

    fn may_write(&self, held: &Held) -> io::Result<Option<String>> {
        if !self.is_named(&*held.lock)? {
            let lock = self.place.lock.display();
            return Ok(Some(format!("{lock} was replaced by another file")));
        }
        if Place::find(&*self.vfs, &self.given)? != self.place {
            let given = self.given.display();
            return Ok(Some(format!("{given} leads to another file now")));
        }
        Ok(None)
    }

    /// Looks for the last time whether the lock and the document are still what they were.
    fn refuses(&self, held: &Held, expected: Option<&Version>) -> io::Result<Option<String>> {
        if let Some(reason) = self.may_write(held)? {
            return Ok(Some(reason));
        }
        let present = self.place.read_document(&*self.vfs)?;
        let present = present.filter(|bytes| !(bytes.is_empty() && self.initialize_empty));
        let is_expected = present.as_deref().map(version).as_ref() == expected;
        Ok((!is_expected).then(|| self.changed()))
    }

    /// Whether the lock file's name still leads to this file.
    fn is_named(&self, lock: &dyn VfsFile) -> io::Result<bool> {
        let named = if_there(self.vfs.stat(&self.place.lock))?;
        let ours = lock.stat()?;
        Ok(named.is_some_and(|named| named.is_same_file(&ours)))
    }

    fn clean_up(&self) {
        let leftovers = self.place.leftovers(&*self.vfs).unwrap_or_default();
        for path in leftovers {
            if let Err(error) = self.vfs.unlink(&path) {
                tracing::warn!(path = %path.display(), %error, "A leftover can't be deleted");
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) -> String {
        format!("{} was changed by somebody else", self.shown())
    }

    fn shown(&self) -> impl fmt::Display + '_ {
        self.place.document.display()
    }
}

impl Held {
    /// Records a commit in the lock file. The document says the same of itself, so a failure
    /// loses nothing but a second witness.
    pub(crate) fn remember(&self, path: &Path, record: Record) {
        let written = self.lock.write_at(&record.encode(), record.offset());
        if let Err(error) = written.and_then(|()| self.lock.sync()) {
            tracing::warn!(path = %path.display(), %error, "The lock file can't be written");
        }
    }

    /// Says in the lock file whose the lock is; a power cut ends the lock as well.
    pub(crate) fn introduce(&mut self, path: &Path, holder: Holder) {
        let notes = Notes {
            holder: Some(holder),
            ..self.notes.clone()
        };
        self.note(path, notes, |_| Ok(()));
    }

    /// Remembers in the lock file what is in the document.
    pub(crate) fn note_document(&mut self, path: &Path, status: &ClusterStatus) {
        let document = Some(Remembered::of(status));
        let notes = Notes {
            document,
            ..self.notes.clone()
        };
        self.note(path, notes, |file| file.sync());
    }

    fn note(
        &mut self,
        path: &Path,
        notes: Notes,
        finish: impl FnOnce(&dyn VfsFile) -> io::Result<()>,
    ) {
        if notes == self.notes {
            return;
        }
        let offset = u64::try_from(notes::AT).unwrap_or_default();
        let written = self.lock.write_at(&notes.encode(), offset);
        match written.and_then(|()| finish(&*self.lock)) {
            Ok(()) => self.notes = notes,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "The lock file can't be written");
            }
        }
    }
}
