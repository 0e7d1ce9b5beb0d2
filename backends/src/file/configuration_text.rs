//! What the configuration file says at one time, or why it says nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use stepdown_core::ConfigurationText;

use crate::regular;

/// How many files beside it a message names, where it is not there.
const NAMED: usize = 5;

/// One look at the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) text: ConfigurationText,
    /// Why it can't be read, though it may be there.
    pub(super) error: Option<String>,
    /// What changes with every write: device, inode and length.
    file: Option<(u64, u64, u64)>,
    modified: Option<SystemTime>,
}

impl Look {
    /// Looks at the file. It blocks.
    pub(super) fn at(path: &Path) -> Self {
        // In this order: what is written between the two is noticed by the next look.
        let metadata = fs::metadata(path).ok();
        let (source, text, error) = match read(path) {
            Ok(text) => (path.display().to_string(), Some(text), None),
            Err(error) if error.kind() == ErrorKind::NotFound => (absent(path), None, None),
            Err(error) => {
                let source = format!("{} (can't be read: {error})", path.display());
                (source, None, Some(error.to_string()))
            }
        };
        Self {
            text: ConfigurationText { source, text },
            error,
            file: metadata.as_ref().map(|it| (it.dev(), it.ino(), it.len())),
            modified: metadata.and_then(|it| it.modified().ok()),
        }
    }

    /// Whether it was written last so long ago, by the clock on the wall.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        let elapsed = self.modified.map(|modified| modified.elapsed());
        elapsed.is_some_and(|elapsed| elapsed.is_ok_and(|elapsed| elapsed >= age))
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    regular::follow(OpenOptions::new().read(true), path)?.read_to_end(&mut bytes)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::other("it is not UTF-8, perhaps UTF-16: save it as UTF-8"))
}

/// Names the file and, as what was meant may be there under another name, others beside it.
fn absent(path: &Path) -> String {
    let shown = path.display();
    match beside(path).as_slice() {
        [] => format!("{shown} (there is no such file)"),
        names => format!(
            "{shown} (there is no such file; beside it are {})",
            names.join(", ")
        ),
    }
}

fn beside(path: &Path) -> Vec<String> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let listed = fs::read_dir(directory.unwrap_or(Path::new("."))).into_iter();
    let mut names: Vec<_> = listed
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            [".yaml", ".yml", ".json"]
                .iter()
                .any(|end| name.ends_with(end))
        })
        // The other document often is in the same directory.
        .filter(|name| !name.contains("status"))
        .collect();
    names.sort();
    names.truncate(NAMED);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_file_of_the_name_those_beside_it_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cluster.yaml");
        let looked = Look::at(&path);
        assert!(looked.text.source.ends_with("(there is no such file)"));
        fs::write(directory.path().join("cluster.yml"), "").unwrap();
        let looked = Look::at(&path);
        assert!(
            looked.text.source.ends_with("beside it are cluster.yml)"),
            "{}",
            looked.text.source
        );
        assert_eq!((looked.text.text, looked.error), (None, None));
    }

    #[test]
    fn what_is_not_utf8_is_said_to_be_that() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cluster.yaml");
        fs::write(&path, [0xff, 0xfe, b'n', 0]).unwrap();
        let error = Look::at(&path).error.unwrap();
        assert!(error.contains("save it as UTF-8"), "{error}");
    }
}
