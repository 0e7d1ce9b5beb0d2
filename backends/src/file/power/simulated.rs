//! A file system that remembers what is durable, and what only seems to be.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::file::vfs::{Stat, Vfs, VfsFile};

/// What goes wrong at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    CutBefore,
    /// A write is half done; anything else is done.
    CutDuring,
    CutAfter,
    Fails,
    FailsThoughDone,
    /// Nothing fails, but right before it somebody else writes the document in place.
    ForeignWrite(&'static str, &'static [u8]),
    Full,
}

/// Which names are there after a power cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Names {
    Durable,
    Written,
}

/// Which of the bytes that were not made durable are there after a power cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Data {
    Durable,
    Torn,
    Written,
}

#[derive(Clone)]
pub(super) struct Simulated(Arc<Mutex<Disk>>, Arc<Mutex<Option<Stall>>>);

/// Where a disk stalls.
struct Stall {
    reached: Sender<()>,
    end: Receiver<()>,
}

#[derive(Clone, Default)]
struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    locked: BTreeSet<usize>,
    operations: usize,
    fault: Option<(usize, Fault)>,
    is_off: bool,
}

#[derive(Clone, Default)]
struct File {
    written: Vec<u8>,
    durable: Vec<u8>,
    mode: u32,
    /// Syncing it has failed: the kernel believes it clean.
    believed_clean: bool,
    writes: i64,
}

impl Simulated {
    pub(super) fn new() -> Self {
        Self(Arc::default(), Arc::default())
    }

    pub(super) fn operations(&self) -> usize {
        self.disk().operations
    }

    pub(super) fn fail(&self, operation: usize, fault: Fault) {
        self.disk().fault = Some((operation, fault));
    }

    /// Stalls the next rename; says when it has begun, and ends it when told or dropped.
    pub(super) fn stall_rename(&self) -> (Receiver<()>, Sender<()>) {
        let ((reached, told), (resume, end)) = (channel(), channel());
        *self.1.lock().unwrap() = Some(Stall { reached, end });
        (told, resume)
    }

    /// A file that has been there for long.
    pub(super) fn put(&self, path: &str, bytes: &[u8]) {
        let mut disk = self.disk();
        let number = disk.create(Path::new(path), 0o644);
        disk.files[number].written = bytes.to_vec();
        disk.files[number].durable = bytes.to_vec();
        disk.durable_names = disk.names.clone();
    }

