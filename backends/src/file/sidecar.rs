//! The lock file beside the document. Its lock is leadership; its first content, two records written
//! in turn so that a torn one never hides the other, remembers what was committed.

use stepdown_core::Epoch;

const MAGIC: &[u8; 4] = b"oxia";
const LEN: usize = 32;

/// What was committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    /// The count of the last committed write.
    pub(crate) version: u64,
    /// The greatest epoch committed.
    pub(crate) epoch: Epoch,
}

/// What the records of the lock file remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sidecar {
    /// Nothing was ever committed, as far as it knows.
    Empty,
    /// There is something, but not one valid record.
    Damaged,
    /// The last commit.
    Committed(Record),
}

impl Sidecar {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let latest = bytes.chunks(LEN).filter_map(Record::parse).max();
        match latest {
            Some(record) => Self::Committed(record),
            // A hole where the other record will be, or a file system's leftover, is no record.
            None if bytes.iter().all(|byte| *byte == 0) => Self::Empty,
            None => Self::Damaged,
        }
    }

    pub(crate) fn record(self) -> Option<Record> {
        match self {
            Self::Empty | Self::Damaged => None,
            Self::Committed(record) => Some(record),
        }
    }
}

impl Record {
    /// Where in the lock file the record belongs.
    pub(crate) fn offset(&self) -> u64 {
        (self.version % 2) * 32
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.0.to_le_bytes());
        bytes.resize(LEN - 4, 0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_at_checked(LEN - 4)?;
        if crc32c::crc32c(content).to_le_bytes() != checksum {
            return None;
        }
        let content = content.strip_prefix(MAGIC)?;
        let (version, content) = content.split_first_chunk()?;
        let (epoch, _) = content.split_first_chunk()?;
        Some(Self {
            version: u64::from_le_bytes(*version),
            epoch: Epoch(u64::from_le_bytes(*epoch)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(version: u64) -> Record {
        Record {
            version,
            epoch: Epoch(version / 2),
        }
    }

    fn file(records: &[Record]) -> Vec<u8> {
        let mut bytes = vec![0; 2 * LEN];
        for record in records {
            let start = usize::try_from(record.offset()).unwrap();
            bytes[start..start + LEN].copy_from_slice(&record.encode());
        }
        bytes
    }

    #[test]
    fn the_later_record_counts() {
        let bytes = file(&[record(8), record(9)]);
        assert_eq!(Sidecar::parse(&bytes), Sidecar::Committed(record(9)));
        let bytes = file(&[record(9), record(10)]);
        assert_eq!(Sidecar::parse(&bytes), Sidecar::Committed(record(10)));
    }

    #[test]
    fn a_torn_record_leaves_the_one_before() {
        for torn in 0..LEN {
            let mut bytes = file(&[record(8), record(9)]);
            bytes[LEN + torn] ^= 0x55;
            assert_eq!(Sidecar::parse(&bytes), Sidecar::Committed(record(8)));
        }
    }

    #[test]
    fn nothing_is_told_from_damage() {
        assert_eq!(Sidecar::parse(&[]), Sidecar::Empty);
        assert_eq!(Sidecar::parse(&[0; 64]), Sidecar::Empty);
        assert_eq!(Sidecar::parse(b"somebody's notes"), Sidecar::Damaged);
    }
}
