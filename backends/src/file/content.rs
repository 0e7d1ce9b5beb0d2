//! Judges what is on disk: no document, a document, or one that must not be guessed at.

use std::path::Path;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, Version, WriteId};
use xxhash_rust::xxh3::xxh3_128;

use super::corrupt::Corrupt;
use super::header::{Header, Seal, unseal};
use super::lock_file::LockFile;
use super::sidecar::{Record, Sidecar};
use crate::lacks::lacks;

/// What is on disk.
#[derive(Debug)]
pub(crate) enum Content {
    Absent,
    Corrupt(Corrupt),
    Document(Document),
}

/// A document that can be read.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) version: Version,
    /// The count of the last write known, its own or the lock file's.
    pub(crate) committed: Record,
    pub(crate) write_id: Option<WriteId>,
    pub(crate) intact: bool,
    pub(crate) text: String,
}

/// Judges the document's bytes (`None`: there is no file) by what the lock file, read *before*
/// them, remembers.
pub(crate) fn judge(
    path: &Path,
    bytes: Option<Vec<u8>>,
    lock: &LockFile,
    initialize_empty: bool,
) -> Content {
    let is_new = match &bytes {
        None => true,
        Some(bytes) => bytes.is_empty() && initialize_empty,
    };
    if is_new {
        return match lock.sidecar {
            Sidecar::Empty => Content::Absent,
            Sidecar::Damaged | Sidecar::Committed(_) => {
                Content::Corrupt(Corrupt::Gone(path.to_path_buf()))
            }
        };
    }
    match read(path, bytes.unwrap_or_default(), lock) {
        Ok(document) => Content::Document(document),
        Err(reason) => Content::Corrupt(reason),
    }
}

fn read(path: &Path, bytes: Vec<u8>, lock: &LockFile) -> Result<Document, Corrupt> {
    let (path, sidecar) = (path.to_path_buf(), lock.sidecar);
    if bytes.is_empty() {
        return Err(Corrupt::Empty(path));
    }
    let version = version(&bytes);
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(Corrupt::NotText { path, error }),
    };
    let (header, intact) = match unseal(&text) {
        Seal::Intact(header) => (Some(header), true),
        Seal::Broken(header) => (header, false),
        Seal::Absent => (None, false),
        Seal::Shortened(_) => return Err(Corrupt::CutShort(path)),
        Seal::Unended(_) => return Err(Corrupt::Unended(path)),
        Seal::Newer => return Err(Corrupt::Newer(path)),
    };
    let own = header.as_ref().map(Header::record);
    if let (Some(own), Some(committed)) = (own, sidecar.record())
        && own.version < committed.version
    {
        return Err(Corrupt::OldCopy {
            path,
            found: own.version,
            committed: committed.version,
        });
    }
    if !intact {
        if sidecar == Sidecar::Damaged {
            return Err(Corrupt::ForeignBesideDamage(path));
        }
        let status = match ClusterStatus::decode(&text) {
            Ok(status) => status,
            Err(error) => return Err(Corrupt::Undecodable { path, error }),
        };
        let lacks = lacks(&status, lock.notes().document.as_ref());
        if !lacks.is_empty() {
            return Err(Corrupt::Lacking { path, lacks });
        }
    }
    Ok(Document {
        version,
        committed: Record::greatest(own, sidecar.record()),
        write_id: header.and_then(|header| header.write_id),
        intact,
        text,
    })
}

/// The version of a file with these bytes: any other bytes have another one.
pub(crate) fn version(bytes: &[u8]) -> Version {
    Version::new(format!("{:032x}-{}", xxh3_128(bytes), bytes.len()))
}

impl Header {
    pub(crate) fn record(&self) -> Record {
        Record {
            version: self.version,
            epoch: self.epoch,
        }
    }
}

impl Record {
    pub(crate) fn greatest(one: Option<Self>, other: Option<Self>) -> Self {
        let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
        Self {
            version: one.version.max(other.version),
            epoch: Epoch::max(one.epoch, other.epoch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::seal;
    use super::*;

    const PATH: &str = "/data/status";

    fn sealed() -> Vec<u8> {
        let header = Header {
            version: 3,
            epoch: Epoch(2),
            write_id: None,
        };
        seal(&header, "instanceId: abc\nshardIdGenerator: 12\n")
    }

    fn judged(bytes: &[u8], sidecar: Sidecar) -> Content {
        judge(
            Path::new(PATH),
            Some(bytes.to_vec()),
            &sidecar.into(),
            false,
        )
    }

    #[test]
    fn no_document_cut_short_at_any_byte_is_a_document() {
        let committed = Sidecar::Committed(Record {
            version: 3,
            epoch: Epoch(2),
        });
        let whole = sealed();
        for sidecar in [Sidecar::Empty, Sidecar::Damaged, committed] {
            for len in 0..whole.len() {
                let content = judged(&whole[..len], sidecar);
                assert!(matches!(content, Content::Corrupt(_)), "{len}: {content:?}");
            }
            let content = judged(&whole, sidecar);
            assert!(matches!(content, Content::Document(_)), "{content:?}");
        }
    }

    #[test]
    fn a_document_of_somebody_else_that_lacks_a_shard_or_the_id_is_refused_with_what_it_lacks() {
        let whole = "namespaces: {a: {shards: {0: {ensemble: [{internal: x}], term: 1, \
                     int32HashRange: {min: 0, max: 4294967295}}}}}\ninstanceId: abc\n";
        let content = judged(whole.as_bytes(), Sidecar::Empty);
        assert!(matches!(content, Content::Document(_)), "{content:?}");
        for (from, to, lacks) in [
            ("max: 4294967295", "max: 9", "hashes 10 to 4294967295"),
            ("instanceId: abc\n", "", "instance id"),
        ] {
            let content = judged(whole.replace(from, to).as_bytes(), Sidecar::Empty);
            let Content::Corrupt(corrupt) = content else {
                panic!("{content:?}");
            };
            let told = corrupt.to_string();
            assert!(
                told.contains(lacks) && told.contains("put a copy back"),
                "{told}"
            );
            assert!(!told.contains("adopt"), "{told}");
        }
    }

    #[test]
    fn a_document_with_other_line_ends_is_one_of_the_same_write() {
        let committed = Record {
            version: 3,
            epoch: Epoch(2),
        };
        let text = String::from_utf8(sealed()).unwrap();
        for edited in [text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
            let content = judged(edited.as_bytes(), Sidecar::Committed(committed));
            let Content::Document(document) = content else {
                panic!("{content:?}");
            };
            assert_eq!((document.committed, document.intact), (committed, false));
        }
    }

    #[test]
    fn other_bytes_have_another_version() {
        let whole = sealed();
        for index in 0..whole.len() {
            let mut edited = whole.clone();
            edited[index] ^= 1;
            assert_ne!(version(&edited), version(&whole));
        }
    }

    #[test]
    fn an_absent_document_is_a_new_cluster_only_where_none_was_committed() {
        let judged = |sidecar: Sidecar| judge(Path::new(PATH), None, &sidecar.into(), true);
        assert!(matches!(judged(Sidecar::Empty), Content::Absent));
        let committed = Sidecar::Committed(Record::default());
        for sidecar in [Sidecar::Damaged, committed] {
            assert!(matches!(judged(sidecar), Content::Corrupt(_)));
        }
    }
}
