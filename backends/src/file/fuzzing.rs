//! What has to hold of a status file and its lock file, whatever is in them.

use std::path::Path;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::{Epoch, ProcessId, RequestId, WriteId};

use super::content::{Content, Document, judge};
use super::corrupt::Corrupt;
use super::header::{Header, Seal, seal, unseal};
use super::lock_file::LockFile;
use super::notes::{AT, Holder, Notes};
use super::sidecar::{Record, Sidecar};
use crate::lacks::fuzzing::check_lacks;
use crate::lacks::{Remembered, changes, lacks};

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
    let header = match unseal(&read) {
        Seal::Intact(header) => Some(header).filter(|_| intact),
        Seal::Broken(header) => header,
        Seal::Absent => None,
        other @ (Seal::Shortened(_) | Seal::Unended(_) | Seal::Newer) => panic!("{other:?}"),
    };
    assert!(header.is_some() || !intact);
    if let Some(header) = header {
        assert!(header.version >= known.version, "an old copy is none");
    }
    if !intact {
        assert_ne!(
            lock.sidecar,
            Sidecar::Damaged,
            "nobody tells what belongs in it"
        );
        let status = ClusterStatus::decode(&read);
        let status = status.unwrap_or_else(|error| panic!("somebody else's is decoded: {error}"));
        let notes = lock.notes();
        check_lacks(&status, notes.document.as_ref());
        assert!(lacks(&status, notes.document.as_ref()).is_empty());
    }
}

/// What was sealed is gone on from, unless it is older than what was committed.
pub fn copies(yaml: &str, found: u64, known: u64) {
    let header = Header {
        version: found,
        epoch: Epoch(found),
        write_id: None,
    };
    let record = Record {
        version: known,
        epoch: Epoch(known / 2),
    };
    let judged = |bytes: &[u8], lock: Vec<u8>| {
        let lock = LockFile::parse(lock);
        judge(Path::new("status"), Some(bytes.to_vec()), &lock, false)
    };
    let sealed = seal(&header, yaml);
    match judged(&sealed, record.encode()) {
        Content::Corrupt(Corrupt::OldCopy { .. }) => assert!(found < known, "it is none"),
        Content::Document(document) => {
            assert!(found >= known, "it is an old copy");
            let committed = Record {
                version: found,
                epoch: Epoch(found.max(known / 2)),
            };
            assert!(document.intact && document.committed == committed);
        }
        other @ (Content::Absent | Content::Corrupt(_)) => panic!("{other:?}"),
    }
    // Somebody has changed it, and nobody knows what there was.
    let edited = [sealed.as_slice(), b"#\n"].concat();
    let content = judged(&edited, b"damaged".to_vec());
    assert!(matches!(content, Content::Corrupt(_)), "{content:?}");
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

/// What a lock file remembers is the greatest of its records that are whole, written as it was read.
pub fn lock_file(bytes: &[u8]) {
    let lock = LockFile::parse(bytes.to_vec());
    if let Sidecar::Committed(record) = lock.sidecar {
        assert_eq!(Sidecar::parse(&record.encode()), Sidecar::Committed(record));
    }
    let records = bytes.get(..bytes.len().min(AT)).unwrap_or_default();
    let whole = records.chunks(32).filter_map(whole_record).max();
    let read = lock.sidecar.record().map(|it| (it.version, it.epoch.0));
    assert_eq!(read, whole);
    let is_blank = records.iter().all(|byte| *byte == 0);
    assert_eq!(lock.sidecar == Sidecar::Empty, is_blank);
    check_notes(&lock.notes());
}

/// Its version and epoch: `oxia`, two numbers, and nothing, with a checksum at the end.
fn whole_record(bytes: &[u8]) -> Option<(u64, u64)> {
    let bytes: &[u8; 32] = bytes.try_into().ok()?;
    let (content, checksum) = bytes.split_at(28);
    let number = |at: usize| {
        let number = content.iter().skip(at).take(8).rev();
        number.fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let is_whole = crc32c::crc32c(content).to_le_bytes() == *checksum;
    (is_whole && content.starts_with(b"oxia")).then(|| (number(4), number(12)))
}

/// A lock file that was written in part, or changed: the record that is whole counts, and notes that are.
pub fn torn_lock_file(version: u64, at: usize, notes: &str) {
    let version = version.min(u64::MAX - 1);
    let record = |version: u64| Record {
        version,
        epoch: Epoch(version / 3),
    };
    let (older, newer) = (record(version), record(version + 1));
    let notes = Notes {
        holder: Some(Holder {
            name: notes.to_owned(),
            process: 7,
            public_address: None,
        }),
        document: None,
    };
    let mut whole = vec![0; AT];
    for record in [older, newer] {
        let start = usize::try_from(record.offset()).unwrap_or(0);
        whole.splice(start..start + 32, record.encode());
    }
    whole.extend(notes.encode());
    let at = at % whole.len();
    let newer_at = usize::try_from(newer.offset()).unwrap_or(0);
    let read = |bytes: &[u8]| {
        let lock = LockFile::parse(bytes.to_vec());
        (lock.sidecar, lock.notes())
    };
    assert_eq!(read(&whole), (Sidecar::Committed(newer), notes.clone()));
    let mut changed = whole.clone();
    if let Some(byte) = changed.get_mut(at) {
        *byte ^= 1;
    }
    let is_newer = !(newer_at..newer_at + 32).contains(&at);
    let left = if is_newer { newer } else { older };
    let noted = if at < AT { notes } else { Notes::default() };
    assert_eq!(read(&changed), (Sidecar::Committed(left), noted), "at {at}");
    let cut = whole.get(..at).unwrap_or_default();
    let left = match at {
        0 => Sidecar::Empty,
        1..32 => Sidecar::Damaged,
        32.. if newer_at == 0 || at >= AT => Sidecar::Committed(newer),
        32.. => Sidecar::Committed(older),
    };
    assert_eq!(read(cut), (left, Notes::default()), "cut at {at}");
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
        check_lacks(&status, Some(remembered));
        check_lacks(&status, Some(&Remembered::of(&status)));
        for change in [change_id, add_shard] {
            let mut before = Remembered::of(&status);
            change(&mut before);
            check_lacks(&status, Some(&before));
        }
        changes(&status, remembered);
    }
}

fn change_id(before: &mut Remembered) {
    before.instance_id.push('0');
}

/// One that is gone by now.
fn add_shard(before: &mut Remembered) {
    for shards in before.shards.values_mut() {
        *shards = shards.iter().chain([i64::MAX]).collect();
    }
}

fn check_notes(notes: &Notes) {
    let written = [vec![0; AT], notes.encode()].concat();
    assert_eq!(&Notes::parse(&written), notes);
}
