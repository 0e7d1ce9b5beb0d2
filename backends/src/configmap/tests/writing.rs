use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use serde_json::{Value, json};
use stepdown_core::Version;
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::StoreOutcome;

use super::super::Layout;
use super::super::fake::{Received, Reply};
use super::super::fake_api::{FakeApi, Fault};
use super::super::size::LIMIT;
use super::super::testkit::{document, realistic_status};
use super::{found, head, store};

fn body(request: &Received) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

fn large(shards: u32) -> stepdown_core::store::StatusDocument {
    stepdown_core::store::StatusDocument {
        status: realistic_status(shards).into(),
        ..document(2)
    }
}

#[tokio::test]
async fn the_first_document_is_created_and_later_ones_are_applied_to_the_same_object() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let first = store(&documents, None, document(1)).await;
    store(&documents, Some(&first), document(2)).await;
    let requests = api.requests();
    let [create, apply] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert_eq!(create.method, "POST");
    assert!(create.target.contains("fieldManager=oxia-coordinator"));
    assert_eq!(apply.method, "PATCH");
    assert!(
        apply
            .target
            .starts_with("/api/v1/namespaces/ns/configmaps/status?")
    );
    assert!(
        apply
            .target
            .contains("force=true&fieldManager=oxia-coordinator")
    );
    assert_eq!(
        apply.headers["content-type"],
        "application/apply-patch+yaml"
    );
    for request in &requests {
        let partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        assert_eq!(request.headers["accept"], partial);
    }
    let sent = body(apply);
    let (version, uid) = first.0.split_once('@').unwrap();
    assert_eq!(sent["metadata"]["resourceVersion"], version);
    assert_eq!(sent["metadata"]["uid"], uid);
    assert_eq!(sent["data"], json!({"status": document(2).status.encode()}));
    assert!(sent.get("binaryData").is_none());
    let annotations = &sent["metadata"]["annotations"];
    assert_eq!(annotations["oxia.io/epoch"], "2");
    assert_eq!(annotations["oxia.io/layout"], "plain");
    assert_eq!(annotations["oxia.io/replaces"], version);
    assert_eq!(annotations["oxia.io/sha256"].as_str().unwrap().len(), 64);
    let write_id = document(2).write_id.to_string();
    assert_eq!(annotations["oxia.io/write-id"], write_id);
}

#[tokio::test]
async fn the_same_document_again_is_another_version() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let mut versions = vec![store(&documents, None, document(1)).await];
    for _ in 0..3 {
        let next = store(&documents, versions.last(), document(1)).await;
        assert!(!versions.contains(&next));
        versions.push(next);
    }
}

#[tokio::test]
async fn a_write_sent_again_is_the_same_bytes() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let version = store(&documents, None, document(1)).await;
    let lost = Reply::status(504, "Timeout", "lost");
    api.fail("PATCH", Fault::Instead(lost));
    let outcome = documents
        .store()
        .store(Some(version.clone()), document(2))
        .await;
    assert!(matches!(outcome, StoreOutcome::Ambiguous(_)), "{outcome:?}");
    assert_eq!(head(&documents).await.version, version);
    store(&documents, Some(&version), document(2)).await;
    let requests = api.requests();
    let bodies: Vec<_> = requests
        .iter()
        .filter(|request| request.method == "PATCH")
        .map(|request| request.body.as_str())
        .collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_document_leaves_one_layout_for_the_other() {
    let api = FakeApi::new().await;
    let (plain, compressed) = (
        api.documents(Layout::Plain),
        api.documents(Layout::Compressed),
    );
    let mut version = store(&plain, None, document(1)).await;
    let mut number = 1;
    for (documents, other) in [(&compressed, &plain), (&plain, &compressed)] {
        assert_eq!(found(documents).await.version, version);
        for content_type in [
            "application/merge-patch+json",
            "application/apply-patch+yaml",
        ] {
            number += 1;
            version = store(documents, Some(&version), document(number)).await;
            let last = api.requests().pop().unwrap();
            assert_eq!(last.headers["content-type"], content_type);
            let object = api.object().unwrap();
            let keys = |map: &str| object[map].as_object().map_or(0, serde_json::Map::len);
            assert_eq!(keys("data") + keys("binaryData"), 1, "{object}");
        }
        for documents in [documents, other] {
            let loaded = found(documents).await;
            assert!(loaded.intact);
            assert_eq!(*loaded.status, *document(number).status);
        }
    }
}

#[tokio::test]
async fn an_object_that_was_not_seen_is_rid_of_the_other_layout() {
    let api = FakeApi::new().await;
    let version = store(&api.documents(Layout::Compressed), None, document(1)).await;
    let documents = api.documents(Layout::Plain);
    store(&documents, Some(&version), document(2)).await;
    assert_eq!(api.object().unwrap()["binaryData"], json!({}));
    assert!(found(&documents).await.intact);
}

