//! What has to hold of an API server's objects and answers, whatever is in them.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::{PartialObjectMeta, WatchEvent};
use serde_json::Value;
use sha2::{Digest, Sha256};
use stepdown_core::lease::{LeaseRecord, WallTime};
use stepdown_core::store::{StatusDocument, StoreOutcome};
use stepdown_core::{Epoch, ProcessId, RequestId, WriteId};

use super::classify::{Ask, FailureClass, classify};
use super::content::{Content, Sight, decode, judge, lacking};
use super::draft::{Draft, Replaced, draft};
use super::layout::Layout;
use super::lease::{decode as decode_lease, encode as encode_lease};
use super::object_name::ObjectName;
use super::outcome::{no_head, not_loaded, not_stored};
use super::record::Record;
use super::request::{Failure, Refusal, read, retry_after};
use super::version::ObjectVersion;
use crate::lacks::fuzzing::check_lacks;
use crate::lacks::lacks;

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
    } = judge(&place, object.clone())
    else {
        return;
    };
    check_sight(object, &sight, &text);
    let Ok(status) = decode(&place, &text) else {
        return;
    };
    check_lacks(&status, None);
    let lacking = lacking(&place, &status, &accepted);
    let lacks = lacks(&status, None);
    let is_accepted = lacks.iter().all(|lack| accepted.contains(&lack.name()));
    assert_eq!(lacking.is_none(), is_accepted, "{lacking:?}");
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

