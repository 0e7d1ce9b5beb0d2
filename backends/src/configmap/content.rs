//! Judges what is in the status ConfigMap: a document, or something that must not be guessed at.

use k8s_openapi::api::core::v1::ConfigMap;
use stepdown_core::Version;
use stepdown_core::cluster::ClusterStatus;

use super::Layout;
use super::compress::decompress;
use super::record::Record;
use super::request::Place;
use super::version::ObjectVersion;

/// The key of the text.
pub(crate) const PLAIN: &str = "status";
/// The key of the compressed text, which Oxia does not know.
pub(crate) const COMPRESSED: &str = "status.gz";

/// What a ConfigMap was read as.
#[derive(Debug)]
pub(crate) enum Content {
    /// It can't be read; why, and what to do about it.
    Corrupt(String),
    /// There are no bytes where the document should be.
    Empty(Sight),
    Document {
        sight: Sight,
        text: String,
    },
}

/// What is remembered of an object once it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) version: ObjectVersion,
    pub(crate) record: Record,
    /// Whether the record is the text's.
    pub(crate) intact: bool,
    /// The layouts whose keys are there.
    pub(crate) layouts: Vec<Layout>,
    /// The bytes of all values.
    pub(crate) bytes: usize,
    /// Those of keys that are not ours, which count against the same limit.
    pub(crate) foreign_bytes: usize,
}

impl Sight {
    pub(crate) fn version(&self) -> Version {
        self.version.version()
    }
}

/// Judges an object that was read.
pub(crate) fn judge(place: &Place, object: ConfigMap) -> Content {
    match read(place, object) {
        Ok(content) => content,
        Err(reason) => Content::Corrupt(reason),
    }
}

fn read(place: &Place, object: ConfigMap) -> Result<Content, String> {
    let version = ObjectVersion::of(&object.metadata)
        .ok_or_else(|| format!("configmap {place}: the API server names no version of it"))?;
    let record = Record::of(&object.metadata);
    let mut data = object.data.unwrap_or_default();
    let mut binary = object.binary_data.unwrap_or_default();
    let (plain, compressed) = (data.remove(PLAIN), binary.remove(COMPRESSED));
    let layouts = [
        plain.as_ref().map(|_| Layout::Plain),
        compressed.as_ref().map(|_| Layout::Compressed),
    ];
    let own_bytes = plain.as_ref().map_or(0, String::len)
        + compressed.as_ref().map_or(0, |bytes| bytes.0.len());
    let foreign_bytes = data.values().map(String::len).sum::<usize>()
        + binary.values().map(|bytes| bytes.0.len()).sum::<usize>();
    check_layout(place, &record)?;
    let text = match (plain, compressed) {
        // We never write both, so somebody else wrote one of them, and nobody knows which.
        (Some(_), Some(_)) => {
            return Err(format!(
                "configmap {place} has two statuses, data.{PLAIN} and binaryData[{COMPRESSED}]: remove the one that is not meant"
            ));
        }
        (Some(text), None) => text,
        (None, Some(bytes)) if bytes.0.is_empty() => String::new(),
        (None, Some(bytes)) => decompress(&bytes.0).map_err(|error| {
            format!("configmap {place} key {COMPRESSED}: {error}; restore it from a copy")
        })?,
        (None, None) => String::new(),
    };
    let sight = Sight {
        version,
        intact: record.is_of(&text),
        record,
        layouts: layouts.into_iter().flatten().collect(),
        bytes: own_bytes + foreign_bytes,
        foreign_bytes,
    };
    if text.is_empty() {
        return Ok(Content::Empty(sight));
    }
    Ok(Content::Document { sight, text })
}

/// A layout that is not known is not guessed at.
fn check_layout(place: &Place, record: &Record) -> Result<(), String> {
    match record.layout.as_deref() {
        Some(name) if Layout::named(name).is_none() => Err(format!(
            "configmap {place} was written by a newer release, in the layout {name}: use that"
        )),
        Some(_) | None => Ok(()),
    }
}

/// Reads the status of a document.
pub(crate) fn decode(place: &Place, text: &str) -> Result<ClusterStatus, String> {
    ClusterStatus::decode(text).map_err(|error| {
        format!("configmap {place}: {error}; put it right, or restore it from a copy")
    })
}

/// The message where there is a ConfigMap and no document in it.
pub(crate) fn empty(place: &Place) -> String {
    format!(
        "configmap {place} has no status in it, neither as data.{PLAIN} nor as \
         binaryData[{COMPRESSED}]: restore it, or give --initialize-empty-status for a new cluster"
    )
}

/// The message where a document was written once, and is gone.
pub(crate) fn gone(place: &Place) -> String {
    format!(
        "the status in configmap {place} is gone, though it was written once: restore it from a \
         copy, or, for a new cluster, stop every coordinator, delete lease {place} too, and start \
         them again"
    )
}
