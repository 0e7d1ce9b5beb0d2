//! What others may do with the files: whoever may write them can have the cluster forget, and whoever may
//! only read the status can lock it, and keep every coordinator out of office.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid};

use super::place::Place;

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
/// In a directory: names can be removed by those alone who have made them.
const STICKY: u32 = 0o1000;

/// What others may do with a file or a directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exposure {
    #[error("{} belongs to user {owner}, who may do anything with it; give it to the user that runs this", .path.display())]
    Foreign { path: PathBuf, owner: u32 },
    #[error(
        "others may read {} (mode {mode:04o}): whoever does can lock it, and keep every coordinator out \
         of office; chmod 0600",
        .path.display()
    )]
    Readable { path: PathBuf, mode: u32 },
    #[error("others may write to {} (mode {mode:04o}); chmod go-w", .path.display())]
    Writable { path: PathBuf, mode: u32 },
}

/// What others may do with the document and its lock file, and in their directory.
pub(crate) fn exposures(place: &Place) -> Vec<Exposure> {
    let files = [&place.document, &place.lock];
    let files = files.into_iter().flat_map(|path| of(path, READ | WRITE, 0));
    files.chain(of(&place.directory, WRITE, STICKY)).collect()
}

/// Whether others may write the configuration, and so delete namespaces, or put another file in its place.
/// Anybody may read it.
pub(crate) fn exposures_of_configuration(path: &Path) -> Vec<Exposure> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = of(directory.unwrap_or(Path::new(".")), WRITE, STICKY);
    of(path, WRITE, 0).into_iter().chain(directory).collect()
}

/// What others may do of this, unless the mode has this bit.
fn of(path: &Path, what: u32, unless: u32) -> Vec<Exposure> {
    // What can't be looked at is told of by whoever opens it.
    let Ok(metadata) = fs::metadata(path) else {
        return Vec::new();
    };
    let path = path.to_path_buf();
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let mut found = Vec::new();
    if owner != 0 && owner != geteuid().as_raw() {
        let path = path.clone();
        found.push(Exposure::Foreign { path, owner });
    }
    // One's own group has nobody else in it, mostly.
    let group = if metadata.gid() == getegid().as_raw() {
        0
    } else {
        mode >> 3
    };
    let others = (mode | group) & what;
    if mode & unless != 0 {
        return found;
    }
    if others & WRITE != 0 {
        found.push(Exposure::Writable { path, mode });
    } else if others & READ != 0 {
        found.push(Exposure::Readable { path, mode });
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::super::vfs::RealVfs;
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn files_that_others_may_read_or_write_are_named_with_what_they_can_do() {
        let directory = tempfile::tempdir().unwrap();
        let status = directory.path().join("status");
        let place = Place::find(&RealVfs, &status).unwrap();
        assert_eq!(exposures(&place), []);
        for path in [&place.document, &place.lock] {
            fs::write(path, "").unwrap();
            set_mode(path, 0o600);
        }
        assert_eq!(exposures(&place), []);
        set_mode(&place.document, 0o644);
        set_mode(&place.lock, 0o602);
        set_mode(&place.directory, 0o757);
        let (document, lock) = (place.document.clone(), place.lock.clone());
        let found = [
            Exposure::Readable {
                path: document,
                mode: 0o644,
            },
            Exposure::Writable {
                path: lock,
                mode: 0o602,
            },
            Exposure::Writable {
                path: place.directory.clone(),
                mode: 0o757,
            },
        ];
        assert_eq!(exposures(&place), found);
        let configuration = place.directory.join("cluster.yaml");
        fs::write(&configuration, "").unwrap();
        set_mode(&configuration, 0o666);
        let writable = |path: &Path, mode| Exposure::Writable {
            path: path.to_path_buf(),
            mode,
        };
        let told = exposures_of_configuration(&configuration);
        let directory = writable(&place.directory, 0o757);
        assert_eq!(told, [writable(&configuration, 0o666), directory]);
        set_mode(&configuration, 0o644);
        // As /tmp is.
        set_mode(&place.directory, 0o1757);
        assert_eq!(exposures(&place), found[..2]);
        assert_eq!(exposures_of_configuration(&configuration), []);
    }
}
