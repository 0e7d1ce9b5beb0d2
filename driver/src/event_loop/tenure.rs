//! The tasks of one tenure: begun by effects, ended together when the tenure is closed.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use stepdown_backends::{StatusStore, boottime};
use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{Call, CallError, CallErrorKind};
use stepdown_core::cluster::DataServerIdentity;
use stepdown_core::store::{HeadOutcome, LoadOutcome, StatusDocument, StoreOutcome};
use stepdown_core::{Event, RequestId, ServerId, Tenure, Timestamp, Version};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_stream::StreamExt;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::gate::Gate;
use super::stale;
use crate::data_servers::{CallOptions, DataServers};

/// The longest that a store may take where authority ends by time.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whatever runs for the present tenure.
pub(super) struct Tenancy {
    store: Arc<dyn StatusStore>,
    options: CallOptions,
    drain: Duration,
    events: mpsc::Sender<Event>,
    tenure: Tenure,
    gate: Gate,
    servers: Option<DataServers>,
    /// Calls, watches and streams, to be given up one by one or all together.
    running: HashMap<RequestId, AbortHandle>,
    streams: HashMap<RequestId, watch::Sender<Arc<ShardAssignments>>>,
    addresses: HashMap<ServerId, Arc<str>>,
    calls: TaskTracker,
    /// Loads, head reads and stores: these are not given up, as they may be half done.
    stores: TaskTracker,
    store_handles: Vec<AbortHandle>,
}

impl Tenancy {
    pub(super) fn new(
        store: Arc<dyn StatusStore>,
        options: CallOptions,
        drain: Duration,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            store,
            options,
            drain,
            events,
            tenure: Tenure(0),
            gate: Gate::closed(),
            servers: None,
            running: HashMap::new(),
            streams: HashMap::new(),
            addresses: HashMap::new(),
            calls: TaskTracker::new(),
            stores: TaskTracker::new(),
            store_handles: Vec::new(),
        }
    }

    /// A new tenure begins, with a gate that is still closed.
    pub(super) fn begin(&mut self, tenure: Tenure) {
        self.tenure = tenure;
        self.gate = Gate::closed();
    }

    pub(super) fn won(&mut self, tenure: Tenure, authority: Option<Timestamp>) {
        if self.tenure == tenure {
            self.gate.open(authority);
        }
    }

    pub(super) fn extended(&mut self, tenure: Tenure, authority: Timestamp) {
        if self.tenure == tenure {
            self.gate.extend(authority);
        }
    }

    /// The office is open: from now on there are data servers.
    pub(super) fn open(&mut self, tenure: Tenure, instance_id: Arc<str>) {
        if self.tenure != tenure {
            return stale("OpenOffice");
        }
        match DataServers::new(self.options.clone(), instance_id) {
            Ok(servers) => self.servers = Some(servers),
            // Every call then fails, and says so; the document has to be mended.
            Err(error) => error!(%error, "No data server can be called"),
        }
    }

    /// Ends everything and reports when nothing is left.
    pub(super) fn close(&mut self, tenure: Tenure) {
        if self.tenure < tenure {
            // It is closed before it has campaigned: there is nothing to end.
            self.begin(tenure);
        }
        if self.tenure != tenure {
            return stale("CloseOffice");
        }
        let lease = self.gate.closes().is_some();
        self.gate.close();
        for (_, task) in self.running.drain() {
            task.abort();
        }
        self.streams.clear();
        self.addresses.clear();
        self.servers = None;
        let calls = std::mem::take(&mut self.calls);
        let stores = std::mem::take(&mut self.stores);
        let store_handles = std::mem::take(&mut self.store_handles);
        let (events, drain) = (self.events.clone(), self.drain);
        tokio::spawn(async move {
            calls.close();
            calls.wait().await;
            stores.close();
            let in_time = !lease || tokio::time::timeout(drain, stores.wait()).await.is_ok();
            if !in_time {
                store_handles.iter().for_each(AbortHandle::abort);
            }
            stores.wait().await;
            // Nobody listens only when the process ends.
            let _ = events.send(Event::Drained { tenure }).await;
        });
    }

    pub(super) fn call(
        &mut self,
        tenure: Tenure,
        request: RequestId,
        server: DataServerIdentity,
        call: Call,
    ) {
        let Some(servers) = self.servers(tenure, "Call") else {
            return;
        };
        self.addresses.insert(server.id(), server.internal.clone());
        let (gate, events) = (self.gate.clone(), self.events.clone());
        let task = self.calls.spawn(async move {
            let result = if gate.is_open() {
                let answer = AssertUnwindSafe(servers.call(&server, call)).catch_unwind();
                answer.await.unwrap_or_else(|_| Err(panicked()))
            } else {
                Err(no_authority())
            };
            let _ = events
                .send(Event::CallAnswered {
                    tenure,
                    request,
                    result,
                })
                .await;
        });
        self.running.insert(request, task.abort_handle());
    }

    pub(super) fn watch(&mut self, tenure: Tenure, request: RequestId, server: DataServerIdentity) {
        let Some(servers) = self.servers(tenure, "WatchHealth") else {
            return;
        };
        let (gate, events) = (self.gate.clone(), self.events.clone());
        let task = self.calls.spawn(async move {
            let mut error = no_authority();
            if gate.is_open() {
                let mut observations = std::pin::pin!(servers.watch_health(&server));
                error = loop {
                    match observations.next().await {
                        Some(Ok(serving)) => {
                            let event = Event::HealthObserved {
                                tenure,
                                request,
                                serving,
                            };
                            let _ = events.send(event).await;
                        }
                        Some(Err(error)) => break error,
                        None => break ended(),
                    }
                };
            }
            let _ = events
                .send(Event::HealthWatchEnded {
                    tenure,
                    request,
                    error,
                })
                .await;
        });
        self.running.insert(request, task.abort_handle());
    }

    pub(super) fn push(
        &mut self,
        tenure: Tenure,
        request: RequestId,
        server: DataServerIdentity,
        assignments: Arc<ShardAssignments>,
    ) {
        let Some(servers) = self.servers(tenure, "PushAssignments") else {
            return;
        };
        if let Some(stream) = self.streams.get(&request) {
            if self.gate.is_open() {
                // Where the stream has just ended, its end is about to be reported.
                let _ = stream.send(assignments);
            }
            return;
        }
        let (sender, receiver) = watch::channel(assignments);
        self.streams.insert(request, sender);
        let (gate, events) = (self.gate.clone(), self.events.clone());
        let task = self.calls.spawn(async move {
            let error = if gate.is_open() {
                servers.push(&server, receiver).await
            } else {
                no_authority()
            };
            let _ = events
                .send(Event::PushEnded {
                    tenure,
                    request,
                    error,
                })
                .await;
        });
        self.running.insert(request, task.abort_handle());
    }

    /// Gives up a call, a watch or a stream.
    pub(super) fn cancel(&mut self, tenure: Tenure, request: RequestId) {
        if self.tenure == tenure {
            self.streams.remove(&request);
            if let Some(task) = self.running.remove(&request) {
                task.abort();
            }
        }
    }

    /// A call, a watch or a stream has ended by itself.
    pub(super) fn ended(&mut self, tenure: Tenure, request: RequestId) {
        if self.tenure == tenure {
            self.streams.remove(&request);
            self.running.remove(&request);
        }
    }

    pub(super) fn forget(&mut self, tenure: Tenure, server: &ServerId) {
        let Some(address) = self.addresses.remove(server) else {
            return;
        };
        if let Some(servers) = self.servers(tenure, "ForgetServer") {
            servers.forget(&address);
        }
    }

    pub(super) fn load(&mut self, tenure: Tenure, request: RequestId) {
        let (store, events) = (self.store.clone(), self.events.clone());
        let until = self.gate.closes();
        self.spawn_store(async move {
            let outcome = within(until, store.load()).await.unwrap_or_else(|reason| {
                LoadOutcome::Unavailable {
                    after: Duration::ZERO,
                    reason,
                }
            });
            let _ = events
                .send(Event::Loaded {
                    tenure,
                    request,
                    outcome,
                })
                .await;
        });
    }

    pub(super) fn read_head(&mut self, tenure: Tenure, request: RequestId) {
        let (store, events) = (self.store.clone(), self.events.clone());
        let until = self.gate.closes();
        self.spawn_store(async move {
            let outcome = within(until, store.head()).await.unwrap_or_else(|reason| {
                HeadOutcome::Unavailable {
                    after: Duration::ZERO,
                    reason,
                }
            });
            let _ = events
                .send(Event::HeadRead {
                    tenure,
                    request,
                    outcome,
                })
                .await;
        });
    }

    pub(super) fn store(
        &mut self,
        tenure: Tenure,
        request: RequestId,
        expected: Option<Version>,
        document: StatusDocument,
    ) {
        if self.tenure != tenure {
            return stale("Store");
        }
        let (store, events, gate) = (self.store.clone(), self.events.clone(), self.gate.clone());
        self.spawn_store(async move {
            let outcome = store_within(&*store, expected, document, &gate).await;
            let _ = events
                .send(Event::StoreEnded {
                    tenure,
                    request,
                    outcome,
                })
                .await;
        });
    }

    fn spawn_store(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.store_handles.retain(|handle| !handle.is_finished());
        self.store_handles
            .push(self.stores.spawn(task).abort_handle());
    }

    fn servers(&self, tenure: Tenure, effect: &'static str) -> Option<DataServers> {
        if self.tenure == tenure && self.servers.is_some() {
            return self.servers.clone();
        }
        stale(effect);
        None
    }
}

