//! What the lock file says after its records: who holds the lock, and what was in the document that was
//! committed last. It is told to people, and decides nothing of a document that is as it was written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lacks::Remembered;

/// Where in the lock file they begin: after both records.
pub(crate) const AT: usize = 64;
const MAGIC: &[u8; 4] = b"note";
/// The mark, the length and the checksum of what follows.
const HEAD: usize = 12;

/// What the lock file says after its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// Who took the lock last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<Holder>,
    /// What was in the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) document: Option<Remembered>,
}

/// A coordinator that has the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) process: u32,
    /// Where people reach it, if it says so; releases before this one don't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_address: Option<String>,
}

impl Notes {
    /// Those in a lock file; none where they were never written, or only in part.
    pub(crate) fn parse(lock_file: &[u8]) -> Self {
        Self::read(lock_file).unwrap_or_default()
    }

    fn read(lock_file: &[u8]) -> Option<Self> {
        let content = lock_file.get(AT..)?.strip_prefix(MAGIC)?;
        let (length, content) = content.split_first_chunk()?;
        let (checksum, content) = content.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let json = content.get(..length)?;
        let is_whole = crc32c::crc32c(json) == u32::from_le_bytes(*checksum);
        is_whole.then(|| serde_json::from_slice(json).ok())?
    }

    /// As they are written; nothing, should they be too long for that.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let Ok(length) = u32::try_from(json.len()) else {
            return Vec::new();
        };
        let mut bytes = Vec::with_capacity(HEAD + json.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&json).to_le_bytes());
        bytes.extend_from_slice(&json);
        bytes
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Notes {
        Notes {
            holder: Some(Holder {
                name: "größer".to_owned(),
                process: 7,
                public_address: Some("a.example:6651".to_owned()),
            }),
            document: Some(Remembered {
                instance_id: "abc".to_owned(),
                shards: [("default".to_owned(), (0..9).collect())].into(),
            }),
        }
    }

    fn lock_file(notes: &Notes) -> Vec<u8> {
        [vec![0; AT], notes.encode()].concat()
    }

    #[test]
    fn notes_are_read_as_they_were_written_whatever_follows() {
        for notes in [notes(), Notes::default()] {
            let mut bytes = lock_file(&notes);
            assert_eq!(Notes::parse(&bytes), notes);
            bytes.extend_from_slice(b"of longer ones before");
            assert_eq!(Notes::parse(&bytes), notes);
        }
    }

    #[test]
    fn a_holder_of_another_release_is_read_whatever_it_says_beside_its_name() {
        for (text, address) in [
            (r#"{"name":"a","process":7}"#, None),
            (r#"{"name":"a","process":7,"later":[1]}"#, None),
            (
                r#"{"name":"a","process":7,"public_address":"a:1"}"#,
                Some("a:1".to_owned()),
            ),
        ] {
            let holder: Holder = serde_json::from_str(text).unwrap();
            assert_eq!((&*holder.name, holder.public_address), ("a", address));
        }
    }

    #[test]
    fn notes_that_were_written_in_part_are_none() {
        let bytes = lock_file(&notes());
        for length in 0..bytes.len() {
            assert_eq!(Notes::parse(&bytes[..length]), Notes::default(), "{length}");
        }
        for index in AT..bytes.len() {
            let mut torn = bytes.clone();
            torn[index] ^= 1;
            assert_eq!(Notes::parse(&torn), Notes::default(), "{index}");
        }
    }
}
