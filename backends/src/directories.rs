//! Directories that are still there when the power comes back.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a directory, and those that it is in, with mode 0755, durably. That it was not there is said: so it is
/// where a volume is not mounted, or a path is wrong.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    let is_new = !path.exists();
    make_with(path, |directory| File::open(directory)?.sync_all())?;
    if is_new {
        tracing::warn!(
            directory = %path.display(),
            "Made a directory that was not there; nothing of an earlier start is in it"
        );
    }
    Ok(())
}

fn make_with(path: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let missing = path.ancestors().take_while(|it| !it.exists()).count();
    DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    for (index, holder) in path.ancestors().skip(1).enumerate() {
        // The one that holds a relative path's first word.
        let is_here = holder.as_os_str().is_empty();
        let synced = sync(if is_here { Path::new(".") } else { holder });
        match synced {
            Err(error) if index >= missing && is_of_others(error.kind()) => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// One that was there may be of an earlier start that never came to sync it. But where it is somebody
/// else's, it need not let itself be opened, nor be on a file system on which directories can be synced,
/// and was made durable by whoever made it.
fn is_of_others(refused: ErrorKind) -> bool {
    matches!(
        refused,
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn synced(path: &Path) -> Vec<PathBuf> {
        let mut synced = Vec::new();
        let made = make_with(path, |it| {
            synced.push(it.to_path_buf());
            Ok(())
        });
        made.unwrap();
        synced
    }

    #[test]
    fn whatever_holds_a_directory_is_synced_also_where_an_earlier_start_has_made_it() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("one/two"));
        for _ in 0..2 {
            let synced = synced(&two);
            assert!(synced.contains(&one) && synced.contains(&dir.path().to_path_buf()));
        }
        make(&two).unwrap();
    }

    #[test]
    fn only_what_was_made_has_to_let_itself_be_synced() {
        let dir = tempfile::tempdir().unwrap();
        for (name, kind) in [
            ("one", ErrorKind::PermissionDenied),
            ("two", ErrorKind::InvalidInput),
        ] {
            let refuse = |_: &Path| Err(kind.into());
            assert!(make_with(&dir.path().join(name), refuse).is_err());
            make_with(&dir.path().join(name), refuse).unwrap();
        }
    }

    #[test]
    fn a_disk_that_fails_is_not_forgotten_when_the_next_start_finds_what_the_first_has_made() {
        let dir = tempfile::tempdir().unwrap();
        let fail = |_: &Path| Err(io::Error::other("the disk has failed"));
        for _ in 0..2 {
            assert!(make_with(&dir.path().join("one"), fail).is_err());
        }
    }
}
