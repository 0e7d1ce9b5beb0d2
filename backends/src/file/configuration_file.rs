//! The configuration file as an admin's change finds and replaces it. A link is neither read nor
//! written through: what it leads to may be a mounted ConfigMap's, or somebody else's.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Gid, Uid, fchown};
use sha2::{Digest, Sha256};
use stepdown_core::cluster::ClusterConfiguration;

use super::commit::refusal;
use super::place::{Place, if_there};
use super::vfs::RealVfs;
use crate::regular::{self, PRIVATE};

/// What is put after the name of the file that people wrote.
const KEPT: &str = "before-admin";
/// How the first line begins.
const MARK: &str = "# Written by the admin API";
/// The version where there is no file.
const ABSENT: &str = "absent";

/// The file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present {
    /// Its content; `None` where there is no file.
    pub(super) text: Option<String>,
    /// Mode, owner and group.
    attributes: (u32, u32, u32),
}

impl Present {
    /// Reads it. It blocks.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let opened = if_there(regular::open(OpenOptions::new().read(true), path))?;
        let Some(mut file) = opened else {
            return Ok(Self {
                text: None,
                attributes: (PRIVATE, 0, 0),
            });
        };
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))?;
        let mode = metadata.mode() & 0o7777;
        Ok(Self {
            text: Some(text),
            attributes: (mode, metadata.uid(), metadata.gid()),
        })
    }

    /// What tells it from another content.
    pub(super) fn version(&self) -> String {
        match &self.text {
            None => ABSENT.to_owned(),
            Some(text) => version(text),
        }
    }

    /// Whether its text is all that is in it, in the words that it would be written in again.
    fn has_nothing_to_lose(&self) -> bool {
        let Some(text) = &self.text else { return true };
        let document = unmarked(text);
        ClusterConfiguration::decode(&document).is_ok_and(|read| read.encode() == document)
    }
}

/// A text without first lines of ours.
fn unmarked(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with(MARK)).collect()
}

fn version(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digits = digest.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256:{}", digits.collect::<String>())
}

/// What became of a replacement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// The file is at this version now.
    Done(String),
    /// It is another one than was expected, at this version.
    Other(String),
}

/// Replaces the file, if it is still at the version `expected`: the old or the new one is there at every
/// instant, and the new one is durable when this returns. Whoever calls it holds the lock beside it. It
/// blocks.
pub(super) fn replace(place: &Place, expected: &str, text: &str) -> io::Result<Replaced> {
    let present = Present::read(&place.document)?;
    if present.version() != expected {
        return Ok(Replaced::Other(present.version()));
    }
    let kept = place.beside(KEPT);
    let keeps = !present.has_nothing_to_lose() && !exists(&kept)?;
    let text = unmarked(text);
    let text = match keeps || exists(&kept)? {
        true => format!("{} {}\n{text}", MARK_OF_KEPT, name(&kept)),
        false => format!("{MARK}.\n{text}"),
    };
    let mut made = Made::default();
    if let Some(old) = present.text.as_ref().filter(|_| keeps) {
        made.write(&kept, old, &present)?;
    }
    let new = temporary(place);
    made.write(&new, &text, &present)?;
    // It took its time to make that durable, and people don't know of the lock.
    let now = Present::read(&place.document)?;
    if now != present {
        return Ok(Replaced::Other(now.version()));
    }
    if let Err(error) = fs::rename(&new, &place.document) {
        if !exists(&new)? {
            // It was made nevertheless.
            made.keep();
        }
        return Err(refusal(error).unwrap_or_else(|error| error));
    }
    made.keep();
    File::open(&place.directory)?.sync_all()?;
    Ok(Replaced::Done(version(&text)))
}

/// The first line, up to the name of the file that people wrote.
const MARK_OF_KEPT: &str =
    "# Written by the admin API. What people wrote, with its comments, is in";

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.replace(char::is_control, "?")
}

fn exists(path: &Path) -> io::Result<bool> {
    Ok(if_there(fs::symlink_metadata(path))?.is_some())
}

fn temporary(place: &Place) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    place.temporary(std::process::id(), number)
}

/// Deletes what was left behind by those who were killed. Under the lock.
pub(super) fn delete_leftovers(place: &Place) -> io::Result<()> {
    for path in place.leftovers(&RealVfs)? {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Files that were made, and are deleted again unless they are to be kept.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a file, durable, with the mode and the owner of another.
    fn write(&mut self, path: &Path, text: &str, like: &Present) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(PRIVATE);
        let mut file = options.open(path)?;
        self.0.push(path.to_path_buf());
        if like.text.is_some() {
            let (mode, uid, gid) = like.attributes;
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (uid, gid) {
                let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                fchown(&file, owner.0, owner.1).map_err(|error| {
                    io::Error::new(
                        ErrorKind::PermissionDenied,
                        format!("the owner {uid}:{gid} can't be kept ({error}): give it to whom this process runs as"),
                    )
                })?;
            }
            // After the owner, which takes bits away.
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}
