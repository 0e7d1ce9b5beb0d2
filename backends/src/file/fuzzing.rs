//! What has to hold of a status file and its lock file, whatever is in them.

use std::path::Path;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, ProcessId, RequestId, WriteId};

use super::content::{Content, Document, judge};
use super::header::{Header, Seal, seal, unseal};
use super::lock_file::LockFile;
use super::notes::{AT, Notes};
use super::sidecar::Sidecar;
use crate::lacks::{changes, lacks};

/// A document is told from what is none, by itself and by any lock file.
pub fn status_file(text: &[u8], lock: &[u8]) {
    let lock = LockFile::parse(lock.to_vec());
    let judged = |bytes| judge(Path::new("status"), bytes, &lock, false);
    judged(None);
    let Content::Document(document) = judged(Some(text.to_vec())) else {
        return;
    };
    let Document {
        committed,
        intact,
        text: read,
        ..
    } = document;
    assert_eq!(read.as_bytes(), text, "nothing is changed in reading");
    let known = lock.sidecar.record().unwrap_or_default();
    assert!(committed.version >= known.version && committed.epoch >= known.epoch);
    if intact {
        assert!(matches!(unseal(&read), Seal::Intact(_)));
    } else {
        let status = ClusterStatus::decode(&read);
        let status = status.unwrap_or_else(|error| panic!("somebody else's is decoded: {error}"));
        assert!(lacks(&status, lock.notes().document.as_ref()).is_empty());
    }
}

/// What is sealed is intact, and no more so once a byte of it has changed, or the end is missing.
pub fn sealed(text: &str, change: usize) {
    let number = u64::try_from(change).unwrap_or(u64::MAX);
    let header = Header {
        version: number,
        epoch: Epoch(number / 2),
        write_id: change.is_multiple_of(2).then_some(WriteId {
            epoch: Epoch(number / 2),
            request: RequestId(number),
            process: ProcessId(number.into()),
        }),
    };
    let mut yaml = text.to_owned();
    if !yaml.is_empty() && !yaml.ends_with('\n') {
        yaml.push('\n');
    }
    let mut bytes = seal(&header, &yaml);
    let is_intact = |bytes: &[u8]| {
        std::str::from_utf8(bytes).is_ok_and(|text| matches!(unseal(text), Seal::Intact(_)))
    };
    let whole = std::str::from_utf8(&bytes).unwrap_or_default();
    assert_eq!(unseal(whole), Seal::Intact(header));
    let at = change % bytes.len();
    let cut = bytes.get(..at).unwrap_or_default();
    assert!(!is_intact(cut), "cut at {at}");
    if let (Ok(cut), false) = (
        std::str::from_utf8(cut),
        yaml.contains("# end\n") || at == 0,
    ) {
        let judged = unseal(cut);
        assert!(
            matches!(judged, Seal::Shortened(_) | Seal::Unended(_)),
            "cut at {at}: {judged:?}"
        );
    }
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1;
    }
    assert!(!is_intact(&bytes), "changed at {at}");
}

/// What a lock file remembers is written as it was read.
pub fn lock_file(bytes: &[u8]) {
    let lock = LockFile::parse(bytes.to_vec());
    if let Sidecar::Committed(record) = lock.sidecar {
        assert_eq!(Sidecar::parse(&record.encode()), Sidecar::Committed(record));
    }
    check_notes(&lock.notes());
}

/// The same of notes whose checksum is right, whatever they say; and a document is judged by them.
pub fn notes(json: &str, document: &str) {
    let Ok(notes) = serde_json::from_str::<Notes>(json) else {
        return;
    };
    check_notes(&notes);
    let Some(remembered) = &notes.document else {
        return;
    };
    if let Ok(status) = ClusterStatus::decode(document) {
        lacks(&status, Some(remembered));
        changes(&status, remembered);
    }
}

fn check_notes(notes: &Notes) {
    let written = [vec![0; AT], notes.encode()].concat();
    assert_eq!(&Notes::parse(&written), notes);
}