#[tokio::test]
async fn what_is_not_ours_stays() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let theirs = json!({
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "data": {"theirs": "1"},
    });
    api.edit(theirs);
    api.edit(json!({"data": {"status": document(1).status.encode()}}));
    let version = found(&documents).await.version;
    store(&documents, Some(&version), document(2)).await;
    let object = api.object().unwrap();
    assert_eq!(object["metadata"]["labels"]["a"], "b");
    assert_eq!(object["metadata"]["annotations"]["c"], "d");
    assert_eq!(object["data"]["theirs"], "1");
}

#[tokio::test]
async fn what_is_no_version_is_refused_without_asking() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    for version in ["", "0", "1", "0@uid-1", "x@uid-1"] {
        let version = Some(Version::new(version));
        let outcome = documents.store().store(version, document(1)).await;
        assert!(matches!(outcome, StoreOutcome::Conflict(_)), "{outcome:?}");
    }
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_refusal_over_the_network_is_in_doubt_and_changes_nothing() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let first = store(&documents, None, document(1)).await;
    let second = store(&documents, Some(&first), document(2)).await;
    let before = api.object();
    for expected in [None, Some(first)] {
        let outcome = documents.store().store(expected, document(3)).await;
        assert!(matches!(outcome, StoreOutcome::Ambiguous(_)), "{outcome:?}");
        assert_eq!(api.object(), before);
    }
    api.delete();
    let outcome = documents.store().store(Some(second), document(3)).await;
    assert!(matches!(outcome, StoreOutcome::Ambiguous(_)), "{outcome:?}");
    assert_eq!(api.object(), None);
}

#[tokio::test]
async fn every_answer_to_a_write_is_told_as_what_it_is() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let version = store(&documents, None, document(1)).await;
    type Check = fn(&StoreOutcome) -> bool;
    let answers: [(Reply, Check); 6] = [
        (
            Reply::status(403, "Forbidden", "no"),
            |it| matches!(it, StoreOutcome::Forbidden(reason) if reason.contains("ns/status")),
        ),
        (Reply::status(422, "Invalid", "what"), |it| {
            matches!(it, StoreOutcome::Invalid(_))
        }),
        (Reply::status(413, "RequestEntityTooLarge", "no"), |it| {
            matches!(it, StoreOutcome::TooLarge(_))
        }),
        (Reply::status(429, "TooManyRequests", "no"), |it| {
            matches!(it, StoreOutcome::Unavailable { .. })
        }),
        (Reply::status(503, "ServiceUnavailable", "no"), |it| {
            matches!(it, StoreOutcome::Ambiguous(_))
        }),
        (Reply::Reset, |it| matches!(it, StoreOutcome::Ambiguous(_))),
    ];
    for (reply, is_expected) in answers {
        api.fail("PATCH", Fault::Instead(reply));
        let expected = Some(version.clone());
        let outcome = documents.store().store(expected, document(2)).await;
        assert!(is_expected(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn no_request_is_sent_twice_unasked() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    for (code, reason) in [
        (429, "TooManyRequests"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ] {
        let before = api.requests().len();
        api.fail("POST", Fault::Instead(Reply::status(code, reason, "no")));
        documents.store().store(None, document(1)).await;
        assert_eq!(api.requests().len(), before + 1);
    }
    assert_eq!(api.object(), None);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_known_by_its_head() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let version = store(&documents, None, document(1)).await;
    for reply in [Reply::Reset, Reply::text(200, "{}"), Reply::text(200, "{")] {
        api.fail("PATCH", Fault::After(reply));
        let before = head(&documents).await.version;
        let outcome = documents.store().store(Some(before), document(2)).await;
        assert!(matches!(outcome, StoreOutcome::Ambiguous(_)), "{outcome:?}");
        let head = head(&documents).await;
        assert!(head.version != version && head.intact);
        assert_eq!(head.write_id, Some(document(2).write_id));
    }
}

#[tokio::test]
async fn what_does_not_fit_is_not_sent() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let sizes = documents.sizes();
    let version = store(&documents, None, document(1)).await;
    let outcome = documents
        .store()
        .store(Some(version.clone()), large(800))
        .await;
    let StoreOutcome::TooLarge(reason) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        reason.contains("1048576") && reason.contains("compressed"),
        "{reason}"
    );
    assert!(sizes.borrow().is_some_and(|size| size.bytes > LIMIT));
    assert_eq!(api.requests().len(), 1);
    store(&documents, Some(&version), document(2)).await;
}

#[tokio::test]
async fn what_others_keep_in_the_object_takes_up_room() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let status = document(1).status.encode();
    let room = LIMIT - document(2).status.encode().len();
    for (theirs, fits) in [(room, true), (room + 1, false)] {
        api.edit(json!({"data": {"status": status, "theirs": "x".repeat(theirs)}}));
        let version = found(&documents).await.version;
        let outcome = documents.store().store(Some(version), document(2)).await;
        assert_eq!(
            matches!(outcome, StoreOutcome::Stored(_)),
            fits,
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn ten_thousand_shards_fit_when_compressed_with_room_to_spare() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Compressed);
    store(&documents, None, large(10_000)).await;
    let size = documents.sizes().borrow().unwrap();
    assert!(size.bytes < size.limit / 2, "{size}");
    let loaded = found(&documents).await;
    assert_eq!(*loaded.status, realistic_status(10_000));
    assert!(loaded.intact && loaded.bytes > 10_000_000);
}

#[tokio::test]
async fn a_store_whose_future_is_dropped_goes_on() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let stores = documents.stores();
    {
        let status_store = documents.store();
        let mut store = pin!(status_store.store(None, document(1)));
        let _ = store.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(*stores.borrow(), 1);
    }
    let mut watch = stores.subscribe();
    let ended = watch.wait_for(|count| *count == 0);
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*found(&documents).await.status, *document(1).status);
}

