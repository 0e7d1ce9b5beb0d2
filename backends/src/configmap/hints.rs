//! Hints that somebody else has written the status ConfigMap, and that a leader leaves.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::PartialObjectMeta;
use stepdown_core::Version;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::own_stores::OwnStores;
use super::record::{HANDOVER, annotation};
use super::version::ObjectVersion;
use super::watch::{Follower, Seen};
use crate::backend::StatusHints;

pub(crate) struct ConfigMapHints {
    hints: watch::Receiver<u64>,
    handovers: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

/// What a hint can come of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sighting {
    /// `None` where there is no object.
    version: Option<Version>,
    handover: Option<String>,
}

impl ConfigMapHints {
    pub(crate) fn new(follower: Follower, own: OwnStores) -> Self {
        let (hint, hints) = watch::channel(0);
        let (handover, handovers) = watch::channel(0);
        let (sightings, sighting) = watch::channel(None);
        let follow = follower.run(move |seen: Seen<PartialObjectMeta<ConfigMap>>| {
            sightings.send_replace(Some(Sighting::of(seen)));
        });
        let task = tokio::spawn(async move {
            // The first ends never, and the second with the first.
            tokio::join!(follow, tell(sighting, own, hint, handover));
        });
        Self {
            hints,
            handovers,
            task,
        }
    }

    /// Changes with every leader that leaves, so far as the leader could say so.
    pub(crate) fn handovers(&self) -> watch::Receiver<u64> {
        self.handovers.clone()
    }
}

impl Drop for ConfigMapHints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StatusHints for ConfigMapHints {
    fn watch(&self) -> watch::Receiver<u64> {
        self.hints.clone()
    }
}

impl Sighting {
    fn of(seen: Seen<PartialObjectMeta<ConfigMap>>) -> Self {
        match seen {
            Seen::Absent => Self::default(),
            Seen::Present(object) => Self {
                version: ObjectVersion::of(&object.metadata).map(|it| it.version()),
                handover: annotation(&object.metadata, HANDOVER).map(str::to_owned),
            },
        }
    }
}

/// Tells of what is seen. Whatever is there first may be news to whoever has loaded already.
async fn tell(
    mut sighting: watch::Receiver<Option<Sighting>>,
    own: OwnStores,
    hint: watch::Sender<u64>,
    handover: watch::Sender<u64>,
) {
    let mut known: Option<Sighting> = None;
    while sighting.changed().await.is_ok() {
        let Some(seen) = sighting.borrow_and_update().clone() else {
            continue;
        };
        if let Some(known) = &known
            && seen.handover.is_some()
            && seen.handover != known.handover
        {
            handover.send_modify(|count| *count += 1);
        }
        let known_version = known.as_ref().and_then(|known| known.version.as_ref());
        let is_new = seen.version.as_ref() != known_version;
        let is_own = match &seen.version {
            Some(version) if is_new => own.made(version).await,
            Some(_) | None => false,
        };
        if is_new && !is_own {
            hint.send_modify(|count| *count += 1);
        }
        known = Some(seen);
    }
}

#[cfg(test)]
mod tests;