/// Stores, if there is authority, and for no longer than there is.
async fn store_within(
    store: &dyn StatusStore,
    expected: Option<Version>,
    document: StatusDocument,
    gate: &Gate,
) -> StoreOutcome {
    let until = gate.closes();
    if !gate.is_open() {
        let (after, reason) = (Duration::ZERO, no_authority().message);
        return StoreOutcome::Unavailable { after, reason };
    }
    let stored = within(until, store.store(expected, document)).await;
    stored.unwrap_or_else(StoreOutcome::Ambiguous)
}

/// Waits for the store `until` authority ends, though not for ever; where leadership is a lock, for
/// as long as it takes. A panic is an answer too, since the machine waits for one. `Err` says what
/// came instead.
async fn within<T>(until: Option<Timestamp>, answer: impl Future<Output = T>) -> Result<T, String> {
    let answer = AssertUnwindSafe(answer).catch_unwind();
    let answered = match until {
        None => answer.await,
        Some(closes) => {
            let limit = closes.since(boottime()).min(STORE_TIMEOUT);
            let answered = tokio::time::timeout(limit, answer).await;
            answered.map_err(|_| format!("no answer within {limit:?}"))?
        }
    };
    answered.map_err(|_| "the backend has panicked".to_owned())
}

fn no_authority() -> CallError {
    let message = "authority has ended: nothing was sent".to_owned();
    CallError {
        kind: CallErrorKind::Other,
        message,
    }
}

fn panicked() -> CallError {
    let message = "the call has panicked".to_owned();
    CallError {
        kind: CallErrorKind::Other,
        message,
    }
}

fn ended() -> CallError {
    let message = "the server ended the stream".to_owned();
    CallError {
        kind: CallErrorKind::Unreachable,
        message,
    }
}
