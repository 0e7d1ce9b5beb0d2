//! The one store: linearizable, guarded by a version, and now and then silent about what it did.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{Head, HeadOutcome, LoadOutcome, LoadedStatus, StatusDocument};
use stepdown_core::{Epoch, ProcessId, ShardId, Tenure, Term, Version, WriteId};

use super::clock::At;

/// The document's history and the store's faults.
#[derive(Debug, Default)]
pub struct Store {
    pub chain: Vec<Accepted>,
    pub epoch: Epoch,
    pub next: VecDeque<Unheard>,
    pub refusals: VecDeque<u8>,
    /// Until when every store is refused, and how.
    pub keeps_refusing: (At, u8),
    /// Until when reads may show what was there before.
    pub reads_old: At,
    pub unavailable: At,
    pub stalled: At,
    pub corrupt: At,
    pub slow: (At, Duration),
}

/// What becomes of a store whose answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    Applied,
    Lost,
    AppliedLate,
}

/// One version of the document.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub version: Version,
    pub status: Arc<ClusterStatus>,
    pub epoch: Epoch,
    pub write_id: Option<WriteId>,
    pub intact: bool,
    pub by: Option<(ProcessId, Tenure)>,
    /// Whether it is a copy of an older one.
    pub is_restored: bool,
}

impl Store {
    pub fn latest(&self) -> Option<&Accepted> {
        self.chain.last()
    }

    pub fn status(&self) -> Option<&Arc<ClusterStatus>> {
        self.latest().map(|accepted| &accepted.status)
    }

    /// Where a version stands in the chain.
    pub fn position(&self, version: &Version) -> Option<usize> {
        self.chain
            .iter()
            .rposition(|accepted| accepted.version == *version)
    }

    pub fn is_current(&self, expected: Option<&Version>) -> bool {
        self.latest().map(|accepted| &accepted.version) == expected
    }

    pub fn accept(&mut self, document: &StatusDocument, by: (ProcessId, Tenure)) -> Version {
        self.epoch = self.epoch.max(document.epoch);
        let version = self.next_version();
        self.chain.push(Accepted {
            version: version.clone(),
            status: document.status.clone(),
            epoch: document.epoch,
            write_id: Some(document.write_id),
            intact: true,
            by: Some(by),
            is_restored: false,
        });
        version
    }

    /// Somebody else writes: a person, or another kind of coordinator. The epoch is lost with it
    /// where it is known beside the document.
    pub fn write_by_hand(&mut self, status: Arc<ClusterStatus>, beside: Epoch) {
        let version = self.next_version();
        let epoch = if beside < self.epoch {
            self.epoch
        } else {
            Epoch(0)
        };
        self.chain.push(Accepted {
            version,
            status,
            epoch,
            write_id: None,
            intact: false,
            by: None,
            is_restored: false,
        });
    }

    /// Puts an older version back, with what it is known by or without.
    pub fn put_back(&mut self, copy: Accepted, is_sealed: bool) {
        let version = self.next_version();
        self.chain.push(Accepted {
            version,
            write_id: copy.write_id.filter(|_| is_sealed),
            intact: copy.intact && is_sealed,
            by: None,
            is_restored: true,
            ..copy
        });
    }

    /// Whether what a tenure has stored of a shard's term is lost, as an older copy was put back.
    pub fn has_lost(&self, id: ShardId, term: Term, by: (ProcessId, Tenure)) -> bool {
        let is_in = |status: &ClusterStatus| {
            let mut shards = status.shards();
            shards.any(|(_, other, shard)| other == id && shard.term == term)
        };
        let mut since = self.chain.iter();
        since.any(|it| it.by == Some(by) && is_in(&it.status))
            && since.any(|it| it.is_restored && !is_in(&it.status))
    }

    /// What a read shows: the latest version, or the one before.
    fn shown(&self, is_old: bool) -> Option<&Accepted> {
        let before = self.chain.len().checked_sub(2);
        match before.filter(|_| is_old) {
            Some(before) => self.chain.get(before),
            None => self.latest(),
        }
    }

    /// What a load gives; the epoch that is known beside the document counts as well.
    pub fn load(&self, now: At, beside: Epoch, is_old: bool) -> LoadOutcome {
        if now < self.unavailable {
            return LoadOutcome::Unavailable {
                after: Duration::from_millis(100),
                reason: "the store is away".to_owned(),
            };
        }
        if now < self.corrupt {
            return LoadOutcome::Corrupt("the document is torn".to_owned());
        }
        match self.shown(is_old) {
            None => LoadOutcome::Absent { epoch: beside },
            Some(accepted) => LoadOutcome::Found(LoadedStatus {
                version: accepted.version.clone(),
                epoch: accepted.epoch.max(beside),
                write_id: accepted.write_id,
                intact: accepted.intact,
                status: accepted.status.clone(),
                bytes: 200 + 700 * accepted.status.shards().count() as u64,
            }),
        }
    }

    pub fn head(&self, now: At, is_old: bool) -> HeadOutcome {
        if now < self.unavailable {
            return HeadOutcome::Unavailable {
                after: Duration::from_millis(100),
                reason: "the store is away".to_owned(),
            };
        }
        if now < self.corrupt {
            return HeadOutcome::Corrupt("the document is torn".to_owned());
        }
        match self.shown(is_old) {
            None => HeadOutcome::Absent,
            Some(accepted) => HeadOutcome::Found(Head {
                version: accepted.version.clone(),
                write_id: accepted.write_id,
                intact: accepted.intact,
            }),
        }
    }

    fn next_version(&self) -> Version {
        Version::new(format!("v{}", self.chain.len() + 1))
    }
}
