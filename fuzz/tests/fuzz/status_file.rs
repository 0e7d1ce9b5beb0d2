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
        fuzzing::copies(&text(file), file.len() as u64 % 5, lock.len() as u64 % 5);
    });
}

#[test]
fn a_lock_file_remembers_what_was_written_or_nothing() {
    feed("lock_file", |bytes| {
        fuzzing::lock_file(bytes);
        let number = |bytes: &[u8]| {
            let number =
                |number: u64, byte: &u8| number.wrapping_mul(257).wrapping_add((*byte).into());
            bytes.iter().take(9).fold(0, number)
        };
        let (notes, document) = parts(bytes);
        fuzzing::torn_lock_file(number(bytes), bytes.len() + document.len(), &text(notes));
        fuzzing::notes(&text(notes), &text(document));
    });
}