#[tokio::test]
async fn a_leader_that_leaves_touches_one_annotation_of_the_document_that_it_knows() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let first = store(&documents, None, document(1)).await;
    documents.touch_handover(&first, "oxia-0").await;
    let sent = body(&api.requests().pop().unwrap());
    let annotations = sent["metadata"]["annotations"].as_object().unwrap();
    assert_eq!(annotations.len(), 1);
    assert!(sent.get("data").is_none());
    let touched = found(&documents).await;
    assert!(touched.intact && touched.version != first);
    let before = api.object();
    documents.touch_handover(&first, "oxia-1").await;
    documents.touch_handover(&Version::new(""), "oxia-1").await;
    assert_eq!(api.object(), before);
    api.delete();
    documents.touch_handover(&touched.version, "oxia-1").await;
    assert_eq!(api.object(), None);
}

#[tokio::test]
async fn a_document_that_only_its_head_told_of_is_missed_when_it_is_gone() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    api.fail("POST", Fault::After(Reply::Reset));
    let outcome = documents.store().store(None, document(1)).await;
    assert!(matches!(outcome, StoreOutcome::Ambiguous(_)), "{outcome:?}");
    assert_eq!(head(&documents).await.write_id, Some(document(1).write_id));
    api.delete();
    let outcome = documents.store().load().await;
    assert!(
        matches!(outcome, stepdown_core::store::LoadOutcome::Corrupt(_)),
        "{outcome:?}, and epoch {:?}",
        *documents.epochs().borrow()
    );
}

/// A status without leaders that fits, and would not with them.
fn fits_as_long_as_nobody_leads() -> ClusterStatus {
    let unled = |shards| {
        let mut status = realistic_status(shards);
        let namespaces = status.namespaces.values_mut();
        for shard in namespaces.flat_map(|namespace| namespace.shards.values_mut()) {
            Arc::make_mut(shard).leader = None;
        }
        status
    };
    let mut sizes = (1..100).map(|tens| unled(tens * 10));
    let status = sizes.find(|status| status.grown().encode().len() > LIMIT);
    status.unwrap()
}

#[tokio::test]
async fn namespaces_are_admitted_only_if_they_fit_once_they_are_led() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let version = store(&documents, None, document(1)).await;
    let status = Arc::new(fits_as_long_as_nobody_leads());
    let admits = |admits| stepdown_core::store::StatusDocument {
        status: status.clone(),
        admits,
        ..document(2)
    };
    let outcome = documents
        .store()
        .store(Some(version.clone()), admits(true))
        .await;
    let StoreOutcome::TooLarge(reason) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("once every shard is led"), "{reason}");
    // What is there is stored as long as it fits.
    store(&documents, Some(&version), admits(false)).await;
}

#[tokio::test]
async fn a_write_to_what_nobody_may_change_is_forbidden_with_the_way_out() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let version = store(&documents, None, document(1)).await;
    let message = "ConfigMap \"status\" is invalid: data: Forbidden: field is immutable when `immutable` is set";
    api.fail(
        "PATCH",
        Fault::Instead(Reply::status(422, "Invalid", message)),
    );
    let outcome = documents.store().store(Some(version), document(2)).await;
    let StoreOutcome::Forbidden(reason) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("without `immutable: true`"), "{reason}");
}