/// The one text that is there is what is read, and whether it is ours is told by what is beside it.
fn check_sight(object: ConfigMap, sight: &Sight, text: &str) {
    let metadata = object.metadata;
    let version = (metadata.resource_version, metadata.uid);
    let seen = &sight.version;
    let seen = (seen.resource_version.clone(), seen.uid.clone());
    assert_eq!(version, (Some(seen.0), Some(seen.1)));
    let (data, binary) = (
        object.data.unwrap_or_default(),
        object.binary_data.unwrap_or_default(),
    );
    match (data.get("status"), binary.get("status.gz")) {
        (Some(plain), None) => assert_eq!(plain, text),
        (None, Some(_)) => {}
        both => panic!("which one is it? {both:?}"),
    }
    let values = data.values().map(String::len);
    let values = values.chain(binary.values().map(|it| it.0.len()));
    assert_eq!(values.sum::<usize>(), sight.bytes);
    let annotations = metadata.annotations.unwrap_or_default();
    let said = |key: &str| annotations.get(key).map_or("", String::as_str);
    let layout = annotations.get("oxia.io/layout").map(String::as_str);
    assert!(
        matches!(layout, None | Some("plain" | "gzip")),
        "{layout:?}"
    );
    let digest = Sha256::digest(text.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let epoch = said("oxia.io/epoch").parse().ok().map(Epoch);
    let writer = said("oxia.io/write-id").parse::<WriteId>().ok();
    let is_ours = writer.is_some_and(|it| Some(it.epoch) == epoch);
    assert_eq!(sight.intact, is_ours && digest == said("oxia.io/sha256"));
}

/// A write is refused by the server where there is another object by then.
fn check_bound(draft: &Draft, version: &ObjectVersion) {
    let request = draft.request.as_ref();
    let request = request.unwrap_or_else(|error| panic!("{error}"));
    let body: Value = read(request.body()).unwrap_or_else(|error| panic!("{error}"));
    let metadata = body.get("metadata");
    let said = |key| metadata.and_then(|it| it.get(key)?.as_str());
    assert_eq!(said("resourceVersion"), Some(&*version.resource_version));
    assert_eq!(said("uid"), Some(&*version.uid));
    assert!(draft.bytes <= 1 << 20, "no more than there is room for");
}

/// A request that makes the object is read back as the object would be.
fn check_written(place: &ObjectName, layout: Layout, document: &StatusDocument, sight: &Sight) {
    let over = Replaced::Object(sight.version.clone(), Some(Arc::new(sight.clone())));
    // It may be too large beside what others keep there.
    if let Ok(draft) = draft(place, layout, document, &over) {
        check_bound(&draft, &sight.version);
    }
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
    check_said(&before, &record);
    let mine = LeaseRecord {
        holder: "me".into(),
        process: Some(ProcessId(u128::MAX)),
        pod: None,
        duration: Duration::from_secs(15),
        acquired: None,
        renewed: None,
        transitions: record.transitions,
        epoch: record.epoch,
        transfer_to: None,
        transfer_requested: None,
    };
    for record in [record, mine] {
        check_replaced(&before, record);
    }
}

/// What a Lease says, by its fields and what stands beside them: that is only of this record where it was
/// written together with it.
fn check_said(object: &Lease, record: &LeaseRecord) {
    let annotations = object.metadata.annotations.clone().unwrap_or_default();
    let said = |key: &str| annotations.get(key).map(String::as_str);
    let spec = object.spec.clone().unwrap_or_default();
    assert_eq!(*record.holder, spec.holder_identity.unwrap_or_default());
    let number = |number: Option<i32>| number.unwrap_or(0).max(0).unsigned_abs();
    let seconds = number(spec.lease_duration_seconds);
    assert_eq!(record.duration, Duration::from_secs(seconds.into()));
    assert_eq!(record.transitions, number(spec.lease_transitions));
    let epoch = said("oxia.io/epoch").and_then(|it| it.parse().ok());
    assert_eq!(record.epoch.0, epoch.unwrap_or(0));
    let renewed = spec.renew_time.map(|it| it.0.as_microsecond());
    assert_eq!(record.renewed.map(|it| it.0), renewed);
    let stamp = renewed.map(|it| it.to_string());
    let is_of_it = stamp.is_some() && stamp.as_deref() == said("oxia.io/renewed");
    let of_it = |key| said(key).filter(|_| is_of_it);
    assert_eq!(record.pod.as_deref(), of_it("oxia.io/pod-uid"));
    assert_eq!(record.transfer_to.as_deref(), of_it("oxia.io/transfer-to"));
    let process = of_it("oxia.io/process").and_then(|it| u128::from_str_radix(it, 16).ok());
    assert_eq!(record.process.map(|it| it.0), process);
    let asked = said("oxia.io/transfer-requested").unwrap_or_default();
    assert_eq!(
        record.transfer_requested.as_deref().unwrap_or_default(),
        asked
    );
}

/// It says what it is to say, only to a server that has the same object still, and keeps what is others'.
fn check_replaced(before: &Lease, record: LeaseRecord) {
    let now = WallTime(1_700_000_000_000_000);
    let after = encode_lease(Some(before), "status", "oxia", &record, None, now);
    let expected = LeaseRecord {
        acquired: record.acquired.or(Some(now)),
        renewed: record.renewed.or(Some(now)),
        ..record
    };
    let bytes = serde_json::to_vec(&after).unwrap_or_else(|error| panic!("{error}"));
    let sent: Lease = read(&bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(decode_lease(&sent).record, expected);
    let others = |lease: &Lease| {
        let mut metadata = lease.metadata.clone();
        (metadata.name, metadata.namespace, metadata.managed_fields) = (None, None, None);
        let annotations = metadata.annotations.get_or_insert_default();
        for key in [
            "epoch",
            "pod-uid",
            "process",
            "public-address",
            "renewed",
            "transfer-to",
            "transfer-requested",
        ] {
            annotations.remove(&format!("oxia.io/{key}"));
        }
        let spec = lease.spec.clone().unwrap_or_default();
        (metadata, spec.preferred_holder, spec.strategy)
    };
    assert_eq!(others(&after), others(before));
    let place = (
        sent.metadata.name.as_deref(),
        sent.metadata.namespace.as_deref(),
    );
    assert_eq!(place, (Some("status"), Some("oxia")));
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
        let class = classify(ask, failure);
        if let FailureClass::Unavailable { after } = class {
            assert!(after <= LONGEST, "{after:?}");
        }
        if let Failure::Refused(refusal) = failure {
            check_class(ask, class, refusal);
        }
        let outcome = not_stored(&place, ask, failure);
        let is_clear = !matches!(outcome, StoreOutcome::Ambiguous(_));
        let may_be = matches!(class, FailureClass::Ambiguous) && !failure.is_of_immutable();
        assert!(!(is_clear && may_be), "it may be written: {outcome:?}");
    }
    not_loaded("configmap", failure);
    no_head(&place, failure);
}

/// Whoever writes is told that nothing was written only where the server says what nobody says who may have
/// written it; whoever reads is never told of a doubt.
fn check_class(ask: Ask, class: FailureClass, refusal: &Refusal) {
    const CLEAR: [u16; 9] = [400, 401, 403, 405, 406, 413, 415, 422, 429];
    const CLEARLY: [&str; 9] = [
        "BadRequest",
        "Unauthorized",
        "Forbidden",
        "MethodNotAllowed",
        "NotAcceptable",
        "RequestEntityTooLarge",
        "UnsupportedMediaType",
        "Invalid",
        "TooManyRequests",
    ];
    let status = &refusal.status;
    let is_clear = CLEAR.contains(&refusal.code) || CLEARLY.contains(&&*status.reason);
    let is_absent = status.reason == "NotFound";
    let is_too_large = status.message.contains("request is too large");
    let is_of_fields = refusal.has_cause("FieldManagerConflict");
    match (ask, class) {
        (Ask::Read | Ask::Watch, FailureClass::Ambiguous | FailureClass::TooLarge)
        | (Ask::Read | Ask::Create | Ask::Write, FailureClass::Expired)
        | (Ask::Create | Ask::Write | Ask::Watch, FailureClass::Absent) => {
            panic!("{ask:?} can't be {class:?}")
        }
        (Ask::Read, FailureClass::Absent) => assert!(is_absent, "{refusal:?}"),
        (Ask::Create | Ask::Write, FailureClass::Ambiguous)
        | (Ask::Watch, FailureClass::Expired)
        | (
            Ask::Read | Ask::Watch,
            FailureClass::Forbidden | FailureClass::Invalid | FailureClass::Unavailable { .. },
        ) => {}
        (
            Ask::Create | Ask::Write,
            FailureClass::Forbidden
            | FailureClass::Invalid
            | FailureClass::TooLarge
            | FailureClass::Unavailable { .. },
        ) => {
            let is_vacant = is_absent && ask == Ask::Create;
            let is_known = is_clear || is_too_large || is_of_fields || is_vacant;
            assert!(is_known, "{class:?} of {refusal:?}");
        }
    }
}
