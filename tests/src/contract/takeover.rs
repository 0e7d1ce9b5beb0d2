//! From one leader to the next.

use stepdown_core::Epoch;
use stepdown_core::store::{LoadOutcome, StoreOutcome};

use super::support::{Campaign, document, head, load, refused, status, store, stored, write_id};
use super::{Cluster, Outcome};

pub async fn a_standby_that_read_early_reads_again_and_loses_nothing(
    cluster: &dyn Cluster,
) -> Outcome {
    let standby = cluster.coordinator("b").await;
    let early = standby.store.load().await;
    assert!(matches!(early, LoadOutcome::Absent { .. }), "{early:?}");
    let leader = Campaign::win(cluster, "a").await;
    let mut version = None;
    for (request, number) in [(1, 10), (2, 20), (3, 30)] {
        let next = document(1, request, status(number));
        version = Some(store(&leader.backend, version.as_ref(), next).await);
    }
    let mut standby = Campaign::begin(&standby);
    leader.leave().await;
    standby.won().await;
    let fence = document(2, 1, status(0));
    refused(cluster, standby.backend.store.store(None, fence).await);
    let loaded = load(&standby.backend).await;
    assert_eq!(loaded.write_id, Some(write_id(1, 3)));
    assert_eq!(loaded.status.shard_id_generator, 30);
    Ok(())
}

pub async fn a_standbys_store_at_an_old_version_is_a_conflict(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let old = store(&leader.backend, None, document(1, 1, status(1))).await;
    let standby = cluster.coordinator("b").await;
    assert_eq!(load(&standby).await.version, old);
    store(&leader.backend, Some(&old), document(1, 2, status(2))).await;
    leader.leave().await;
    let mut standby = Campaign::begin(&standby);
    standby.won().await;
    let fence = document(2, 1, status(1));
    refused(cluster, standby.backend.store.store(Some(old), fence).await);
    assert_eq!(*load(&standby.backend).await.status, status(2));
    Ok(())
}

pub async fn a_standby_reads_while_another_leads(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    let standby = Campaign::begin(&cluster.coordinator("b").await);
    assert_eq!(load(&standby.backend).await.version, version);
    assert_eq!(head(&standby.backend).await.version, version);
    Ok(())
}

pub async fn a_standbys_store_changes_nothing(cluster: &dyn Cluster) -> Outcome {
    cluster.stores_need_leadership()?;
    let standby = cluster.coordinator("b").await;
    refused(
        cluster,
        standby.store.store(None, document(1, 1, status(1))).await,
    );
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    let next = document(2, 1, status(2));
    refused(
        cluster,
        standby.store.store(Some(version.clone()), next).await,
    );
    let former = leader.leave().await;
    let next = document(1, 2, status(2));
    refused(
        cluster,
        former.store.store(Some(version.clone()), next).await,
    );
    assert_eq!(head(&standby).await.version, version);
    Ok(())
}

pub async fn an_old_leaders_store_is_refused_after_the_fencing_write(
    cluster: &dyn Cluster,
) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(1, 1, status(1))).await;
    let old = leader.leave().await;
    let new = Campaign::win(cluster, "b").await;
    let fenced = fence(&new, 2).await;
    let late = document(1, 2, status(2));
    refused(cluster, old.store.store(Some(version), late).await);
    assert_eq!(head(&new.backend).await.version, fenced);
    Ok(())
}

pub async fn a_leader_that_lost_office_stores_no_more_after_the_fencing_write(
    cluster: &dyn Cluster,
) -> Outcome {
    let mut old = Campaign::win(cluster, "a").await;
    let version = store(&old.backend, None, document(1, 1, status(1))).await;
    cluster.take_away().await?;
    old.lost().await;
    let new = Campaign::win(cluster, "b").await;
    let fenced = fence(&new, 2).await;
    let late = document(1, 2, status(2));
    refused(cluster, old.backend.store.store(Some(version), late).await);
    assert_eq!(head(&new.backend).await.version, fenced);
    Ok(())
}

pub async fn the_epoch_is_found_by_the_next_leader(cluster: &dyn Cluster) -> Outcome {
    let first = Campaign::win(cluster, "a").await;
    store(&first.backend, None, document(1, 1, status(1))).await;
    first.leave().await;
    for epoch in 2..6 {
        let next = Campaign::win(cluster, &format!("leader-{epoch}")).await;
        assert_eq!(load(&next.backend).await.epoch, Epoch(epoch - 1));
        fence(&next, epoch).await;
        next.leave().await;
    }
    Ok(())
}

pub async fn coordinators_that_take_turns_lose_no_update(cluster: &dyn Cluster) -> Outcome {
    const COORDINATORS: usize = 8;
    const TURNS: usize = 4;
    let each = (cluster.many() / COORDINATORS / TURNS / 4).max(1);
    let mut coordinators = Vec::new();
    for number in 0..COORDINATORS {
        let mut backend = cluster.coordinator(&format!("c{number}")).await;
        coordinators.push(tokio::spawn(async move {
            for _ in 0..TURNS {
                let mut campaign = Campaign::begin(&backend);
                campaign.won().await;
                let found = backend.store.load().await;
                let (mut version, epoch, mut count) = match found {
                    LoadOutcome::Absent { epoch } => (None, epoch.next(), 0),
                    LoadOutcome::Found(it) => {
                        let count = it.status.shard_id_generator;
                        (Some(it.version), it.epoch.next(), count)
                    }
                    LoadOutcome::Corrupt(reason)
                    | LoadOutcome::Forbidden(reason)
                    | LoadOutcome::Unavailable { reason, .. } => panic!("{reason}"),
                };
                for _ in 0..each {
                    count += 1;
                    let request = u64::try_from(count).unwrap_or(0);
                    let next = document(epoch.0, request, status(count));
                    version = Some(store(&backend, version.as_ref(), next).await);
                }
                backend = campaign.leave().await;
            }
        }));
    }
    for coordinator in coordinators {
        coordinator.await.expect("an update was lost");
    }
    let found = load(&cluster.coordinator("reader").await).await;
    let stores = usize::try_from(found.status.shard_id_generator);
    assert_eq!(stores, Ok(COORDINATORS * TURNS * each));
    let turns = u64::try_from(COORDINATORS * TURNS).unwrap_or(0);
    assert_eq!(found.epoch, Epoch(turns));
    Ok(())
}

pub async fn a_new_process_finds_the_document_of_a_killed_one(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let version = store(&leader.backend, None, document(3, 1, status(1))).await;
    let backend = leader.abandon().await;
    cluster.kill(backend).await;
    let next = Campaign::win(cluster, "a").await;
    let loaded = load(&next.backend).await;
    assert_eq!((loaded.version, loaded.epoch), (version, Epoch(3)));
    Ok(())
}

/// Raises the epoch, as a new leader does first.
async fn fence(leader: &Campaign, epoch: u64) -> stepdown_core::Version {
    let found = load(&leader.backend).await;
    let fence = document(epoch, 1, (*found.status).clone());
    let outcome: StoreOutcome = leader.backend.store.store(Some(found.version), fence).await;
    stored(outcome)
}
