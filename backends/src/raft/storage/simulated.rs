//! A disk that remembers what is durable, and what only seems to be.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use super::medium::{File, Medium};

/// What goes wrong at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    CutBefore,
    /// A write is half done; anything else is done.
    CutDuring,
    CutAfter,
    Fails,
    FailsThoughDone,
    Full,
}

/// Which of the writes that were not made durable are there after a power cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Survives {
    All,
    /// Every other one: disks write in any order.
    Even,
    Nothing,
    Odd,
    /// The first half of each.
    Torn,
}

pub(super) const SURVIVES: [Survives; 5] = [
    Survives::All,
    Survives::Even,
    Survives::Nothing,
    Survives::Odd,
    Survives::Torn,
];

#[derive(Clone, Debug, Default)]
pub(super) struct Simulated(Arc<Mutex<Disk>>);

#[derive(Clone, Debug, Default)]
struct Disk {
    files: Vec<Content>,
    /// The numbers of the file that is there, and of the one that is to be.
    file: Option<usize>,
    new: Option<usize>,
    /// The one that was there before, for as long as that is not settled.
    before: Option<Option<usize>>,
    operations: usize,
    fault: Option<(usize, Fault)>,
    is_off: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    written: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(data);
            }
        }
    }

    fn halved(&self) -> Self {
        match self {
            Self::Length(length) => Self::Length(*length),
            Self::Write(offset, data) => Self::Write(*offset, data[..data.len() / 2].to_vec()),
        }
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.written);
        self.pending.push(change);
    }

    fn rebooted(&self, survives: Survives) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (number, change) in self.pending.iter().enumerate() {
            match survives {
                Survives::All => change.apply(&mut bytes),
                Survives::Even if number % 2 == 0 => change.apply(&mut bytes),
                Survives::Odd if number % 2 == 1 => change.apply(&mut bytes),
                Survives::Even | Survives::Nothing | Survives::Odd => {}
                Survives::Torn => change.halved().apply(&mut bytes),
            }
        }
        bytes
    }
}

impl Simulated {
    pub(super) fn operations(&self) -> usize {
        self.disk().operations
    }

    pub(super) fn fail(&self, operation: usize, fault: Fault) {
        self.disk().fault = Some((operation, fault));
    }

    /// Nothing goes wrong from now on.
    pub(super) fn mend(&self) {
        self.disk().fault = None;
    }

    pub(super) fn is_off(&self) -> bool {
        self.disk().is_off
    }

    /// The disk as it may be after the power was cut now.
    pub(super) fn rebooted(&self, survives: Survives) -> Self {
        let disk = self.disk();
        let mut after = Disk::default();
        let is_kept = matches!(survives, Survives::All | Survives::Even);
        let before = disk.before.filter(|_| !is_kept);
        if let Some(number) = before.unwrap_or(disk.file) {
            let bytes = disk.files[number].rebooted(survives);
            after.files.push(Content {
                durable: bytes.clone(),
                written: bytes,
                pending: Vec::new(),
            });
            after.file = Some(0);
        }
        Self(Arc::new(Mutex::new(after)))
    }

    /// Changes one bit of the file.
    pub(super) fn rot(&self, offset: usize) {
        let mut disk = self.disk();
        let number = disk.file.unwrap();
        disk.files[number].written[offset] ^= 8;
        disk.files[number].durable[offset] ^= 8;
    }

    pub(super) fn len(&self) -> usize {
        let disk = self.disk();
        disk.files[disk.file.unwrap()].written.len()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Does one operation, unless it is the one that is to fail. It is told whether to do half.
    fn perform<T>(
        &self,
        grows: bool,
        operation: impl FnOnce(&mut Disk, bool) -> T,
    ) -> io::Result<T> {
        let mut disk = self.disk();
        let failed = || Err(io::Error::from_raw_os_error(5));
        if disk.is_off {
            return failed();
        }
        let number = disk.operations;
        disk.operations += 1;
        let Some((at, fault)) = disk.fault else {
            return Ok(operation(&mut disk, false));
        };
        match fault {
            // A full disk stays full.
            Fault::Full if number >= at && grows => Err(io::Error::from_raw_os_error(28)),
            Fault::CutBefore if number == at => {
                disk.is_off = true;
                failed()
            }
            Fault::CutDuring if number == at => {
                operation(&mut disk, true);
                disk.is_off = true;
                failed()
            }
            Fault::CutAfter if number == at => {
                let done = operation(&mut disk, false);
                disk.is_off = true;
                Ok(done)
            }
            Fault::Fails if number == at => failed(),
            Fault::FailsThoughDone if number == at => {
                operation(&mut disk, false);
                failed()
            }
            Fault::CutAfter
            | Fault::CutBefore
            | Fault::CutDuring
            | Fault::Fails
            | Fault::FailsThoughDone
            | Fault::Full => Ok(operation(&mut disk, false)),
        }
    }
}

impl Medium for Simulated {
    fn name(&self) -> String {
        "/data/raft.redb".to_owned()
    }

    fn open(&self) -> io::Result<Option<File>> {
        let disk = self.disk();
        if disk.is_off {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(disk.file.map(|number| self.file(number)))
    }

    fn create(&self) -> io::Result<File> {
        let number = self.perform(false, |disk, _| {
            disk.files.push(Content::default());
            disk.new = Some(disk.files.len() - 1);
            disk.files.len() - 1
        })?;
        Ok(self.file(number))
    }

    fn discard(&self) -> io::Result<()> {
        self.perform(false, |disk, _| disk.new = None)
    }

    fn publish(&self) -> io::Result<()> {
        self.perform(false, |disk, _| {
            let before = disk.file;
            disk.before.get_or_insert(before);
            disk.file = disk.new.take();
        })
    }

    fn settle(&self) -> io::Result<()> {
        self.perform(false, |disk, is_half| {
            if !is_half {
                disk.before = None;
            }
        })
    }
}

impl Simulated {
    fn file(&self, number: usize) -> File {
        File(Box::new(Handle {
            disk: self.clone(),
            number,
        }))
    }
}

#[derive(Debug)]
struct Handle {
    disk: Simulated,
    number: usize,
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        let disk = self.disk.disk();
        Ok(u64::try_from(disk.files[self.number].written.len()).unwrap())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.disk.disk();
        let start = usize::try_from(offset).unwrap();
        let written = &disk.files[self.number].written;
        match written.get(start..start + out.len()) {
            Some(bytes) if !disk.is_off => out.copy_from_slice(bytes),
            Some(_) | None => return Err(io::Error::from_raw_os_error(5)),
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let length = usize::try_from(len).unwrap();
        let grows = length > self.disk.disk().files[self.number].written.len();
        let change = |disk: &mut Disk, _| disk.files[self.number].change(Change::Length(length));
        self.disk.perform(grows, change)
    }

    fn sync_data(&self) -> io::Result<()> {
        let failing = self.disk.operations();
        let synced = self.disk.perform(false, |disk, is_half| {
            let content = &mut disk.files[self.number];
            if !is_half {
                content.durable.clone_from(&content.written);
                content.pending.clear();
            }
        });
        let mut disk = self.disk.disk();
        if disk.fault == Some((failing, Fault::Fails)) {
            // The kernel takes the pages for clean: no later sync writes them.
            disk.files[self.number].pending.clear();
        }
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.disk.perform(true, |disk, is_half| {
            let change = Change::Write(offset, data.to_vec());
            let change = if is_half { change.halved() } else { change };
            disk.files[self.number].change(change);
        })
    }
}
