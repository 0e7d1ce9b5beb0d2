use serde_json::json;
use stepdown_core::Epoch;
use stepdown_core::store::{HeadOutcome, LoadOutcome};

use super::super::compress::compress;
use super::super::fake::Reply;
use super::super::fake_api::{FakeApi, Fault, options};
use super::super::testkit::document;
use super::super::{ConfigMapOptions, Layout};
use super::{corrupt, found, head, store};

fn base64(bytes: Vec<u8>) -> serde_json::Value {
    serde_json::to_value(k8s_openapi::ByteString(bytes)).unwrap()
}

#[tokio::test]
async fn where_there_is_nothing_there_is_a_new_cluster() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let epoch = Epoch(0);
    let absent = LoadOutcome::Absent { epoch };
    assert_eq!(documents.store().load().await, absent);
    assert_eq!(documents.store().head().await, HeadOutcome::Absent);
    // A Lease that was never written to by us remembers nothing.
    api.set_lease_epoch("not a number");
    assert_eq!(documents.store().load().await, absent);
}

#[tokio::test]
async fn a_configmap_with_other_keys_is_told_with_them() {
    let api = FakeApi::new().await;
    api.edit(json!({"data": {"cluster-status.json": "{}"}, "binaryData": {"x": "AA=="}}));
    let reason = corrupt(&api.documents(Layout::Plain)).await;
    assert!(
        reason.contains(", but cluster-status.json, x: "),
        "{reason}"
    );
}

#[tokio::test]
async fn a_configmap_that_is_immutable_is_not_led_on() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    store(&documents, None, document(1)).await;
    api.edit(json!({"immutable": true}));
    let LoadOutcome::Corrupt(reason) = documents.store().load().await else {
        panic!("somebody would lead on it");
    };
    assert!(reason.contains("without `immutable: true`"), "{reason}");
    api.edit(json!({"immutable": false}));
    found(&documents).await;
}

#[tokio::test]
async fn an_answer_that_is_longer_than_any_object_is_none() {
    let api = FakeApi::new().await;
    api.edit(json!({"data": {"status": "instanceId: abc"}}));
    let longer = json!({"padding": "x".repeat(9 << 20)});
    api.fail("GET", Fault::Instead(Reply::json(200, &longer)));
    let documents = api.documents(Layout::Plain);
    let outcome = documents.store().load().await;
    let LoadOutcome::Unavailable { reason, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("longer than 8 MiB"), "{reason}");
    found(&documents).await;
}

#[tokio::test]
async fn a_document_that_the_lease_remembers_is_not_absent() {
    let api = FakeApi::new().await;
    api.set_lease_epoch("3");
    let reason = corrupt(&api.documents(Layout::Plain)).await;
    assert!(reason.contains("delete lease ns/status too"), "{reason}");
}

#[tokio::test]
async fn a_document_that_this_process_remembers_is_not_absent() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    store(&documents, None, document(3)).await;
    api.delete();
    let reason = corrupt(&documents).await;
    assert!(reason.contains("is gone"), "{reason}");
}

#[tokio::test]
async fn a_status_without_a_byte_is_a_new_cluster_only_where_that_is_said() {
    let api = FakeApi::new().await;
    let options = ConfigMapOptions {
        initialize_empty_status: true,
        ..options()
    };
    for edit in [
        json!({"data": {"other": "1"}}),
        json!({"data": {"status": ""}}),
        json!({"data": null, "binaryData": {"status.gz": ""}}),
    ] {
        api.edit(edit);
        let reason = corrupt(&api.documents(Layout::Plain)).await;
        assert!(reason.contains("--initialize-empty-status"), "{reason}");
        let told = api.documents_with(&options);
        let empty = found(&told).await;
        assert!(!empty.intact && empty.status.namespaces.is_empty());
        assert_eq!(head(&told).await.version, empty.version);
    }
    let told = api.documents_with(&options);
    let version = found(&told).await.version;
    store(&told, Some(&version), document(1)).await;
    assert_eq!(*found(&told).await.status, *document(1).status);
}

