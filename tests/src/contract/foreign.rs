//! Writes of others: upstream's coordinator, or a person.

use std::collections::BTreeSet;

use stepdown_core::Epoch;

use super::support::{
    Campaign, document, full_status, head, load, refused, status, store, write_id,
};
use super::{Cluster, Outcome};

pub async fn a_document_of_upstreams_is_found(cluster: &dyn Cluster) -> Outcome {
    cluster.overwrite(full_status()).await;
    let backend = cluster.coordinator("a").await;
    let loaded = load(&backend).await;
    assert_eq!(*loaded.status, full_status());
    assert_eq!((loaded.epoch, loaded.write_id), (Epoch(0), None));
    assert!(!loaded.intact);
    Ok(())
}

pub async fn a_document_of_upstreams_is_taken_over(cluster: &dyn Cluster) -> Outcome {
    cluster.overwrite(status(5)).await;
    let leader = Campaign::win(cluster, "a").await;
    let found = load(&leader.backend).await;
    let fence = document(1, 1, (*found.status).clone());
    let version = store(&leader.backend, Some(&found.version), fence).await;
    let loaded = load(&leader.backend).await;
    assert_eq!((loaded.version, loaded.intact), (version, true));
    assert_eq!(*loaded.status, status(5));
    Ok(())
}

pub async fn a_foreign_write_is_found_and_is_not_intact(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.overwrite(status(2)).await;
    let loaded = load(&leader.backend).await;
    assert_eq!(*loaded.status, status(2));
    assert!(!loaded.intact);
    assert!(!head(&leader.backend).await.intact);
    Ok(())
}

pub async fn a_foreign_write_changes_the_version(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.overwrite(status(2)).await;
    let found = head(&leader.backend).await.version;
    assert_ne!(found, version);
    assert_eq!(load(&leader.backend).await.version, found);
    Ok(())
}

pub async fn a_foreign_write_makes_the_leaders_next_store_a_conflict(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.overwrite(status(7)).await;
    let next = document(1, 2, status(2));
    refused(
        cluster,
        leader.backend.store.store(Some(version), next).await,
    );
    assert_eq!(*load(&leader.backend).await.status, status(7));
    Ok(())
}

pub async fn a_foreign_write_of_the_same_status_is_a_foreign_write(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.overwrite(status(1)).await;
    let next = document(1, 2, status(2));
    refused(
        cluster,
        leader.backend.store.store(Some(version), next).await,
    );
    Ok(())
}

pub async fn a_foreign_write_is_adopted_by_a_store_at_its_version(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.overwrite(status(7)).await;
    let found = load(&leader.backend).await;
    let next = document(2, 2, (*found.status).clone());
    store(&leader.backend, Some(&found.version), next).await;
    let head = head(&leader.backend).await;
    assert_eq!((head.write_id, head.intact), (Some(write_id(2, 2)), true));
    Ok(())
}

pub async fn a_foreign_write_does_not_lower_the_epoch(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(41, 1, status(1))).await;
    cluster.overwrite(status(2)).await;
    assert_eq!(load(&leader.backend).await.epoch, Epoch(41));
    leader.leave().await;
    let next = cluster.coordinator("b").await;
    assert_eq!(load(&next).await.epoch, Epoch(41));
    Ok(())
}

pub async fn foreign_writes_one_after_another_have_versions_of_their_own(
    cluster: &dyn Cluster,
) -> Outcome {
    let backend = cluster.coordinator("a").await;
    let mut versions = BTreeSet::new();
    for number in 0..10 {
        cluster.overwrite(status(number)).await;
        assert!(versions.insert(load(&backend).await.version));
    }
    Ok(())
}

pub async fn an_edit_that_keeps_our_record_is_a_foreign_write(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(3, 1, status(123_456))).await;
    // As long as before, and longer, and shorter.
    for (from, to) in [
        ("123456", "654321"),
        ("654321", "7654321"),
        ("7654321", "7"),
    ] {
        cluster.edit(from, to).await?;
        let loaded = load(&leader.backend).await;
        assert_eq!(loaded.status.shard_id_generator.to_string(), to);
        assert!(!loaded.intact);
        assert_eq!(loaded.epoch, Epoch(3));
        assert_ne!(loaded.version, version);
        let next = document(3, 2, status(2));
        refused(
            cluster,
            leader
                .backend
                .store
                .store(Some(version.clone()), next)
                .await,
        );
    }
    let found = load(&leader.backend).await;
    store(
        &leader.backend,
        Some(&found.version),
        document(4, 3, status(3)),
    )
    .await;
    Ok(())
}
