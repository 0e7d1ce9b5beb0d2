//! What has to hold of an API server's objects and answers, whatever is in them.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::{PartialObjectMeta, WatchEvent};
use stepdown_core::lease::{LeaseRecord, WallTime};
use stepdown_core::store::StatusDocument;
use stepdown_core::{Epoch, ProcessId, RequestId, WriteId};

use super::classify::{Ask, FailureClass, classify};
use super::content::{Content, Sight, decode, judge, lacking};
use super::draft::{Replaced, draft};
use super::layout::Layout;
use super::lease::{decode as decode_lease, encode as encode_lease};
use super::object_name::ObjectName;
use super::outcome::{no_head, not_loaded, not_stored};
use super::record::Record;
use super::request::{Failure, Refusal, read, retry_after};
use super::version::ObjectVersion;

fn place() -> ObjectName {
    ObjectName {
        namespace: "oxia".to_owned(),
        name: "status".to_owned(),
    }
}

/// A ConfigMap is judged by what is in it, and what is written in its place is read as it was meant.
pub fn config_map(body: &[u8]) {
    if let Ok(head) = read::<PartialObjectMeta<ConfigMap>>(body) {
        Record::of(&head.metadata);
        if let Some(version) = ObjectVersion::of(&head.metadata) {
            assert_eq!(ObjectVersion::parse(&version.version()), Some(version));
        }
    }
    if let Ok(WatchEvent::Error(status)) = read::<WatchEvent<ConfigMap>>(body) {
        check(&Failure::from(*status));
    }
    let place = place();
    let Ok(object) = read::<ConfigMap>(body) else {
        return;
    };
    let Content::Document {
        sight,
        text,
        accepted,
    } = judge(&place, object)
    else {
        return;
    };
    assert_eq!(sight.intact, sight.record.is_of(&text));
    let Ok(status) = decode(&place, &text) else {
        return;
    };
    lacking(&place, &status, &accepted);
    let write_id = WriteId {
        epoch: Epoch(3),
        request: RequestId(4),
        process: ProcessId(5),
    };
    let document = StatusDocument {
        epoch: write_id.epoch,
        write_id,
        status: Arc::new(status),
        admits: false,
    };
    for layout in [Layout::Plain, Layout::Compressed] {
        check_written(&place, layout, &document, &sight);
    }
}

/// A request that makes the object is read back as the object would be.
fn check_written(place: &ObjectName, layout: Layout, document: &StatusDocument, sight: &Sight) {
    let over = Replaced::Object(sight.version.clone(), Some(Arc::new(sight.clone())));
    // It may be too large beside what others keep there.
    let _ = draft(place, layout, document, &over);
    let Ok(draft) = draft(place, layout, document, &Replaced::Nothing) else {
        return;
    };
    let request = draft.request.unwrap_or_else(|error| panic!("{error}"));
    let mut object: ConfigMap = read(request.body()).unwrap_or_else(|error| panic!("{error}"));
    object.metadata.resource_version = Some("7".to_owned());
    object.metadata.uid = Some("uid".to_owned());
    let content = judge(place, object);
    let Content::Document { sight, text, .. } = content else {
        panic!("it is written so that it is refused: {content:?}");
    };
    assert!(sight.intact);
    assert_eq!((sight.record, sight.bytes), (draft.record, draft.bytes));
    match decode(place, &text) {
        Ok(status) => assert_eq!(status, *document.status),
        Err(error) => panic!("it is written so that it can't be decoded: {error}"),
    }
}

/// A Lease is decoded, and what it says is said again by what takes its place.
pub fn lease(body: &[u8]) {
    let Ok(before) = read::<Lease>(body) else {
        return;
    };
    let record = decode_lease(&before).record;
    let now = WallTime(1_700_000_000_000_000);
    let after = encode_lease(Some(&before), "status", "oxia", &record, now);
    let expected = LeaseRecord {
        acquired: record.acquired.or(Some(now)),
        renewed: record.renewed.or(Some(now)),
        ..record
    };
    let bytes = serde_json::to_vec(&after).unwrap_or_else(|error| panic!("{error}"));
    let sent: Lease = read(&bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(decode_lease(&sent).record, expected);
}

/// Every "no" has a meaning, and none makes anybody wait for long.
pub fn answer(code: u16, after: &[u8], body: &[u8]) {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(after) {
        headers.insert(http::header::RETRY_AFTER, value);
    }
    let Ok(code) = StatusCode::from_u16(code) else {
        return;
    };
    let refusal = Refusal::new(code, retry_after(&headers), body);
    check(&Failure::Refused(refusal));
}

fn check(failure: &Failure) {
    const LONGEST: Duration = Duration::from_secs(60);
    let place = place();
    for ask in [Ask::Create, Ask::Read, Ask::Watch, Ask::Write] {
        if let FailureClass::Unavailable { after } = classify(ask, failure) {
            assert!(after <= LONGEST, "{after:?}");
        }
        not_stored(&place, ask, failure);
    }
    not_loaded("configmap", failure);
    no_head(&place, failure);
}
