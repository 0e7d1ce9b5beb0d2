//! What one tenure of one coordinator has been told, and what it has asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepdown_core::call::{Call, EntryId};
use stepdown_core::cluster::{ClusterStatus, DataServerIdentity};
use stepdown_core::store::{HeadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{RequestId, ServerId, ShardId, Tenure, Term, Timestamp, Version, WriteId};

use crate::sim::clock::At;

/// Who was told to lead, and the addresses of the followers that it was told of.
pub type ToldToLead = (ServerId, BTreeSet<Arc<str>>);

/// What one tenure knows.
#[derive(Debug, Default)]
pub struct Facts {
    pub tenure: Tenure,
    pub won: bool,
    pub authority: Option<Timestamp>,
    pub absent: bool,
    /// It has loaded an older copy, and has not said so.
    pub untold: bool,
    pub loaded_at: usize,
    pub accepted: Option<(Version, Arc<ClusterStatus>)>,
    pub store: Option<Writing>,
    pub ambiguous: Option<Writing>,
    pub resend: Option<Writing>,
    /// Head reads under way, with the number of stores begun before each.
    pub looks: BTreeMap<RequestId, u64>,
    pub stores: u64,
    pub stored: bool,
    pub opened: Option<At>,
    pub must_close: Option<&'static str>,
    pub closing: bool,
    pub drained: bool,
    /// With what the leader of the shard was known to have committed when they were made.
    pub calls: BTreeMap<RequestId, (DataServerIdentity, Call, i64)>,
    pub watches: BTreeMap<RequestId, ServerId>,
    /// Since when each has, or may have, an empty replica, as it was asked whether it was ever fenced.
    pub probed: BTreeMap<(ShardId, ServerId), At>,
    pub heads: BTreeMap<(ShardId, Term), BTreeMap<ServerId, EntryId>>,
    pub led: BTreeMap<(ShardId, Term), ServerId>,
    /// Those who did not answer in time.
    pub unheard: BTreeMap<(ShardId, Term), ToldToLead>,
    /// The greatest terms that members have reported, and which of them an election must exceed.
    pub reported: BTreeMap<ShardId, Reported>,
    /// The followers that leaders were told of when they were elected, or have taken in, or say that
    /// they feed, by internal address.
    pub fed: BTreeMap<(ShardId, Term), BTreeSet<Arc<str>>>,
    /// The followers that leaders were asked to take in, and have not said that they feed.
    pub maybe_fed: BTreeSet<(ShardId, Term, Arc<str>)>,
    /// The followers that may count as in sync, by internal address.
    pub joined: BTreeMap<(ShardId, Term), BTreeSet<Arc<str>>>,
    /// Up to where leaders had committed, by what was heard of them.
    pub committed: BTreeMap<(ShardId, Term), i64>,
    /// How far followers were, since they last came nearer to what their leader had committed, by
    /// the coordinator's clock.
    pub behind: BTreeMap<(ShardId, Term, Arc<str>), (i64, Timestamp)>,
    /// How many replicas of each shard were last said to be in sync.
    pub in_sync: BTreeMap<ShardId, usize>,
    /// Since when what is to be stored has not been.
    pub storing_since: Option<At>,
    /// From when to when something was to be stored last.
    pub stored_in: Option<(At, At)>,
    /// How often something was stored though no shard had a majority.
    pub in_vain: usize,
    /// It was told that its document is too large, and so keeps no more of who has led.
    pub is_tight: bool,
    pub last_write: Option<WriteId>,
    pub mismatched: BTreeSet<Arc<str>>,
    pub doubted: BTreeSet<ShardId>,
    /// Shards that are elected so that somebody else leads them.
    pub handed: BTreeSet<ShardId>,
    /// Followers, by internal address, that their leader could not make fit its log.
    pub unfit: BTreeSet<(ShardId, Arc<str>)>,
    /// Shards that nobody has led since a promotion failed.
    pub unexplained: BTreeSet<ShardId>,
    /// In which terms something was to be cut off a replica, and it was not heard of: it is kept out
    /// until the next one.
    pub uncut: BTreeSet<(ShardId, Term, ServerId)>,
    /// By which request each was fenced last.
    pub fenced_by: BTreeMap<(ShardId, ServerId), RequestId>,
    /// Who is fenced, and is given a moment before it is fenced once more.
    pub resting: BTreeSet<(ShardId, ServerId)>,
    /// Who has said, fenced in this term, that it leads in no earlier one: whatever becomes of its disk, it never
    /// does again.
    pub stopped: BTreeSet<(ShardId, Term, ServerId)>,
    /// Who could not tell its head when it was fenced in a term.
    pub could_not_tell: BTreeSet<(ShardId, Term, ServerId)>,
    /// How often each could not lead, or was not heard of.
    pub failed: BTreeMap<ShardId, BTreeMap<ServerId, usize>>,
    pub down: BTreeSet<ServerId>,
    pub running: BTreeSet<ServerId>,
    pub failures: BTreeMap<ServerId, u32>,
    pub hard: BTreeSet<ServerId>,
    pub pushed: BTreeMap<RequestId, usize>,
    pub pushed_at: BTreeMap<RequestId, At>,
}

/// Terms above the stored one that replicas are in.
#[derive(Clone, Copy, Debug)]
pub struct Reported {
    pub term: Term,
    /// When the greatest one was heard of, if nothing was to be stored then.
    pub at: Option<At>,
    /// The greatest one that had been heard of before the last store began.
    pub settled: Term,
}

/// A store under way.
#[derive(Clone, Debug)]
pub struct Writing {
    pub request: RequestId,
    pub expected: Option<Version>,
    pub document: StatusDocument,
}

impl Facts {
    /// Whether a member is kept out of this term, so that only an election brings it back.
    pub(super) fn waits_for_the_next_term(&self, shard: ShardId, term: Term) -> bool {
        self.uncut
            .iter()
            .any(|(id, at, _)| (*id, *at) == (shard, term))
    }

    pub fn of(tenure: Tenure) -> Self {
        Self {
            tenure,
            ..Self::default()
        }
    }

    pub(super) fn store_ended(&mut self, store: Option<Writing>, outcome: &StoreOutcome) {
        self.stores += 1;
        match outcome {
            StoreOutcome::Stored(version) => self.concluded(store, version.clone()),
            // It may be with its own write, which came late: the head shows it.
            StoreOutcome::Conflict(_) if self.resend.is_some() => self.ambiguous = store,
            StoreOutcome::Conflict(_) => self.conflicted("S2"),
            StoreOutcome::Ambiguous(_) => self.ambiguous = store,
            StoreOutcome::Invalid(_) | StoreOutcome::TooLarge(_) => {
                // What has grown is taken back: there is nothing left to store.
                if store.is_some_and(|store| store.document.admits) {
                    self.storing_since = None;
                }
            }
            StoreOutcome::Corrupt(_)
            | StoreOutcome::Forbidden(_)
            | StoreOutcome::Unavailable { .. } => {}
        }
    }

    fn concluded(&mut self, store: Option<Writing>, version: Version) {
        if let Some(store) = store {
            for (_, id, shard) in store.document.status.shards() {
                if shard.leader.is_none() {
                    self.doubted.remove(&id);
                }
            }
            self.accepted = Some((version, store.document.status));
            self.stored = true;
        }
        self.storing_since = None;
        self.resend = None;
    }

    /// In office a conflict ends the tenure; before the fencing write was accepted it does not.
    fn conflicted(&mut self, property: &'static str) {
        self.storing_since = None;
        if self.stored {
            self.must_close.get_or_insert(property);
        } else {
            self.accepted = None;
            self.absent = false;
        }
        self.resend = None;
    }

    pub(super) fn head_read(&mut self, outcome: &HeadOutcome) -> Option<&'static str> {
        let head = match outcome {
            HeadOutcome::Found(head) => Some(head),
            HeadOutcome::Absent => None,
            HeadOutcome::Corrupt(_) | HeadOutcome::Unavailable { .. } => return None,
        };
        if let Some(store) = self.ambiguous.take() {
            let ours = head
                .is_some_and(|head| head.intact && head.write_id == Some(store.document.write_id));
            if ours {
                let version = head.map(|head| head.version.clone())?;
                self.concluded(Some(store), version);
                return Some("ambiguous_was_applied");
            }
            if head.map(|head| &head.version) == store.expected.as_ref() {
                self.resend = Some(store);
                return Some("ambiguous_was_not_applied");
            }
            self.conflicted("S3");
            return Some("ambiguous_was_a_conflict");
        }
        let known = self.accepted.as_ref().map(|(version, _)| version);
        if self.stored && self.store.is_none() && head.map(|head| &head.version) != known {
            self.must_close.get_or_insert("S2");
            return Some("foreign_write_noticed_by_a_look");
        }
        None
    }
}
