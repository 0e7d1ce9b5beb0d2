//! Compare and set.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stepdown_core::store::{HeadOutcome, LoadOutcome, StoreOutcome};
use stepdown_core::{Epoch, Version};

use super::support::{
    Campaign, document, full_status, head, large_status, load, refused, status, store, write_id,
};
use super::{Cluster, Outcome};

pub async fn a_new_cluster_has_no_document(cluster: &dyn Cluster) -> Outcome {
    let backend = cluster.coordinator("a").await;
    let epoch = Epoch(0);
    assert_eq!(backend.store.load().await, LoadOutcome::Absent { epoch });
    assert_eq!(backend.store.head().await, HeadOutcome::Absent);
    Ok(())
}

pub async fn the_first_store_makes_the_document(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    let loaded = load(&leader.backend).await;
    assert_eq!(loaded.version, version);
    assert_eq!(*loaded.status, status(1));
    Ok(())
}

pub async fn a_store_is_found_whole(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(3, 4, full_status())).await;
    let loaded = load(&leader.backend).await;
    assert_eq!(*loaded.status, full_status());
    assert_eq!(loaded.epoch, Epoch(3));
    assert_eq!(loaded.write_id, Some(write_id(3, 4)));
    assert!(loaded.intact);
    assert!(loaded.bytes > 0);
    Ok(())
}

pub async fn a_store_replaces_the_document_at_its_version(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let mut version = None;
    for number in 1..20 {
        let next = document(1, number, status(i64::try_from(number).unwrap_or(0)));
        version = Some(store(&leader.backend, version.as_ref(), next).await);
    }
    assert_eq!(load(&leader.backend).await.status.shard_id_generator, 19);
    Ok(())
}

pub async fn a_store_at_an_old_version_is_a_conflict(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    store(&leader.backend, Some(&first), document(1, 2, status(2))).await;
    let late = document(1, 3, status(3));
    refused(cluster, leader.backend.store.store(Some(first), late).await);
    Ok(())
}

pub async fn a_store_at_an_unknown_version_is_a_conflict(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    for unknown in ["", "-1", "0", "no version of anybody's"] {
        let unknown = Some(Version::new(unknown));
        let next = document(1, 2, status(2));
        refused(cluster, leader.backend.store.store(unknown, next).await);
    }
    Ok(())
}

pub async fn a_store_that_expects_no_document_is_a_conflict_where_there_is_one(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    refused(cluster, leader.backend.store.store(None, next).await);
    Ok(())
}

pub async fn a_store_that_expects_a_document_is_refused_where_there_is_none(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let expected = Some(Version::new("1"));
    let next = document(1, 1, status(1));
    refused(cluster, leader.backend.store.store(expected, next).await);
    assert_eq!(leader.backend.store.head().await, HeadOutcome::Absent);
    Ok(())
}

pub async fn a_refused_store_changes_nothing(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    let before = load(&leader.backend).await;
    let next = document(9, 2, status(2));
    refused(cluster, leader.backend.store.store(None, next).await);
    assert_eq!(load(&leader.backend).await, before);
    Ok(())
}

pub async fn no_version_comes_twice(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let mut versions = BTreeSet::new();
    let mut version = None;
    for _ in 0..100 {
        // Not even where the very same document is written again.
        let next = store(&leader.backend, version.as_ref(), document(1, 1, status(1))).await;
        assert!(versions.insert(next.clone()), "{next}");
        version = Some(next);
    }
    Ok(())
}

pub async fn reading_does_not_change_the_version(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    for _ in 0..3 {
        assert_eq!(load(&leader.backend).await.version, version);
        assert_eq!(head(&leader.backend).await.version, version);
    }
    Ok(())
}

pub async fn store_load_and_head_name_the_same_version(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(2, 7, status(1))).await;
    let head = head(&leader.backend).await;
    let loaded = load(&leader.backend).await;
    assert_eq!((&head.version, &loaded.version), (&version, &version));
    assert_eq!(head.write_id, Some(write_id(2, 7)));
    assert_eq!(
        (head.write_id, head.intact),
        (loaded.write_id, loaded.intact)
    );
    Ok(())
}