#[tokio::test]
async fn an_emptied_document_is_never_a_new_cluster() {
    let options = ConfigMapOptions {
        initialize_empty_status: true,
        ..options()
    };
    // Known by the Lease, by our own annotation, by this process.
    for known in ["lease", "annotation", "process"] {
        let api = FakeApi::new().await;
        let documents = api.documents_with(&options);
        match known {
            "lease" => api.set_lease_epoch("1"),
            "annotation" => api.edit(json!({"metadata": {"annotations": {"oxia.io/epoch": "1"}}})),
            _ => {
                store(&documents, None, document(1)).await;
                api.edit(json!({"metadata": {"annotations": null}}));
            }
        }
        api.edit(json!({"data": {"status": ""}}));
        let LoadOutcome::Corrupt(reason) = documents.store().load().await else {
            panic!("{known}");
        };
        assert!(reason.contains("is gone"), "{reason}");
    }
}

#[tokio::test]
async fn a_document_of_upstreams_is_read() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    api.edit(json!({"data": {"status": document(5).status.encode()}}));
    let loaded = found(&documents).await;
    assert_eq!(*loaded.status, *document(5).status);
    assert_eq!((loaded.epoch, loaded.write_id), (Epoch(0), None));
    assert!(!loaded.intact && !head(&documents).await.intact);
}

#[tokio::test]
async fn a_document_of_somebody_else_that_lacks_a_part_is_refused_until_that_is_accepted_by_name() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let cut = "namespaces: {a: {shards: {0: {term: 1, ensemble: [{internal: x}], \
               int32HashRange: {min: 0, max: 9}}}}}\n";
    api.edit(json!({"data": {"status": cut}}));
    let names = "hashes:a:10-4294967295,instance-id";
    for accepted in [None, Some("instance-id")] {
        api.edit(json!({"metadata": {"annotations": {"oxia.io/accept": accepted}}}));
        let LoadOutcome::Corrupt(reason) = documents.store().load().await else {
            panic!("it was taken");
        };
        assert!(reason.contains("put a copy back"), "{reason}");
        assert!(reason.contains("hashes 10 to 4294967295"), "{reason}");
        let head = documents.store().head().await;
        assert!(matches!(head, HeadOutcome::Corrupt(_)), "{head:?}");
    }
    api.edit(json!({"metadata": {"annotations": {"oxia.io/accept": names}}}));
    assert!(!found(&documents).await.intact);
}

#[tokio::test]
async fn an_edit_of_anything_that_the_record_covers_is_noticed() {
    for edit in [
        json!({"data": {"status": "instanceId: mine\n"}}),
        json!({"metadata": {"annotations": {"oxia.io/sha256": "00"}}}),
        json!({"metadata": {"annotations": {"oxia.io/sha256": null}}}),
        json!({"metadata": {"annotations": {"oxia.io/write-id": "1.2"}}}),
        json!({"metadata": {"annotations": {"oxia.io/write-id": null}}}),
        json!({"metadata": {"annotations": {"oxia.io/epoch": "9"}}}),
        json!({"metadata": {"annotations": {"oxia.io/epoch": null}}}),
        json!({"metadata": {"annotations": null}}),
    ] {
        for layout in [Layout::Plain, Layout::Compressed] {
            if layout == Layout::Compressed && edit.get("data").is_some() {
                continue;
            }
            let api = FakeApi::new().await;
            let documents = api.documents(layout);
            store(&documents, None, document(1)).await;
            assert!(found(&documents).await.intact);
            api.edit(edit.clone());
            assert!(!head(&documents).await.intact, "{edit}");
            assert!(!found(&documents).await.intact, "{edit}");
        }
    }
}

#[tokio::test]
async fn what_others_keep_beside_the_document_is_nothing_to_us() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let version = store(&documents, None, document(1)).await;
    api.edit(json!({
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d", "oxia.io/handover": "x"}},
        "data": {"theirs": "1"},
    }));
    let loaded = found(&documents).await;
    assert!(loaded.intact && loaded.version != version);
}

#[tokio::test]
async fn the_epoch_is_the_greatest_that_anybody_knows() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let mut epochs = documents.epochs();
    let version = store(&documents, None, document(4)).await;
    assert_eq!(*epochs.borrow_and_update(), Epoch(4));
    api.edit(json!({"metadata": {"annotations": {"oxia.io/epoch": "2"}}}));
    assert_eq!(found(&documents).await.epoch, Epoch(4));
    let other = api.documents(Layout::Plain);
    assert_eq!(found(&other).await.epoch, Epoch(2));
    api.set_lease_epoch("6");
    for documents in [&documents, &other] {
        assert_eq!(found(documents).await.epoch, Epoch(6));
    }
    assert_eq!(*epochs.borrow_and_update(), Epoch(6));
    api.edit(json!({"metadata": {"annotations": {"oxia.io/epoch": "7"}}}));
    assert_eq!(found(&documents).await.epoch, Epoch(7));
    assert_ne!(found(&documents).await.version, version);
}

