//! Who may lead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::support::{Campaign, address_of, document, head, load, status, store, write_id};
use super::{Cluster, Outcome};

pub async fn a_lone_candidate_wins(cluster: &dyn Cluster) -> Outcome {
    Campaign::win(cluster, "a").await.leave().await;
    Ok(())
}

pub async fn one_of_eight_candidates_leads_at_a_time(cluster: &dyn Cluster) -> Outcome {
    let in_office = Arc::new(AtomicUsize::new(0));
    let mut candidates = Vec::new();
    for number in 0..8 {
        let backend = cluster.coordinator(&format!("candidate-{number}")).await;
        let in_office = in_office.clone();
        candidates.push(tokio::spawn(async move {
            for _ in 0..3 {
                let mut campaign = Campaign::begin(&backend);
                campaign.won().await;
                assert_eq!(in_office.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                assert_eq!(in_office.fetch_sub(1, Ordering::SeqCst), 1);
                campaign.leave().await;
            }
        }));
    }
    for candidate in candidates {
        candidate.await.expect("two led at once");
    }
    Ok(())
}

pub async fn a_released_leader_is_followed_by_another(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let mut standby = Campaign::begin(&cluster.coordinator("b").await);
    store(&leader.backend, None, document(1, 1, status(1))).await;
    assert!(!standby.has_reported());
    leader.leave().await;
    standby.won().await;
    Ok(())
}

pub async fn a_leader_whose_future_is_dropped_leads_until_it_releases(
    cluster: &dyn Cluster,
) -> Outcome {
    let backend = Campaign::win(cluster, "a").await.abandon().await;
    let mut standby = Campaign::begin(&cluster.coordinator("b").await);
    let mut version = None;
    for request in 1..10 {
        let next = document(1, request, status(1));
        version = Some(store(&backend, version.as_ref(), next).await);
    }
    assert!(!standby.has_reported());
    backend.leadership.release().await;
    standby.won().await;
    Ok(())
}

pub async fn a_candidate_whose_future_is_dropped_does_not_win(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    for _ in 0..10 {
        let gone = Campaign::begin(&cluster.coordinator("b").await);
        gone.leave().await;
    }
    leader.leave().await;
    Campaign::win(cluster, "c").await;
    Ok(())
}

pub async fn releasing_what_is_not_held_does_nothing(cluster: &dyn Cluster) -> Outcome {
    let never = cluster.coordinator("b").await;
    never.leadership.release().await;
    let leader = Campaign::win(cluster, "a").await;
    never.leadership.release().await;
    let mut standby = Campaign::begin(&cluster.coordinator("c").await);
    store(&leader.backend, None, document(1, 1, status(1))).await;
    assert!(!standby.has_reported());
    leader.leave().await;
    standby.won().await;
    Ok(())
}

pub async fn releasing_twice_does_nothing(cluster: &dyn Cluster) -> Outcome {
    let former = Campaign::win(cluster, "a").await.leave().await;
    let leader = Campaign::win(cluster, "b").await;
    former.leadership.release().await;
    let mut standby = Campaign::begin(&cluster.coordinator("c").await);
    store(&leader.backend, None, document(1, 1, status(1))).await;
    assert!(!standby.has_reported());
    Ok(())
}

pub async fn a_former_leader_may_win_again(cluster: &dyn Cluster) -> Outcome {
    let mut backend = cluster.coordinator("a").await;
    for epoch in 1..5 {
        let mut campaign = Campaign::begin(&backend);
        campaign.won().await;
        let version = match epoch {
            1 => None,
            // Whoever left may have touched it, to tell the others.
            _ => Some(head(&backend).await.version),
        };
        let next = document(epoch, 1, status(1));
        store(&backend, version.as_ref(), next).await;
        backend = campaign.leave().await;
    }
    Ok(())
}

pub async fn a_killed_leader_is_followed_by_another(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    let mut standby = Campaign::begin(&cluster.coordinator("b").await);
    let backend = leader.abandon().await;
    cluster.kill(backend).await;
    standby.won().await;
    Ok(())
}

pub async fn a_leader_that_is_not_listened_to_leads_until_it_releases(
    cluster: &dyn Cluster,
) -> Outcome {
    let backend = Campaign::win(cluster, "a").await.stop_listening().await;
    let mut standby = Campaign::begin(&cluster.coordinator("b").await);
    store(&backend, None, document(1, 1, status(1))).await;
    assert!(!standby.has_reported());
    backend.leadership.release().await;
    standby.won().await;
    Ok(())
}

pub async fn leadership_taken_away_is_reported_and_ends_the_campaign(
    cluster: &dyn Cluster,
) -> Outcome {
    let mut leader = Campaign::win(cluster, "a").await;
    let mut standby = Campaign::begin(&cluster.coordinator("b").await);
    cluster.take_away().await?;
    leader.lost().await;
    standby.won().await;
    leader.leave().await;
    // The one who lost it can't give back what is another's.
    let mut next = Campaign::begin(&cluster.coordinator("c").await);
    store(&standby.backend, None, document(1, 1, status(1))).await;
    assert!(!next.has_reported());
    Ok(())
}

pub async fn the_leader_is_known_by_name_or_not_at_all(cluster: &dyn Cluster) -> Outcome {
    let other = cluster.coordinator("b").await;
    let leader = Campaign::win(cluster, "a").await;
    for backend in [&leader.backend, &other] {
        let name = backend.leadership.leader();
        assert!(name.as_deref().is_none_or(|name| name == "a"), "{name:?}");
    }
    Ok(())
}

pub async fn whoever_stands_comes_to_know_where_people_reach_the_leader(
    cluster: &dyn Cluster,
) -> Outcome {
    cluster.leader_has_an_address()?;
    let _leader = Campaign::win(cluster, "a").await;
    let standby = Campaign::begin(&cluster.coordinator("b").await);
    let leadership = &standby.backend.leadership;
    loop {
        if let Some(address) = leadership.leader_address("a") {
            assert_eq!(*address, address_of("a"));
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(leadership.leader().as_deref(), Some("a"));
    assert_eq!(leadership.leader_address("b"), None);
    Ok(())
}

pub async fn release_waits_for_a_store_whose_future_was_dropped(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    cluster.hold_stores().await?;
    let backend = leader.backend.clone();
    let caller =
        tokio::spawn(async move { backend.store.store(None, document(1, 1, status(1))).await });
    cluster.store_held().await?;
    caller.abort();
    let leaving = tokio::spawn(leader.leave());
    let mut standby = Campaign::begin(&cluster.coordinator("b").await);
    cluster.resume_stores().await?;
    leaving.await.expect("releasing panicked");
    // Whoever wins finds the store, since it ended first.
    standby.won().await;
    let loaded = load(&standby.backend).await;
    assert_eq!(loaded.write_id, Some(write_id(1, 1)));
    Ok(())
}
