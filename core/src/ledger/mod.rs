//! The ledger: the status document, its version, the changes not yet stored, the one store in
//! flight, and what waits for its durability.
//!
//! Controllers change the status through it and leave an [`Intent`] with the change. The intent
//! comes back as a [`Notice`] once the change is durable, so that "persist the term, then send
//! NewTerm" is a type, not a habit.

mod flight;
mod head_check;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use self::flight::{Flight, Stage};
use self::head_check::HeadCheck;
use crate::backoff::Backoff;
use crate::cluster::{ClusterStatus, NamespaceStatus, ShardMetadata, size};
use crate::effect::Effect;
use crate::id::{Epoch, ProcessId, ShardId, Term, Timestamp, Version, WriteId};
use crate::options::Timing;
use crate::store::{LoadedStatus, StatusDocument};
use crate::tools::Tools;

/// The status document as one tenure knows it.
#[derive(Debug)]
pub(crate) struct Ledger {
    process: ProcessId,
    epoch: Epoch,
    accepted: Arc<ClusterStatus>,
    version: Option<Version>,
    /// `accepted`, with the changes in flight and those that wait.
    working: ClusterStatus,
    /// About how large `working` is when written, in bytes.
    bytes: u64,
    pending: Batch,
    flight: Option<Flight>,
    last_sent: Option<Timestamp>,
    backoff: Backoff,
    head_check: HeadCheck,
}

/// Changes that are stored together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Batch {
    changes: u32,
    touched: BTreeMap<ShardId, Touched>,
    admitted: Vec<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Touched {
    namespace: Arc<str>,
    intent: Option<Intent>,
}

/// What a shard's controller means to do once its change is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Tell the world of the leader elected in this term.
    Announce(Term),
    /// Fence the ensemble in this term.
    Fence(Term),
}

/// A fact that is durable; only the ledger can say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Durable<T>(T);

impl<T: Copy> Durable<T> {
    pub(crate) fn fact(self) -> T {
        self.0
    }
}

/// An [`Intent`] whose change is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Announce(Durable<Term>),
    Fence(Durable<Term>),
}

/// What an answer of the store means for the tenure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// A document was accepted: these shards were in it, with what waited for them.
    Accepted(Vec<Acceptance>),
    /// Somebody else wrote the document.
    Conflict(String),
    /// The tenure goes on as it was.
    Nothing,
    /// The store refuses for a reason that waiting does not mend.
    Refused(String),
    /// The store took back these namespaces, because the document would be too large.
    Rejected {
        namespaces: Vec<Arc<str>>,
        reason: String,
    },
}

/// One shard of an accepted document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acceptance {
    pub(crate) namespace: Arc<str>,
    pub(crate) shard: ShardId,
    pub(crate) notice: Option<Notice>,
}

impl Ledger {
    /// A ledger over the document just loaded. Its first store is the fencing write: the same
    /// status in a greater epoch, with an instance id if there was none.
    pub(crate) fn new(
        process: ProcessId,
        epoch: Epoch,
        loaded: Option<LoadedStatus>,
        new_instance_id: impl FnOnce() -> Arc<str>,
        now: Timestamp,
        timing: &Timing,
    ) -> Self {
        let (accepted, version) = match loaded {
            Some(loaded) => (loaded.status, Some(loaded.version)),
            None => (Arc::default(), None),
        };
        let mut working = ClusterStatus::clone(&accepted);
        working.raise_shard_id_generator();
        if working.instance_id.is_empty() {
            working.instance_id = new_instance_id();
        }
        Self {
            process,
            epoch,
            bytes: size::of_status(&working),
            accepted,
            version,
            working,
            pending: Batch {
                changes: 1,
                ..Batch::default()
            },
            flight: None,
            last_sent: None,
            backoff: Backoff::default(),
            head_check: HeadCheck::new(now.after(timing.head_check_every)),
        }
    }

    /// The status that the store accepted last.
    pub(crate) fn accepted(&self) -> &Arc<ClusterStatus> {
        &self.accepted
    }

