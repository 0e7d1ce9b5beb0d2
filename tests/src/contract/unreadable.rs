//! Documents that can't be read, or are gone.

use stepdown_core::Epoch;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StoreOutcome};

use super::support::{Campaign, document, load, says_no, status, store};
use super::{Cluster, Outcome};

pub async fn an_unreadable_document_is_never_taken_for_an_empty_cluster(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.corrupt().await?;
    is_corrupt(&leader).await;
    leader.leave().await;
    let next = Campaign::win(cluster, "b").await;
    is_corrupt(&next).await;
    Ok(())
}

pub async fn an_unreadable_document_is_not_overwritten(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.corrupt().await?;
    for expected in [None, Some(version)] {
        let next = document(1, 2, status(2));
        not_written(cluster, &leader.backend.store.store(expected, next).await);
        is_corrupt(&leader).await;
    }
    Ok(())
}

pub async fn an_unreadable_document_put_right_is_found(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(6, 1, status(1))).await;
    cluster.corrupt().await?;
    is_corrupt(&leader).await;
    cluster.overwrite(status(2)).await;
    let loaded = load(&leader.backend).await;
    assert_eq!((*loaded.status).clone(), status(2));
    assert_eq!(loaded.epoch, Epoch(6));
    Ok(())
}

pub async fn a_deleted_document_does_not_lower_the_epoch(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(6, 1, status(1))).await;
    cluster.delete().await?;
    // A backend may hold it for a mishap: then it says so.
    let outcome = leader.backend.store.load().await;
    let epoch = Epoch(6);
    assert!(
        matches!(outcome, LoadOutcome::Corrupt(_)) || outcome == LoadOutcome::Absent { epoch },
        "{outcome:?}"
    );
    Ok(())
}

pub async fn a_deleted_document_is_not_stored_again_by_its_leader(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.delete().await?;
    let next = document(1, 2, status(2));
    not_written(
        cluster,
        &leader.backend.store.store(Some(version), next).await,
    );
    let outcome = leader.backend.store.head().await;
    assert!(!matches!(outcome, HeadOutcome::Found(_)), "{outcome:?}");
    Ok(())
}

pub async fn an_empty_document_is_never_taken_for_an_empty_cluster(
    cluster: &dyn Cluster,
) -> Outcome {
    cluster.empty().await?;
    let leader = Campaign::win(cluster, "a").await;
    is_corrupt(&leader).await;
    not_written(
        cluster,
        &leader
            .backend
            .store
            .store(None, document(1, 1, status(1)))
            .await,
    );
    cluster.delete().await?;
    let version = store(&leader.backend, None, document(1, 2, status(1))).await;
    cluster.empty().await?;
    is_corrupt(&leader).await;
    let next = document(1, 3, status(2));
    not_written(
        cluster,
        &leader.backend.store.store(Some(version), next).await,
    );
    is_corrupt(&leader).await;
    Ok(())
}

pub async fn a_document_cut_short_is_never_taken_for_a_smaller_one(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    for thousandths in [999, 900, 500, 300, 100, 0] {
        cluster.cut(thousandths).await?;
        is_corrupt(&leader).await;
    }
    Ok(())
}

async fn is_corrupt(campaign: &Campaign) {
    let outcome = campaign.backend.store.load().await;
    assert!(matches!(outcome, LoadOutcome::Corrupt(_)), "{outcome:?}");
    let outcome = campaign.backend.store.head().await;
    assert!(matches!(outcome, HeadOutcome::Corrupt(_)), "{outcome:?}");
}

fn not_written(cluster: &dyn Cluster, outcome: &StoreOutcome) {
    let is_corrupt = matches!(outcome, StoreOutcome::Corrupt(_));
    assert!(is_corrupt || says_no(cluster, outcome), "{outcome:?}");
}
