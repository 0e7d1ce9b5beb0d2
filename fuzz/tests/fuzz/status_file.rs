//! The file backend's status file, and the lock file beside it.

use stepdown_backends::fuzzing;
use stepdown_fuzz::feed;

use crate::{parts, text};

#[test]
fn a_status_file_is_told_from_what_is_none_by_itself_and_by_its_lock_file() {
    feed("status_file", |bytes| {
        let (file, lock) = parts(bytes);
        fuzzing::status_file(file, lock);
        // Where a change is, the input decides as well.
        fuzzing::sealed(&text(file), lock.len().wrapping_mul(31) + file.len() / 2);
    });
}

#[test]
fn a_lock_file_remembers_what_was_written_or_nothing() {
    feed("lock_file", |bytes| {
        fuzzing::lock_file(bytes);
        let (notes, document) = parts(bytes);
        fuzzing::notes(&text(notes), &text(document));
    });
}
