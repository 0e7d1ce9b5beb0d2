//! Changes of the configuration document by way of coordinators.

use std::sync::Arc;
use std::time::Duration;

use stepdown_backends::{Backend, ConfigurationStore, ConfigurationStoreError};
use stepdown_core::Version;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Cluster, Outcome};

/// How long to wait before a store that can't be reached is tried again.
const SOON: Duration = Duration::from_millis(20);

pub async fn a_configuration_stored_at_its_version_is_read_by_every_coordinator(
    cluster: &dyn Cluster,
) -> Outcome {
    let coordinators = coordinators(cluster).await;
    cluster.configure(Some("one\n")).await;
    reads(&coordinators, "one").await;
    edit(&coordinators, |text| format!("{text}two\n")).await;
    reads(&coordinators, "one\ntwo").await;
    Ok(())
}

pub async fn a_configuration_that_is_absent_can_be_made(cluster: &dyn Cluster) -> Outcome {
    let coordinators = coordinators(cluster).await;
    edit(&coordinators, |text| {
        assert_eq!(text, "");
        "one\n".to_owned()
    })
    .await;
    reads(&coordinators, "one").await;
    Ok(())
}

pub async fn a_configuration_stored_at_an_old_version_is_a_conflict(
    cluster: &dyn Cluster,
) -> Outcome {
    let coordinators = coordinators(cluster).await;
    cluster.configure(Some("one\n")).await;
    let old = load(&coordinators).await.0;
    edit(&coordinators, |_| "two\n".to_owned()).await;
    conflicts(&coordinators, &old).await;
    // A person's write counts as any other.
    let old = load(&coordinators).await.0;
    cluster.configure(Some("three\n")).await;
    conflicts(&coordinators, &old).await;
    assert!(load(&coordinators).await.1.contains("three"));
    conflicts(&coordinators, &Version::new("never was")).await;
    Ok(())
}

pub async fn eight_admins_lose_no_edit(cluster: &dyn Cluster) -> Outcome {
    const EDITS: usize = 8;
    cluster.configure(Some("begin\n")).await;
    let coordinators = Arc::new(coordinators(cluster).await);
    let mut admins = JoinSet::new();
    for admin in 0..8 {
        let coordinators = coordinators.clone();
        admins.spawn(async move {
            for number in 0..EDITS {
                let line = format!("edit-{admin}-{number}.\n");
                edit(&coordinators, |text| format!("{text}{line}")).await;
            }
        });
    }
    while let Some(ended) = admins.join_next().await {
        ended.expect("an admin ends");
    }
    let text = load(&coordinators).await.1;
    for admin in 0..8 {
        for number in 0..EDITS {
            let line = format!("edit-{admin}-{number}.\n");
            assert_eq!(text.matches(&line).count(), 1, "{line}{text}");
        }
    }
    Ok(())
}

/// Three, as if of three processes.
async fn coordinators(cluster: &dyn Cluster) -> Vec<Backend> {
    vec![
        cluster.coordinator("a").await,
        cluster.coordinator("b").await,
        cluster.coordinator("c").await,
    ]
}

/// The version and the text, from whichever coordinator can tell.
async fn load(coordinators: &[Backend]) -> (Version, String) {
    loop {
        for coordinator in coordinators {
            match coordinator.configuration_store.load().await {
                Ok(found) => return (found.version, found.text.unwrap_or_default()),
                Err(ConfigurationStoreError::Unavailable(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        sleep(SOON).await;
    }
}

/// Stores by way of whichever coordinator can do so now.
async fn store(
    coordinators: &[Backend],
    version: &Version,
    text: &str,
) -> Result<Version, ConfigurationStoreError> {
    loop {
        for coordinator in coordinators {
            let store: &Arc<dyn ConfigurationStore> = &coordinator.configuration_store;
            match store.store(version, text.to_owned()).await {
                Err(ConfigurationStoreError::Unavailable(_)) => {}
                ended => return ended,
            }
        }
        sleep(SOON).await;
    }
}

/// Changes the text, whatever comes in between; each call has its effect once.
async fn edit(coordinators: &[Backend], change: impl Fn(&str) -> String) {
    loop {
        let (version, text) = load(coordinators).await;
        match store(coordinators, &version, &change(&text)).await {
            Ok(stored) => {
                assert_ne!(stored, version);
                return;
            }
            Err(ConfigurationStoreError::Conflict(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn conflicts(coordinators: &[Backend], version: &Version) {
    let before = load(coordinators).await;
    let ended = store(coordinators, version, "late\n").await;
    assert!(
        matches!(ended, Err(ConfigurationStoreError::Conflict(_))),
        "{ended:?}"
    );
    assert_eq!(load(coordinators).await, before);
}

/// Waits until all of them have read this, with whatever comments.
async fn reads(coordinators: &[Backend], expected: &str) {
    for coordinator in coordinators {
        let mut watch = coordinator.configuration.watch();
        let is_it = |text: &str| {
            let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
            lines.join("\n") == expected
        };
        let read = watch.wait_for(|read| {
            let text = read.as_ref().and_then(|read| read.text.as_deref());
            text.is_some_and(is_it)
        });
        read.await.expect("the configuration is watched");
    }
}
