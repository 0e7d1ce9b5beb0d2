//! Reading a file of TLS.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::error::TlsError;

/// Larger files are no certificates, nor lists that anybody wants to be read at each handshake.
const MOST: u64 = 16 << 20;

/// What is in a file, if it is a regular one: whoever opens a pipe may wait for ever.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    bytes(path).map_err(|error| TlsError::in_file(path, error))
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let unfit = |what: String| io::Error::new(ErrorKind::InvalidInput, what);
    if !kind.is_file() {
        return Err(unfit("it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST) {
        Ok(bytes)
    } else {
        Err(unfit(format!("it is larger than {} MiB", MOST >> 20)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_that_are_not_too_large_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "text").unwrap();
        assert_eq!(read(&at("file")).unwrap(), b"text");
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        File::create(at("large"))
            .unwrap()
            .set_len(MOST + 1)
            .unwrap();
        for (path, words) in [
            (at("pipe"), "it is no regular file"),
            (
                Path::new("/dev/zero").to_path_buf(),
                "it is no regular file",
            ),
            (dir.path().to_path_buf(), "is a directory"),
            (at("large"), "it is larger than 16 MiB"),
            (at("none"), "No such file or directory (os error 2)"),
        ] {
            let told = read(&path).unwrap_err().to_string();
            assert_eq!(told, format!("{}: {words}", path.display()));
        }
    }
}
