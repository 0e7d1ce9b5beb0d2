//! The file of the audit: one JSON object a line, each on the disk before anything is done.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use stepdown_backends::regular;

use super::{AuditError, in_file};

/// What others may not do: read it, or write to it. A group that may read it may have been made for that.
const OTHERS: u32 = 0o037;
const PRIVATE: u32 = 0o600;

/// The open file.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    /// Whether the last line has no end: it was cut short.
    is_torn: bool,
}

impl AuditFile {
    /// Opens the file to append to it; it is made if it doesn't exist.
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        open(path).map_err(in_file(path))
    }

    /// Opens the file of this name anew.
    pub(super) fn reopen(&mut self) -> Result<(), AuditError> {
        *self = Self::open(&self.path)?;
        Ok(())
    }

    /// Returns when the line, which ends as lines do, is on the disk.
    pub(super) fn write(&mut self, line: &str) -> Result<(), AuditError> {
        self.append(line).map_err(in_file(&self.path))
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let whole = if self.is_torn {
            &format!("\n{line}")
        } else {
            line
        };
        self.is_torn = true;
        self.file.write_all(whole.as_bytes())?;
        self.is_torn = false;
        self.file.sync_data()
    }
}

fn open(path: &Path) -> io::Result<AuditFile> {
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let mut file = regular::open(&mut options, path)?;
    if file.metadata()?.mode() & OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
    }
    if is_new {
        // Else the name itself could be lost with the power.
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    let is_torn = ends_amid_a_line(&mut file)?;
    Ok(AuditFile {
        path: path.to_owned(),
        file,
        is_torn,
    })
}

fn ends_amid_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn lines_are_appended_to_a_private_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        for line in ["a\n", "b\n"] {
            AuditFile::open(&path).unwrap().write(line).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_may_read_is_private_from_then_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        fs::write(&path, "").unwrap();
        for (mode, expected) in [(0o644, 0o600), (0o660, 0o600), (0o640, 0o640)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            AuditFile::open(&path).unwrap();
            let mode = fs::metadata(&path).unwrap().mode() & 0o777;
            assert_eq!(mode, expected);
        }
    }

    #[test]
    fn a_line_that_was_cut_short_does_not_spoil_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        fs::write(&path, "a\n{\"b\":").unwrap();
        AuditFile::open(&path).unwrap().write("c\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n{\"b\":\nc\n");
    }

    #[test]
    fn what_has_been_renamed_is_left_alone_once_it_is_opened_anew() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut file = AuditFile::open(&at("audit")).unwrap();
        file.write("a\n").unwrap();
        fs::rename(at("audit"), at("older")).unwrap();
        file.write("b\n").unwrap();
        file.reopen().unwrap();
        file.write("c\n").unwrap();
        assert_eq!(fs::read_to_string(at("older")).unwrap(), "a\nb\n");
        assert_eq!(fs::read_to_string(at("audit")).unwrap(), "c\n");
    }

    #[test]
    fn a_file_that_was_copied_and_cut_is_written_from_its_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let mut file = AuditFile::open(&path).unwrap();
        file.write("a\n").unwrap();
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        file.write("b\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
    }

    #[test]
    fn what_is_no_regular_file_is_not_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("elsewhere", &link).unwrap();
        for path in [link.as_path(), directory.path(), Path::new("/dev/null")] {
            let error = AuditFile::open(path).unwrap_err().to_string();
            assert!(error.contains("observability.audit.path"), "{error}");
        }
    }
}