    /// The disk as it may be after the power was cut now.
    pub(super) fn rebooted(&self, names: Names, data: Data) -> Self {
        let mut disk = self.disk().clone();
        if matches!(names, Names::Durable) {
            disk.names = disk.durable_names.clone();
        }
        disk.durable_names = disk.names.clone();
        for file in &mut disk.files {
            let survives = match data {
                Data::Durable => file.durable.clone(),
                Data::Torn => file.torn(),
                Data::Written => file.written.clone(),
            };
            file.written.clone_from(&survives);
            file.durable = survives;
            file.believed_clean = false;
        }
        disk.locked.clear();
        disk.fault = None;
        disk.is_off = false;
        Self(Arc::new(Mutex::new(disk)), Arc::default())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Does one operation, unless it is the one that is to fail.
    fn perform<T>(
        &self,
        operation: impl FnOnce(&mut Disk, bool) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut disk = self.disk();
        if disk.is_off {
            return Err(io::Error::other("the power is cut"));
        }
        let number = disk.operations;
        disk.operations += 1;
        let failure = Err(io::Error::from_raw_os_error(5));
        match disk.fault {
            Some((at, fault)) if at == number => match fault {
                Fault::CutBefore => {
                    disk.is_off = true;
                    failure
                }
                Fault::CutDuring => {
                    let _ = operation(&mut disk, true);
                    disk.is_off = true;
                    failure
                }
                Fault::CutAfter => {
                    let done = operation(&mut disk, false);
                    disk.is_off = true;
                    done
                }
                Fault::Fails => failure,
                Fault::FailsThoughDone => {
                    let _ = operation(&mut disk, false);
                    failure
                }
                Fault::ForeignWrite(path, bytes) => {
                    let document = disk.find(Path::new(path))?;
                    disk.files[document].written = bytes.to_vec();
                    disk.files[document].writes += 1;
                    operation(&mut disk, false)
                }
                Fault::Full => Err(io::ErrorKind::StorageFull.into()),
            },
            _ => operation(&mut disk, false),
        }
    }
}

impl Disk {
    fn create(&mut self, path: &Path, mode: u32) -> usize {
        let number = self.files.len();
        self.files.push(File {
            mode,
            ..File::default()
        });
        self.names.insert(path.to_path_buf(), number);
        number
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let found = self.names.get(path).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn stat(&self, number: usize) -> Stat {
        let file = &self.files[number];
        Stat {
            device: 1,
            inode: number as u64,
            mode: file.mode,
            len: file.written.len() as u64,
            modified: (file.writes, 0),
        }
    }
}

impl File {
    /// The first half of what was changed, and for the rest what was there.
    fn torn(&self) -> Vec<u8> {
        let mut torn = self.durable.clone();
        let half = self.written.len() / 2;
        torn.resize(torn.len().max(half), 0);
        torn[..half].copy_from_slice(&self.written[..half]);
        torn
    }
}

struct Open {
    simulated: Simulated,
    number: usize,
    holds_lock: Mutex<bool>,
}

impl Simulated {
    fn opened(&self, number: usize) -> Box<dyn VfsFile> {
        Box::new(Open {
            simulated: self.clone(),
            number,
            holds_lock: Mutex::new(false),
        })
    }
}

impl Vfs for Simulated {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.perform(|disk, _| disk.find(path).map(|it| disk.files[it].written.clone()))
    }

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn VfsFile>> {
        let number = self.perform(|disk, _| {
            if disk.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(disk.create(path, mode))
        })?;
        Ok(self.opened(number))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let number = self.perform(|disk, _| disk.find(path))?;
        Ok(self.opened(number))
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Box<dyn VfsFile>> {
        let number = self
            .perform(|disk, _| Ok(disk.find(path).unwrap_or_else(|_| disk.create(path, 0o600))))?;
        Ok(self.opened(number))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.perform(|disk, _| disk.find(path).map(|it| disk.stat(it)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let stall = self.1.lock().unwrap().take();
        if let Some(stall) = stall {
            stall.reached.send(()).unwrap();
            // Dropping the other end ends it too.
            let _ = stall.end.recv();
        }
        self.perform(|disk, _| {
            let number = disk.find(from)?;
            disk.names.remove(from);
            disk.names.insert(to.to_path_buf(), number);
            Ok(())
        })
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.perform(|disk, _| {
            disk.find(path)?;
            disk.names.remove(path);
            Ok(())
        })
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        self.perform(|disk, _| {
            disk.durable_names = disk.names.clone();
            Ok(())
        })
    }

    fn list(&self, _: &Path) -> io::Result<Vec<OsString>> {
        self.perform(|disk, _| {
            let names = disk.names.keys().filter_map(|path| path.file_name());
            Ok(names.map(OsString::from).collect())
        })
    }

    fn read_link(&self, _: &Path) -> io::Result<Option<PathBuf>> {
        self.perform(|_, _| Ok(None))
    }
}

impl VfsFile for Open {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.simulated.perform(|disk, half| {
            let file = &mut disk.files[self.number];
            let len = if half { bytes.len() / 2 } else { bytes.len() };
            let start = usize::try_from(offset).unwrap();
            let end = start + len;
            file.written.resize(file.written.len().max(end), 0);
            file.written[start..end].copy_from_slice(&bytes[..len]);
            file.writes += 1;
            file.believed_clean = false;
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.simulated.perform(|disk, _| {
            let file = &mut disk.files[self.number];
            if !file.believed_clean {
                file.durable.clone_from(&file.written);
            }
            Ok(())
        });
        if synced.is_err() {
            self.simulated.disk().files[self.number].believed_clean = true;
        }
        synced
    }

    fn stat(&self) -> io::Result<Stat> {
        self.simulated.perform(|disk, _| Ok(disk.stat(self.number)))
    }

    fn try_lock(&self) -> io::Result<bool> {
        let taken = self
            .simulated
            .perform(|disk, _| Ok(disk.locked.insert(self.number)))?;
        *self.holds_lock.lock().unwrap() |= taken;
        Ok(taken)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if *self.holds_lock.lock().unwrap() {
            self.simulated.disk().locked.remove(&self.number);
        }
    }
}
