//! What has to hold of what a node keeps.

use openraft::Entry;
use xxhash_rust::xxh3::xxh3_128;

use super::image::Applied;
use super::record::{seal, unseal};
use crate::raft::types::TypeConfig;

/// A snapshot, as its JSON and as the bytes that are kept and sent: what is read is written as it was.
pub fn image(content: &[u8]) {
    let _ = Applied::decode(content);
    let mut bytes = xxh3_128(content).to_le_bytes().to_vec();
    bytes.extend_from_slice(content);
    let Ok(applied) = Applied::decode(&bytes) else {
        return;
    };
    applied.meta();
    let again = applied.encode().unwrap_or_else(|error| panic!("{error}"));
    match Applied::decode(&again) {
        Ok(again) => assert_eq!(again, applied),
        Err(error) => panic!("it is written so that it can't be read: {error}"),
    }
}

/// A record of the log: it is read where it was written, as it was written, and nowhere else.
pub fn records(index: u64, content: &[u8]) {
    let place = index.to_le_bytes();
    let _ = unseal("log", &place, content);
    let mut record = seal(&place, content);
    assert_eq!(unseal("log", &place, &record).ok(), Some(content));
    let elsewhere = index.wrapping_add(1).to_le_bytes();
    assert!(unseal("log", &elsewhere, &record).is_err());
    let at = usize::try_from(index).unwrap_or(0) % record.len();
    if let Some(byte) = record.get_mut(at) {
        *byte ^= 1;
    }
    assert!(unseal("log", &place, &record).is_err(), "changed at {at}");
    let Ok(entry) = serde_json::from_slice::<Entry<TypeConfig>>(content) else {
        return;
    };
    let json = serde_json::to_vec(&entry).unwrap_or_else(|error| panic!("{error}"));
    let again = serde_json::from_slice::<Entry<TypeConfig>>(&json);
    assert_eq!(again.ok().as_ref(), Some(&entry));
}
