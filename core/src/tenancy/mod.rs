//! The driver's rules as a machine: which tenure is current, what of it is under way, what may
//! begin, what answers a request that nobody else does, and in which order everything ends.
//!
//! It stands between the coordinator's machine and whoever carries out its effects:
//!
//! 1. Every effect goes into [`Tenancy::handle`], which gives the [`Order`] to carry out.
//! 2. Every event goes through [`Tenancy::heard`] on its way to the coordinator's machine. A task
//!    that ended without an answer goes into [`Tenancy::ended`], which gives the event that answers
//!    in its place.
//! 3. [`Tenancy::time_passed`] is called at [`Tenancy::deadline`] and gives the tasks to abort.
//!
//! Every call, watch, stream, load, configuration read, head read and store is answered exactly once,
//! unless it was cancelled or its tenure was closed. A tenure that was closed is drained exactly once, when
//! everything that was begun in it has ended.

mod answer;
mod effects;
mod gate;
mod limits;
mod order;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use self::limits::{CALL_LIMIT, PROBE_LIMIT, call_limit};
pub use self::order::{End, Kind, Order, Task};

use self::answer::{Failure, concludes, failed};
use self::gate::Gate;
use crate::event::Event;
use crate::id::{RequestId, ServerId, Tenure, Timestamp};

/// The present tenure, as its driver sees it.
#[derive(Clone, Debug)]
pub struct Tenancy {
    drain: Duration,
    tenure: Tenure,
    phase: Phase,
    gate: Gate,
    servers: Servers,
    addresses: BTreeMap<ServerId, Arc<str>>,
    under_way: BTreeMap<RequestId, UnderWay>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// From the campaign to the close.
    Open,
    /// Closed; what is left is waited for, `until` then.
    Closing {
        until: Option<Timestamp>,
    },
    Drained,
}

/// Whether data servers can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Servers {
    Callable,
    NotCallable(String),
}

/// A task that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UnderWay {
    kind: Kind,
    /// How long it was given.
    limit: Option<Duration>,
    /// Whether somebody still waits for its answer.
    awaited: bool,
}

impl Tenancy {
    /// Before the first tenure. Where authority ends by time, what asks the store may go on for
    /// `drain` after a close. Where leadership is a lock there is no bound: it is kept until the
    /// last write is over.
    #[must_use]
    pub fn new(drain: Duration) -> Self {
        Self {
            drain,
            tenure: Tenure(0),
            phase: Phase::Drained,
            gate: Gate::Closed,
            servers: Servers::not_open(),
            addresses: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    /// What the coordinator's machine is to be told of an event. What nobody waits for is left
    /// out: an answer of an older tenure, to a request that was given up, or a second one.
    #[must_use]
    pub fn heard(&mut self, event: Event) -> Option<Event> {
        if let Event::LeadershipWon { tenure, authority } = &event
            && self.is_in_force(*tenure)
        {
            self.gate = Gate::open(*authority);
        } else if let Event::AuthorityExtended { tenure, authority } = &event
            && self.is_in_force(*tenure)
        {
            self.gate.extend(*authority);
        } else if let Event::HealthObserved { request, .. } = &event {
            let watch = self.under_way.get(request);
            watch.filter(|watch| watch.awaited && watch.kind == Kind::Watch)?;
        }
        let Some((tenure, request, kind)) = concludes(&event) else {
            return Some(event);
        };
        let task = self.under_way.get(&request)?;
        if tenure != self.tenure || kind != task.kind {
            return None;
        }
        let awaited = task.awaited;
        self.under_way.remove(&request);
        if awaited { Some(event) } else { self.drained() }
    }

    /// What the coordinator's machine is to be told of a task that ended without an answer.
    #[must_use]
    pub fn ended(&mut self, request: RequestId, end: End) -> Option<Event> {
        let task = self.under_way.remove(&request)?;
        if !task.awaited {
            return self.drained();
        }
        let failure = Failure::of(end, task.kind, task.limit);
        Some(failed(task.kind, self.tenure, request, failure))
    }

    /// Data servers can't be called in this tenure, for this reason: whatever asks for one is
    /// answered so.
    pub fn no_server_can_be_called(&mut self, reason: String) {
        self.servers = Servers::NotCallable(reason);
    }

    /// When to say that time has passed.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Closing { until } => until,
            Phase::Drained | Phase::Open => None,
        }
    }

    /// The tasks to abort, once the drain has taken as long as it may. That each has ended is still
    /// to be told.
    #[must_use]
    pub fn time_passed(&mut self, now: Timestamp) -> Vec<RequestId> {
        let over = self.deadline().is_some_and(|until| until <= now);
        if !over {
            return Vec::new();
        }
        self.phase = Phase::Closing { until: None };
        let left = self.under_way.iter();
        let left = left.filter(|(_, task)| !task.kind.asks_a_server());
        left.map(|(request, _)| *request).collect()
    }

    /// The present tenure.
    #[must_use]
    pub fn tenure(&self) -> Tenure {
        self.tenure
    }

    /// Until when something may leave, as far as is known: zero while the gate is closed, the end
    /// of time where leadership is a lock.
    #[must_use]
    pub fn gate(&self) -> Timestamp {
        self.gate.until()
    }

    /// Whether the present tenure was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Whether the present tenure was closed, and nothing of it is left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.phase == Phase::Drained
    }

    /// What has not ended.
    pub fn under_way(&self) -> impl Iterator<Item = (RequestId, Kind)> {
        let tasks = self.under_way.iter();
        tasks.map(|(request, task)| (*request, task.kind))
    }

    /// The event that says so, once, when everything of a closed tenure has ended.
    fn drained(&mut self) -> Option<Event> {
        match self.phase {
            Phase::Closing { .. } if self.under_way.is_empty() => {
                self.phase = Phase::Drained;
                let tenure = self.tenure;
                Some(Event::Drained { tenure })
            }
            Phase::Closing { .. } | Phase::Drained | Phase::Open => None,
        }
    }

    fn is_in_force(&self, tenure: Tenure) -> bool {
        self.tenure == tenure && self.phase == Phase::Open
    }
}

impl Servers {
    fn not_open() -> Self {
        Self::NotCallable("the office is not open".to_owned())
    }
}
