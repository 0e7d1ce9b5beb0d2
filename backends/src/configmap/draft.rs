//! Makes the request that writes a document, and none where it would not fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderValue;
use http::header::ACCEPT;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::request;
use stepdown_core::store::StatusDocument;

use super::classify::Ask;
use super::compress::compress;
use super::content::Sight;
use super::layout::{COMPRESSED, Layout, PLAIN};
use super::object_name::ObjectName;
use super::payload::{Metadata, Payload};
use super::record::Record;
use super::size::LIMIT;
use super::version::ObjectVersion;

/// The name that upstream's coordinator writes under, too: its fields and ours are the same ones.
const FIELD_MANAGER: &str = "oxia-coordinator";
/// Spares the server to send the document back.
const METADATA_ONLY: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");

/// What a document is to replace.
#[derive(Clone, Debug)]
pub(crate) enum Replaced {
    /// Nothing: there is no ConfigMap.
    Nothing,
    /// The object at this version, and what was seen of it, if that is remembered.
    Object(ObjectVersion, Option<Arc<Sight>>),
}

pub(crate) type Request = Result<http::Request<Vec<u8>>, request::Error>;

/// A write that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) ask: Ask,
    /// The server refuses it if the object is another one by then.
    pub(crate) request: Request,
    /// What there is once it is accepted.
    pub(crate) record: Record,
    /// The bytes of all values of the object then.
    pub(crate) bytes: usize,
    pub(crate) foreign_bytes: usize,
}

/// A document that does not fit.
#[derive(Debug)]
pub(crate) struct TooLarge {
    pub(crate) bytes: usize,
    pub(crate) reason: String,
}

/// Encodes a document and makes its request.
pub(crate) fn draft(
    place: &ObjectName,
    layout: Layout,
    document: &StatusDocument,
    replaced: &Replaced,
) -> Result<Draft, TooLarge> {
    let text = document.status.encode();
    let record = Record::new(document, &text, layout);
    let foreign_bytes = replaced.foreign_bytes();
    let (value, bytes) = fit(text, layout, foreign_bytes)?;
    if document.admits {
        let grown = document.status.grown().encode();
        fit(grown, layout, foreign_bytes).map_err(|too_large| TooLarge {
            reason: format!("once every shard is led, {}", too_large.reason),
            ..too_large
        })?;
    }
    let (ask, request) = request(place, value, &record, replaced);
    Ok(Draft {
        ask,
        request,
        record,
        bytes,
        foreign_bytes,
    })
}

/// What a text takes up in its layout, together with what others keep in the object.
fn fit(text: String, layout: Layout, foreign_bytes: usize) -> Result<(Value, usize), TooLarge> {
    let value = Value::new(text, layout)?;
    let bytes = value.len().saturating_add(foreign_bytes);
    if bytes > LIMIT {
        let reason = format!(
            "{bytes} bytes, {foreign_bytes} of them not the status, where a ConfigMap holds at \
             most {LIMIT}: {}",
            layout.advice()
        );
        return Err(TooLarge { bytes, reason });
    }
    Ok((value, bytes))
}

/// A request that changes one annotation of the object at this version.
pub(crate) fn annotate(
    place: &ObjectName,
    version: &ObjectVersion,
    key: &'static str,
    value: String,
) -> Request {
    let annotations = BTreeMap::from([(key, value)]);
    let payload = Payload::new(Metadata::new(&place.name, annotations, Some(version)));
    merge(place, payload)
}

/// A document in its layout.
enum Value {
    Plain(String),
    Compressed(Vec<u8>),
}

impl Value {
    fn new(text: String, layout: Layout) -> Result<Self, TooLarge> {
        match layout {
            Layout::Plain => Ok(Self::Plain(text)),
            Layout::Compressed => match compress(&text) {
                Ok(bytes) => Ok(Self::Compressed(bytes)),
                Err(error) => Err(TooLarge {
                    bytes: text.len(),
                    reason: format!("{error}: {}", layout.advice()),
                }),
            },
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Compressed(bytes) => bytes.len(),
        }
    }

    fn layout(&self) -> Layout {
        match self {
            Self::Plain(_) => Layout::Plain,
            Self::Compressed(_) => Layout::Compressed,
        }
    }
}

impl Replaced {
    fn foreign_bytes(&self) -> usize {
        match self {
            Self::Object(_, Some(sight)) => sight.foreign_bytes,
            Self::Nothing | Self::Object(_, None) => 0,
        }
    }

    /// Whether no other layout's key is there.
    fn has_only(&self, layout: Layout) -> bool {
        match self {
            Self::Nothing => true,
            Self::Object(_, None) => false,
            Self::Object(_, Some(sight)) => sight.layouts.iter().all(|it| *it == layout),
        }
    }
}

fn request(
    place: &ObjectName,
    value: Value,
    record: &Record,
    replaced: &Replaced,
) -> (Ask, Request) {
    let is_alone = replaced.has_only(value.layout());
    let version = match replaced {
        Replaced::Nothing => None,
        Replaced::Object(version, _) => Some(version),
    };
    let replaced = version.map(|version| version.resource_version.as_str());
    let annotations = record.annotations(replaced);
    let mut payload = Payload::new(Metadata::new(&place.name, annotations, version));
    let (plain, compressed) = match value {
        Value::Plain(text) => (Some(text), None),
        Value::Compressed(bytes) => (None, Some(ByteString(bytes))),
    };
    if plain.is_some() || !is_alone {
        payload.data.insert(PLAIN, plain);
    }
    if compressed.is_some() || !is_alone {
        payload.binary_data.insert(COMPRESSED, compressed);
    }
    match version {
        None => (Ask::Create, create(place, &payload)),
        Some(_) if is_alone => (Ask::Write, apply(place, payload)),
        // What the creating request wrote would not be removed by applying without it.
        Some(_) => (Ask::Write, merge(place, payload)),
    }
}

pub(super) fn create(place: &ObjectName, payload: &Payload) -> Request {
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let body = serde_json::to_vec(payload).map_err(request::Error::SerializeBody)?;
    let mut request = place.requests::<ConfigMap>().create(&params, body)?;
    request.headers_mut().insert(ACCEPT, METADATA_ONLY);
    Ok(request)
}

fn apply(place: &ObjectName, payload: Payload) -> Request {
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let requests = place.requests::<ConfigMap>();
    requests.patch_metadata(&place.name, &params, &Patch::Apply(payload))
}

pub(super) fn merge(place: &ObjectName, payload: Payload) -> Request {
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let requests = place.requests::<ConfigMap>();
    requests.patch_metadata(&place.name, &params, &Patch::Merge(payload))
}
