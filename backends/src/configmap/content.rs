//! Judges what is in the status ConfigMap: a document, or something that must not be guessed at.

use k8s_openapi::api::core::v1::ConfigMap;
use stepdown_core::Version;
use stepdown_core::cluster::ClusterStatus;

use super::compress::decompress;
use super::corrupt::Corrupt;
use super::layout::{COMPRESSED, Layout, PLAIN};
use super::object_name::ObjectName;
use super::record::{ACCEPT, Record, annotation};
use super::version::ObjectVersion;
use crate::lacks::{but_for, lacks};

/// So many other keys are named where there is no document.
const KEYS: usize = 5;

/// What a ConfigMap was read as.
#[derive(Debug)]
pub(crate) enum Content {
    Corrupt(Corrupt),
    /// There are no bytes where the document should be; these other keys are there.
    Empty(Sight, Vec<String>),
    Document {
        sight: Sight,
        text: String,
        /// The names of what it may lack.
        accepted: Vec<String>,
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
pub(crate) fn judge(place: &ObjectName, object: ConfigMap) -> Content {
    match read(place, object) {
        Ok(content) => content,
        Err(corrupt) => Content::Corrupt(corrupt),
    }
}

fn read(place: &ObjectName, object: ConfigMap) -> Result<Content, Corrupt> {
    let version =
        ObjectVersion::of(&object.metadata).ok_or_else(|| Corrupt::Unversioned(place.clone()))?;
    let record = Record::of(&object.metadata);
    let accepted = annotation(&object.metadata, ACCEPT).unwrap_or_default();
    let accepted = accepted.split(',').map(|name| name.trim().to_owned());
    let accepted = accepted.collect();
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
        (Some(_), Some(_)) => return Err(Corrupt::TwoStatuses(place.clone())),
        (Some(text), None) => text,
        (None, Some(bytes)) if bytes.0.is_empty() => String::new(),
        (None, Some(bytes)) => decompress(&bytes.0).map_err(|error| {
            let place = place.clone();
            Corrupt::Compression { place, error }
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
        let others = data.into_keys().chain(binary.into_keys());
        return Ok(Content::Empty(sight, others.take(KEYS).collect()));
    }
    Ok(Content::Document {
        sight,
        text,
        accepted,
    })
}

fn check_layout(place: &ObjectName, record: &Record) -> Result<(), Corrupt> {
    match &record.layout {
        Some(name) if Layout::named(name).is_none() => Err(Corrupt::Newer {
            place: place.clone(),
            layout: name.clone(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Why a document of somebody else is not led on, if it lacks more than is accepted.
pub(crate) fn lacking(
    place: &ObjectName,
    status: &ClusterStatus,
    accepted: &[String],
) -> Option<Corrupt> {
    let lacks = but_for(lacks(status, None), accepted);
    let place = place.clone();
    (!lacks.is_empty()).then_some(Corrupt::Lacking { place, lacks })
}

/// Reads the status of a document.
pub(crate) fn decode(place: &ObjectName, text: &str) -> Result<ClusterStatus, Corrupt> {
    ClusterStatus::decode(text).map_err(|error| {
        let place = place.clone();
        Corrupt::Undecodable { place, error }
    })
}
