//! The ledger: the status document, its version, the changes not yet stored, the one store in
//! flight, and what waits for its durability.
//!
//! Controllers change the status through it, and say with each change what waits for it, a `W` of
//! their own. It comes back as a [`Durable`] once the change is durable, so that "persist the term,
//! then send NewTerm" is a type, not a habit. The ledger itself knows nothing of what waits.

mod changes;
mod conclude;
mod flight;
mod head_check;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use self::changes::Batch;
pub(crate) use self::conclude::{Acceptance, Conclusion, Durable};
use self::flight::Flight;
use self::head_check::HeadCheck;
use crate::backoff::Backoff;
use crate::cluster::{ClusterStatus, ShardMetadata, size};
use crate::context::Context;
use crate::id::{Epoch, ProcessId, ShardId, Timestamp, Version, WriteId};
use crate::options::Timing;
use crate::store::{LoadedStatus, StatusDocument};

/// The status document as one tenure knows it.
#[derive(Clone, Debug)]
pub(crate) struct Ledger<W> {
    process: ProcessId,
    epoch: Epoch,
    accepted: Arc<ClusterStatus>,
    version: Option<Version>,
    /// `accepted`, with the changes in flight and those that wait.
    working: ClusterStatus,
    /// About how large `working` is when written, in bytes.
    bytes: u64,
    /// There is no room for what can be done without.
    is_tight: bool,
    /// Since when a store has been tried that is to be made anew.
    tried_since: Option<Timestamp>,
    pending: Batch<W>,
    flight: Option<Flight<W>>,
    last_sent: Option<Timestamp>,
    backoff: Backoff,
    head_check: HeadCheck,
}

/// What is left where a ledger was taken away: it has nothing to store.
impl<W> Default for Ledger<W> {
    fn default() -> Self {
        Self {
            process: ProcessId::default(),
            epoch: Epoch::default(),
            accepted: Arc::default(),
            version: None,
            working: ClusterStatus::default(),
            bytes: 0,
            is_tight: false,
            tried_since: None,
            pending: Batch::default(),
            flight: None,
            last_sent: None,
            backoff: Backoff::default(),
            head_check: HeadCheck::default(),
        }
    }
}

impl<W> Ledger<W> {
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
        let is_of_others = loaded.as_ref().is_some_and(LoadedStatus::is_of_others);
        let (accepted, version) = match loaded {
            Some(loaded) => (loaded.status, Some(loaded.version)),
            None => (Arc::default(), None),
        };
        let mut working = ClusterStatus::clone(&accepted);
        if is_of_others {
            working.doubt_beginnings();
        }
        working.raise_shard_id_generator();
        if working.instance_id.is_empty() {
            working.instance_id = new_instance_id();
        }
        Self {
            process,
            epoch,
            bytes: size::of_status(&working),
            is_tight: false,
            tried_since: None,
            accepted,
            version,
            working,
            pending: Batch::fencing_write(),
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

    /// Sends what can be sent now: the next store, the next try of one, the next look.
    pub(crate) fn work(&mut self, context: &mut Context) {
        if let Some(flight) = &mut self.flight {
            flight.work(context);
            return;
        }
        if self.pending.is_empty() {
            self.head_check.work(context);
            return;
        }
        let next = self.next_store(&context.timing);
        if next.is_none_or(|at| at <= context.now) {
            self.take_off(context);
        }
    }

    /// When [`Ledger::work`] has something to do next, if nothing happens before.
    pub(crate) fn deadline(&self, timing: &Timing) -> Option<Timestamp> {
        match &self.flight {
            Some(flight) => flight.deadline(),
            None if self.pending.is_empty() => self.head_check.deadline(),
            None => self.next_store(timing),
        }
    }

    /// When a store that does not end has to be given up, together with the office.
    pub(crate) fn stalls_at(&self, timing: &Timing) -> Option<Timestamp> {
        let flight = self.flight.as_ref()?;
        Some(flight.first_sent.after(timing.useful_within))
    }

    /// Whether a store takes longer than this: what is changed now may be stored long after.
    pub(crate) fn is_slow(&self, than: Duration, context: &Context) -> bool {
        let sent = self.flight.as_ref().map(|flight| flight.first_sent);
        sent.is_some_and(|sent| context.now.since(sent) > than)
    }

    /// Why nothing is stored any more, if nothing is.
    pub(crate) fn stalled(&self, context: &Context) -> Option<String> {
        if self.stalls_at(&context.timing)? > context.now {
            return None;
        }
        let problem = self.flight.as_ref()?.problem.as_deref();
        Some(format!(
            "nothing could be stored for {} s: {}",
            context.timing.useful_within.as_secs(),
            problem.unwrap_or("the store does not answer"),
        ))
    }

    /// The document may have been changed by somebody else: look soon.
    pub(crate) fn hint(&mut self, context: &Context) {
        self.head_check.hint(context);
    }

    /// Stores of a large document are spaced so that no more than so many bytes are written per
    /// second; the first change after quiet goes at once.
    fn next_store(&self, timing: &Timing) -> Option<Timestamp> {
        let seconds = self.bytes as f64 / timing.store_bytes_per_second.max(1) as f64;
        let window = Duration::try_from_secs_f64(seconds).unwrap_or(timing.window_most);
        let window = window.max(timing.window_least).min(timing.window_most);
        Some(self.last_sent?.after(window))
    }

    fn take_off(&mut self, context: &mut Context) {
        let request = context.request();
        let write_id = WriteId {
            epoch: self.epoch,
            request,
            process: self.process,
        };
        let document = StatusDocument {
            epoch: self.epoch,
            write_id,
            status: Arc::new(self.working.clone()),
            admits: !self.pending.admitted.is_empty(),
        };
        let batch = std::mem::take(&mut self.pending);
        let expected = self.version.clone();
        self.last_sent = Some(context.now);
        self.head_check.document_moves();
        let mut flight = Flight::take_off(request, batch, document, expected, context);
        if let Some(since) = self.tried_since.take() {
            flight.first_sent = since;
        }
        self.flight = Some(flight);
    }
}