pub async fn the_same_write_sent_twice_is_applied_once(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    let second = store(&leader.backend, Some(&first), document(1, 2, status(2))).await;
    let again = document(1, 2, status(2));
    let outcome = leader.backend.store.store(Some(first), again).await;
    // Some know their own writes again.
    if outcome != StoreOutcome::Stored(second.clone()) {
        refused(cluster, outcome);
    }
    assert_eq!(head(&leader.backend).await.version, second);
    Ok(())
}

pub async fn eight_writers_lose_no_update(cluster: &dyn Cluster) -> Outcome {
    const WRITERS: usize = 8;
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 0, status(0))).await;
    let each = cluster.many() / WRITERS;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let backend = leader.backend.clone();
        let is_over_a_network = cluster.is_over_a_network();
        writers.push(tokio::spawn(async move {
            let mut versions = Vec::new();
            let mut request = u64::try_from(writer).unwrap_or(0);
            while versions.len() < each {
                request += 8;
                let found = load(&backend).await;
                let next = document(1, request, status(found.status.shard_id_generator + 1));
                match backend.store.store(Some(found.version), next).await {
                    StoreOutcome::Stored(version) => versions.push(version),
                    StoreOutcome::Conflict(_) => {}
                    // Nothing goes wrong here, so it is a "no".
                    StoreOutcome::Ambiguous(_) if is_over_a_network => {}
                    other @ (StoreOutcome::Ambiguous(_)
                    | StoreOutcome::Corrupt(_)
                    | StoreOutcome::Forbidden(_)
                    | StoreOutcome::Invalid(_)
                    | StoreOutcome::TooLarge(_)
                    | StoreOutcome::Unavailable { .. }) => panic!("{other:?}"),
                }
            }
            versions
        }));
    }
    let mut versions = BTreeSet::new();
    for writer in writers {
        versions.extend(writer.await.expect("a writer panicked"));
    }
    assert_eq!(versions.len(), WRITERS * each);
    let stored = load(&leader.backend).await.status.shard_id_generator;
    assert_eq!(usize::try_from(stored), Ok(WRITERS * each));
    Ok(())
}

pub async fn a_large_document_is_found_whole(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, large_status(1_000))).await;
    let loaded = load(&leader.backend).await;
    assert_eq!(*loaded.status, large_status(1_000));
    assert!(loaded.bytes > 100_000, "{}", loaded.bytes);
    Ok(())
}

pub async fn a_document_that_is_too_large_is_refused_and_changes_nothing(
    cluster: &dyn Cluster,
) -> Outcome {
    cluster.limit_size().await?;
    let leader = Campaign::win(cluster, "a").await;
    let empty = document(1, 1, super::support::large_status(0));
    let version = store(&leader.backend, None, empty.clone()).await;
    let large = document(1, 2, large_status(100));
    let outcome = leader
        .backend
        .store
        .store(Some(version.clone()), large)
        .await;
    assert!(matches!(outcome, StoreOutcome::TooLarge(_)), "{outcome:?}");
    assert_eq!(head(&leader.backend).await.version, version);
    store(&leader.backend, Some(&version), empty).await;
    Ok(())
}

pub async fn readers_never_see_half_a_store(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let mut version = store(&leader.backend, None, document(1, 1, large_status(0))).await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let backend = cluster.coordinator("reader").await;
        let done = done.clone();
        async move {
            let mut reads = 0;
            while !done.load(Ordering::SeqCst) || reads == 0 {
                let loaded = load(&backend).await;
                let shards = loaded.status.shards().count();
                let expected = large_status(i64::try_from(shards).unwrap_or(0));
                assert_eq!(*loaded.status, expected);
                assert!(loaded.intact);
                reads += 1;
            }
        }
    });
    for number in 2..40 {
        let shards = i64::try_from(number).unwrap_or(0) * 7 % 50;
        let next = document(1, number, large_status(shards));
        version = store(&leader.backend, Some(&version), next).await;
    }
    done.store(true, Ordering::SeqCst);
    reader.await.expect("the reader saw half a store");
    Ok(())
}

pub async fn everybody_reads_what_the_leader_stored(cluster: &dyn Cluster) -> Outcome {
    let early = cluster.coordinator("early").await;
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    let late = cluster.coordinator("late").await;
    let found = load(&leader.backend).await;
    assert_eq!(load(&early).await, found);
    assert_eq!(load(&late).await, found);
    Ok(())
}