#[tokio::test]
async fn nobody_guesses_which_of_two_layouts_is_meant() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let compressed = compress(&document(2).status.encode()).unwrap();
    api.edit(json!({
        "data": {"status": document(1).status.encode()},
        "binaryData": {"status.gz": base64(compressed)},
    }));
    for name in [json!("plain"), json!("gzip"), json!(null)] {
        api.edit(json!({"metadata": {"annotations": {"oxia.io/layout": name}}}));
        let reason = corrupt(&documents).await;
        assert!(
            reason.contains("remove the one that is not meant"),
            "{reason}"
        );
    }
    api.edit(json!({"binaryData": null}));
    assert_eq!(*found(&documents).await.status, *document(1).status);
}

#[tokio::test]
async fn what_can_not_be_read_says_what_to_do() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Compressed);
    for (edit, words) in [
        (
            json!({"data": {"status": "namespaces: [\n"}}),
            "put it right",
        ),
        (json!({"data": {"status": "# nothing\n"}}), "put it right"),
        (
            json!({"data": null, "binaryData": {"status.gz": base64(b"no gzip".to_vec())}}),
            "key status.gz",
        ),
        (
            json!({"binaryData": {"status.gz": base64(compress("- 1\n").unwrap())}}),
            "put it right",
        ),
        (
            json!({"metadata": {"annotations": {"oxia.io/layout": "shards"}}}),
            "newer release",
        ),
    ] {
        api.edit(edit);
        let reason = corrupt(&documents).await;
        assert!(
            reason.contains("ns/status") && reason.contains(words),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn the_head_of_a_document_that_has_not_changed_costs_its_metadata_alone() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    let full = || {
        let requests = api.requests();
        let reads = requests.iter().filter(|request| request.method == "GET");
        reads.filter(|request| !request.is_partial()).count()
    };
    let version = store(&documents, None, document(1)).await;
    let known = head(&documents).await;
    assert_eq!((&known.version, known.intact), (&version, true));
    assert_eq!(known.write_id, Some(document(1).write_id));
    assert_eq!(full(), 0);
    api.edit(json!({"data": {"status": "instanceId: theirs\n"}}));
    let theirs = head(&documents).await;
    assert!(theirs.version != version && !theirs.intact);
    assert_eq!(full(), 1);
    assert_eq!(head(&documents).await, theirs);
    assert_eq!(full(), 1);
}

#[tokio::test]
async fn the_same_version_with_another_record_is_another_document() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    store(&documents, None, document(1)).await;
    let object = api.object().unwrap();
    api.edit(json!({"metadata": {"annotations": {"oxia.io/sha256": "00"}}}));
    let restored = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
    api.set_metadata(&restored);
    assert!(!head(&documents).await.intact);
}

#[tokio::test]
async fn a_read_that_fails_says_why() {
    let api = FakeApi::new().await;
    let documents = api.documents(Layout::Plain);
    store(&documents, None, document(1)).await;
    for request in ["GET", "GET lease"] {
        api.fail(
            request,
            Fault::Instead(Reply::status(403, "Forbidden", "no")),
        );
        let outcome = documents.store().load().await;
        assert!(matches!(outcome, LoadOutcome::Forbidden(_)), "{outcome:?}");
        for reply in [
            Reply::status(500, "InternalError", "oh"),
            Reply::status(400, "BadRequest", "what"),
            Reply::Reset,
            Reply::text(200, "{"),
        ] {
            api.fail(request, Fault::Instead(reply));
            let outcome = documents.store().load().await;
            assert!(
                matches!(outcome, LoadOutcome::Unavailable { .. }),
                "{request}: {outcome:?}"
            );
        }
    }
    for reply in [Reply::status(403, "Forbidden", "no"), Reply::Reset] {
        api.fail("GET", Fault::Instead(reply));
        let outcome = documents.store().head().await;
        assert!(
            matches!(outcome, HeadOutcome::Unavailable { .. }),
            "{outcome:?}"
        );
    }
    found(&documents).await;
}
