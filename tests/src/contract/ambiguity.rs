//! Stores whose end is not known, and refusals of every kind.

use stepdown_core::Version;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};

use super::support::{Campaign, ambiguous, document, head, load, refused, status, store, write_id};
use super::{Cluster, Failure, NotApplicable, Outcome};

pub async fn an_ambiguous_store_that_was_applied_is_known_by_its_head(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    send(cluster, &leader, Failure::Applied, &first, next).await?;
    let head = head(&leader.backend).await;
    assert_ne!(head.version, first);
    assert_eq!((head.write_id, head.intact), (Some(write_id(1, 2)), true));
    store(
        &leader.backend,
        Some(&head.version),
        document(1, 3, status(3)),
    )
    .await;
    Ok(())
}

pub async fn an_ambiguous_store_that_was_lost_leaves_the_version_and_may_be_sent_again(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    send(cluster, &leader, Failure::Lost, &first, next.clone()).await?;
    let before = head(&leader.backend).await;
    assert_eq!(before.version, first);
    assert_eq!(before.write_id, Some(write_id(1, 1)));
    let version = store(&leader.backend, Some(&first), next).await;
    assert_eq!(head(&leader.backend).await.version, version);
    Ok(())
}

pub async fn an_ambiguous_store_may_be_followed_by_a_foreign_write(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    send(cluster, &leader, Failure::Applied, &first, next.clone()).await?;
    cluster.overwrite(status(7)).await;
    let head = head(&leader.backend).await;
    assert_ne!(head.version, first);
    assert!(!head.intact || head.write_id != Some(write_id(1, 2)));
    refused(cluster, leader.backend.store.store(Some(first), next).await);
    Ok(())
}

pub async fn a_late_store_is_applied_where_nothing_came_between(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    send(cluster, &leader, Failure::Late, &first, next).await?;
    assert_eq!(head(&leader.backend).await.version, first);
    cluster.deliver_late().await?;
    assert_eq!(head(&leader.backend).await.write_id, Some(write_id(1, 2)));
    Ok(())
}

pub async fn a_late_store_is_refused_after_another_store(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    send(cluster, &leader, Failure::Late, &first, next).await?;
    let other = store(&leader.backend, Some(&first), document(1, 3, status(3))).await;
    cluster.deliver_late().await?;
    assert_eq!(head(&leader.backend).await.version, other);
    Ok(())
}

pub async fn a_late_store_of_an_old_leader_is_refused_after_the_fencing_write(
    cluster: &dyn Cluster,
) -> Outcome {
    let old = Campaign::win(cluster, "a").await;
    let first = store(&old.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    send(cluster, &old, Failure::Late, &first, next).await?;
    old.leave().await;
    let new = Campaign::win(cluster, "b").await;
    let found = load(&new.backend).await;
    let fence = document(2, 1, (*found.status).clone());
    let fenced = store(&new.backend, Some(&found.version), fence).await;
    cluster.deliver_late().await?;
    assert_eq!(head(&new.backend).await.version, fenced);
    assert_eq!(*load(&new.backend).await.status, status(1));
    Ok(())
}

pub async fn a_store_sent_again_and_the_late_first_one_are_applied_once(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let first = store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(1, 2, status(2));
    send(cluster, &leader, Failure::Late, &first, next.clone()).await?;
    let version = store(&leader.backend, Some(&first), next).await;
    cluster.deliver_late().await?;
    assert_eq!(head(&leader.backend).await.version, version);
    Ok(())
}

pub async fn a_refusal_says_what_it_is_and_changes_nothing(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let mut version = store(&leader.backend, None, document(1, 1, status(1))).await;
    for failure in [
        Failure::Conflict,
        Failure::Corrupt,
        Failure::Forbidden,
        Failure::Invalid,
        Failure::TooLarge,
        Failure::Unavailable,
    ] {
        cluster.fail_store(failure).await?;
        let before = load(&leader.backend).await;
        let next = document(1, 2, status(2));
        let outcome = leader
            .backend
            .store
            .store(Some(version.clone()), next)
            .await;
        assert_eq!(refusal(&outcome), Some(failure), "{outcome:?}");
        assert_eq!(load(&leader.backend).await, before);
        version = store(&leader.backend, Some(&version), document(1, 3, status(3))).await;
    }
    Ok(())
}

pub async fn a_failed_read_says_so_and_the_next_one_finds_the_document(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    cluster.fail_read().await?;
    let outcome = leader.backend.store.load().await;
    assert!(
        matches!(outcome, LoadOutcome::Unavailable { .. }),
        "{outcome:?}"
    );
    assert_eq!(load(&leader.backend).await.version, version);
    cluster.fail_read().await?;
    let outcome = leader.backend.store.head().await;
    assert!(
        matches!(outcome, HeadOutcome::Unavailable { .. }),
        "{outcome:?}"
    );
    assert_eq!(head(&leader.backend).await.version, version);
    Ok(())
}

/// Sends a store that gets no answer.
async fn send(
    cluster: &dyn Cluster,
    leader: &Campaign,
    failure: Failure,
    expected: &Version,
    document: StatusDocument,
) -> Result<(), NotApplicable> {
    cluster.fail_store(failure).await?;
    let expected = Some(expected.clone());
    ambiguous(leader.backend.store.store(expected, document).await);
    Ok(())
}

fn refusal(outcome: &StoreOutcome) -> Option<Failure> {
    match outcome {
        StoreOutcome::Ambiguous(_) | StoreOutcome::Stored(_) => None,
        StoreOutcome::Conflict(_) => Some(Failure::Conflict),
        StoreOutcome::Corrupt(_) => Some(Failure::Corrupt),
        StoreOutcome::Forbidden(_) => Some(Failure::Forbidden),
        StoreOutcome::Invalid(_) => Some(Failure::Invalid),
        StoreOutcome::TooLarge(_) => Some(Failure::TooLarge),
        StoreOutcome::Unavailable { .. } => Some(Failure::Unavailable),
    }
}
