//! Records with a checksum: what is read is what was written, at the place where it was written.

use super::error::Fault;

const LEN: usize = 4;

/// The record as it is kept. `place` is not kept, but has to be the same when it is read.
pub(super) fn seal(place: &[u8], content: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(LEN + content.len());
    record.extend_from_slice(&checksum(place, content));
    record.extend_from_slice(content);
    record
}

/// The content of a record.
pub(super) fn unseal<'a>(
    what: &'static str,
    place: &[u8],
    record: &'a [u8],
) -> Result<&'a [u8], Fault> {
    match record.split_at_checked(LEN) {
        Some((sum, content)) if sum == checksum(place, content) => Ok(content),
        Some(_) | None => Err(Fault::Damaged(what)),
    }
}

fn checksum(place: &[u8], content: &[u8]) -> [u8; LEN] {
    crc32c::crc32c_append(crc32c::crc32c(place), content).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_changed_anywhere_or_moved_is_damaged() {
        let record = seal(b"here", b"content");
        assert_eq!(unseal("record", b"here", &record).unwrap(), b"content");
        assert!(unseal("record", b"there", &record).is_err());
        for index in 0..record.len() {
            let mut changed = record.clone();
            changed[index] ^= 4;
            assert!(unseal("record", b"here", &changed).is_err(), "{index}");
            assert!(unseal("record", b"here", &record[..index]).is_err());
        }
    }
}
