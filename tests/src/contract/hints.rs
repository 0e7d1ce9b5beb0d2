//! Hints that the status document was changed.

use super::support::{Campaign, document, status, store};
use super::{Cluster, Outcome};

pub async fn a_foreign_write_is_hinted(cluster: &dyn Cluster) -> Outcome {
    let leader = Campaign::win(cluster, "a").await;
    store(&leader.backend, None, document(1, 1, status(1))).await;
    let mut hints = leader.backend.hints.watch();
    hints.mark_unchanged();
    cluster.overwrite(status(2)).await;
    hints.changed().await.expect("no hint will ever come");
    Ok(())
}

pub async fn a_foreign_write_is_hinted_again(cluster: &dyn Cluster) -> Outcome {
    let backend = cluster.coordinator("a").await;
    let mut hints = backend.hints.watch();
    for number in 1..4 {
        hints.mark_unchanged();
        cluster.overwrite(status(number)).await;
        hints.changed().await.expect("no hint will ever come");
    }
    Ok(())
}

pub async fn every_coordinator_gets_the_hint(cluster: &dyn Cluster) -> Outcome {
    let (a, b) = (
        cluster.coordinator("a").await,
        cluster.coordinator("b").await,
    );
    let mut hints = [a.hints.watch(), a.hints.watch(), b.hints.watch()];
    for hints in &mut hints {
        hints.mark_unchanged();
    }
    cluster.overwrite(status(1)).await;
    for hints in &mut hints {
        hints.changed().await.expect("no hint will ever come");
    }
    Ok(())
}
