//! What we keep beside the status in the ConfigMap: annotations, which other writers don't know.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use sha2::{Digest, Sha256};
use stepdown_core::store::StatusDocument;
use stepdown_core::{Epoch, WriteId};

use super::layout::Layout;

/// What a document that is not ours lacks, and is led on without: names with commas between them.
pub(crate) const ACCEPT: &str = "oxia.io/accept";
/// The writer's epoch; also on the Lease.
pub(crate) const EPOCH: &str = "oxia.io/epoch";
/// Changed by a leader that leaves, so that others look at the Lease.
pub(crate) const HANDOVER: &str = "oxia.io/handover";
const LAYOUT: &str = "oxia.io/layout";
/// The `resourceVersion` that the write replaced. It makes the server see a change in every write,
/// be it the same document again: without one there would be no new version.
const REPLACES: &str = "oxia.io/replaces";
const SHA256: &str = "oxia.io/sha256";
const WRITE_ID: &str = "oxia.io/write-id";

/// What the annotations say of the document; what can't be read, they don't say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) epoch: Option<Epoch>,
    pub(crate) write_id: Option<WriteId>,
    /// Of the text, as it is before it is compressed.
    pub(crate) sha256: Option<String>,
    pub(crate) layout: Option<String>,
}

impl Record {
    pub(crate) fn of(metadata: &ObjectMeta) -> Self {
        let annotation = |key| annotation(metadata, key);
        Self {
            epoch: epoch(metadata),
            write_id: annotation(WRITE_ID).and_then(|id| id.parse().ok()),
            sha256: annotation(SHA256).map(str::to_owned),
            layout: annotation(LAYOUT).map(str::to_owned),
        }
    }

    /// The record of a document that is to be written.
    pub(crate) fn new(document: &StatusDocument, text: &str, layout: Layout) -> Self {
        Self {
            epoch: Some(document.epoch),
            write_id: Some(document.write_id),
            sha256: Some(sha256(text)),
            layout: Some(layout.name().to_owned()),
        }
    }

    /// The annotations of a write that replaces the object at this `resourceVersion`.
    pub(crate) fn annotations(&self, replaces: Option<&str>) -> BTreeMap<&'static str, String> {
        let text = |value: &Option<String>| value.clone();
        [
            (EPOCH, self.epoch.map(|it| it.to_string())),
            (LAYOUT, text(&self.layout)),
            (REPLACES, replaces.map(str::to_owned)),
            (SHA256, text(&self.sha256)),
            (WRITE_ID, self.write_id.map(|it| it.to_string())),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }

    /// Whether it was written together with this text. Others leave it as it is when they write.
    pub(crate) fn is_of(&self, text: &str) -> bool {
        self.write_id.is_some_and(|id| Some(id.epoch) == self.epoch)
            && self.sha256.as_deref() == Some(&sha256(text))
    }
}

/// The epoch that an object's annotations name.
pub(crate) fn epoch(metadata: &ObjectMeta) -> Option<Epoch> {
    annotation(metadata, EPOCH)?.parse().ok().map(Epoch)
}

pub(crate) fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    let annotations = metadata.annotations.as_ref()?;
    annotations.get(key).map(String::as_str)
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