    /// The status with every change made so far.
    pub(crate) fn working(&self) -> &ClusterStatus {
        &self.working
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// A shard with every change made so far.
    pub(crate) fn shard(&self, namespace: &str, shard: ShardId) -> Option<&Arc<ShardMetadata>> {
        self.working.namespaces.get(namespace)?.shards.get(&shard)
    }

    /// Changes a shard. What an earlier change of it waits for is dropped in favour of `intent`.
    /// Returns whether there is such a shard.
    pub(crate) fn change(
        &mut self,
        namespace: &Arc<str>,
        shard: ShardId,
        intent: Intent,
        change: impl FnOnce(&mut ShardMetadata),
    ) -> bool {
        let entry = self
            .working
            .namespaces
            .get_mut(namespace)
            .and_then(|namespace| namespace.shards.get_mut(&shard));
        let Some(entry) = entry else { return false };
        let before = size::of_shard(entry);
        change(Arc::make_mut(entry));
        self.bytes = self
            .bytes
            .saturating_sub(before)
            .saturating_add(size::of_shard(entry));
        self.touch(namespace, shard, Some(intent));
        true
    }

    /// Adds a namespace with all its shards, each to be fenced in its first term once durable.
    pub(crate) fn admit(
        &mut self,
        name: &Arc<str>,
        namespace: NamespaceStatus,
        shard_id_generator: i64,
    ) {
        for (id, shard) in &namespace.shards {
            self.touch(name, *id, Some(Intent::Fence(shard.term)));
        }
        self.bytes = self
            .bytes
            .saturating_add(size::of_namespace(name, &namespace));
        self.working.namespaces.insert(name.clone(), namespace);
        self.working.shard_id_generator = shard_id_generator;
        self.pending.admitted.push(name.clone());
        self.pending.changes = self.pending.changes.saturating_add(1);
    }

    /// Sends what can be sent now: the next store, the next try of one, the next look.
    pub(crate) fn work(&mut self, tools: &mut Tools) {
        if let Some(flight) = &mut self.flight {
            flight.work(tools);
            return;
        }
        if self.pending.changes > 0 {
            if self
                .next_store(&tools.timing)
                .is_none_or(|at| at <= tools.now)
            {
                self.take_off(tools);
            }
            return;
        }
        self.head_check.work(tools);
    }

    /// When [`Ledger::work`] has something to do next, if nothing happens before.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<Timestamp> {
        match &self.flight {
            Some(flight) => flight.deadline(),
            None if self.pending.changes > 0 => self.next_store(timing),
            None => self.head_check.deadline(),
        }
    }

    /// The document may have been changed by somebody else: look soon.
    pub(crate) fn hint(&mut self, tools: &Tools) {
        self.head_check.hint(tools);
    }

    fn touch(&mut self, namespace: &Arc<str>, shard: ShardId, intent: Option<Intent>) {
        let namespace = namespace.clone();
        self.pending
            .touched
            .insert(shard, Touched { namespace, intent });
        self.pending.changes = self.pending.changes.saturating_add(1);
    }

    /// Stores of a large document are spaced so that no more than so many bytes are written per
    /// second; the first change after quiet goes at once.
    fn next_store(&self, timing: &Timing) -> Option<Timestamp> {
        let seconds = self.bytes as f64 / timing.store_bytes_per_second.max(1) as f64;
        let window = Duration::try_from_secs_f64(seconds).unwrap_or(timing.window_most);
        Some(
            self.last_sent?
                .after(window.clamp(timing.window_least, timing.window_most)),
        )
    }

    fn take_off(&mut self, tools: &mut Tools) {
        let request = tools.request();
        let write_id = WriteId {
            epoch: self.epoch,
            request,
            process: self.process,
        };
        let document = StatusDocument {
            epoch: self.epoch,
            write_id,
            status: Arc::new(self.working.clone()),
        };
        let batch = std::mem::take(&mut self.pending);
        let flight = Flight {
            batch,
            document,
            expected: self.version.clone(),
            stage: Stage::Storing(request),
            ambiguous: false,
            sent_again: false,
            first_sent: tools.now,
        };
        tools.emit(Effect::Store {
            tenure: tools.tenure,
            request,
            expected: flight.expected.clone(),
            document: flight.document.clone(),
        });
        self.last_sent = Some(tools.now);
        self.head_check.document_moves();
        self.flight = Some(flight);
    }
}
