//! Opening regular files, and nothing else: a name may have become a link to somebody else's file, or a
//! pipe, which keeps whoever opens it waiting for ever.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The mode of what nobody else needs: whoever can open a file can lock it.
pub(crate) const PRIVATE: u32 = 0o600;

/// Opens the file with this name, which must not be a link. If it is made, it is private.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    open_with(options.mode(PRIVATE), path, OFlags::NOFOLLOW)
}

/// The same for a lock file, which is private from then on; it is made if it doesn't exist.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = open(&mut options, path)?;
    if file.metadata()?.mode() & 0o7777 != PRIVATE {
        // Somebody else's is not ours to change.
        let _ = file.set_permissions(Permissions::from_mode(PRIVATE));
    }
    Ok(file)
}

/// Opens the file that this name leads to.
pub(crate) fn follow(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    open_with(options, path, OFlags::empty())
}

fn open_with(options: &mut OpenOptions, path: &Path, more: OFlags) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | more).bits().cast_signed();
    let opened = options.custom_flags(flags).open(path);
    let is = |error: &io::Error, errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    let file = opened.map_err(|error| {
        if more.contains(OFlags::NOFOLLOW) && is(&error, Errno::LOOP) {
            not_regular("a symbolic link")
        } else if is(&error, Errno::NXIO) {
            not_regular("a pipe, a socket or a device")
        } else {
            error
        }
    })?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    Err(if kind.is_dir() {
        ErrorKind::IsADirectory.into()
    } else {
        not_regular("a pipe, a socket or a device")
    })
}

fn not_regular(what: &str) -> io::Error {
    let text = format!("it is {what}, and no regular file");
    io::Error::new(ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn reading() -> OpenOptions {
        OpenOptions::new().read(true).clone()
    }

    #[test]
    fn a_link_is_followed_only_where_that_is_meant() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "text").unwrap();
        symlink("file", at("link")).unwrap();
        assert!(follow(&mut reading(), &at("link")).is_ok());
        assert!(open(&mut reading(), &at("file")).is_ok());
        for refused in [
            open(&mut reading(), &at("link")),
            open_lock(&at("link")),
            open(OpenOptions::new().write(true).truncate(true), &at("link")),
        ] {
            let refused = refused.unwrap_err();
            assert!(refused.to_string().contains("symbolic link"), "{refused}");
        }
        assert_eq!(fs::read(at("file")).unwrap(), b"text");
    }

    #[test]
    fn nobody_waits_for_a_pipe_or_a_socket() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, at("pipe"), FileType::Fifo, mode, 0).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        for name in ["pipe", "socket"] {
            for refused in [
                open(&mut reading(), &at(name)),
                open_lock(&at(name)),
                follow(&mut reading(), &at(name)),
            ] {
                let refused = refused.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
            }
        }
        let refused = follow(&mut reading(), directory.path()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn what_is_made_is_private_and_a_lock_file_is_put_back_to_that() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mode = |name: &str| fs::metadata(at(name)).unwrap().mode() & 0o7777;
        open(OpenOptions::new().write(true).create(true), &at("file")).unwrap();
        fs::write(at("lock"), "").unwrap();
        fs::set_permissions(at("lock"), Permissions::from_mode(0o666)).unwrap();
        open_lock(&at("lock")).unwrap();
        assert_eq!((mode("file"), mode("lock")), (0o600, 0o600));
    }
}
