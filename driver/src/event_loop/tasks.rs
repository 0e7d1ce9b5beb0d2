//! The tasks: one for each request that is under way. A task puts its answer into the queue of
//! events, or ends without one.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use stepdown_backends::{ConfigurationStore, StatusStore, boottime};
use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{CallError, CallErrorKind};
use stepdown_core::cluster::DataServerIdentity;
use stepdown_core::tenancy::{End, Task};
use stepdown_core::{Event, RequestId, Tenure, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio_stream::StreamExt;

use crate::data_servers::{CallOptions, DataServers, InvalidInstanceId};
use crate::gate::Gate;

/// How a task ended, as tokio says it.
type Joined = Result<(Id, Result<(), End>), JoinError>;

/// Whatever runs for the present tenure. Dropping it ends all.
pub(super) struct Tasks {
    store: Arc<dyn StatusStore>,
    configuration: Arc<dyn ConfigurationStore>,
    options: CallOptions,
    events: mpsc::Sender<Event>,
    tenure: Tenure,
    gate: Gate,
    servers: Option<DataServers>,
    running: JoinSet<Result<(), End>>,
    requests: HashMap<Id, RequestId>,
    handles: HashMap<RequestId, AbortHandle>,
    streams: HashMap<RequestId, watch::Sender<Arc<ShardAssignments>>>,
}

impl Tasks {
    pub(super) fn new(
        store: Arc<dyn StatusStore>,
        configuration: Arc<dyn ConfigurationStore>,
        options: CallOptions,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            store,
            configuration,
            options,
            events,
            tenure: Tenure(0),
            gate: Gate::closed(),
            servers: None,
            running: JoinSet::new(),
            requests: HashMap::new(),
            handles: HashMap::new(),
            streams: HashMap::new(),
        }
    }

    /// A new tenure, with a gate of its own.
    pub(super) fn enter(&mut self, tenure: Tenure) {
        self.tenure = tenure;
        self.gate = Gate::closed();
    }

    pub(super) fn set_gate(&self, until: Timestamp) {
        self.gate.set(until);
    }

    /// From now on there are data servers.
    pub(super) fn open(&mut self, instance_id: Arc<str>) -> Result<(), InvalidInstanceId> {
        self.servers = Some(DataServers::new(self.options.clone(), instance_id)?);
        Ok(())
    }

    /// Closes the gate, and ends these.
    pub(super) fn close(&mut self, abort: &[RequestId]) {
        self.gate.set(Timestamp(0));
        for request in abort {
            self.abort(*request);
        }
        self.servers = None;
    }

    pub(super) fn abort(&mut self, request: RequestId) {
        self.streams.remove(&request);
        if let Some(task) = self.handles.get(&request) {
            task.abort();
        }
    }

    pub(super) fn forget(&self, address: &str) {
        if let Some(servers) = &self.servers {
            servers.forget(address);
        }
    }

    pub(super) fn push(&self, request: RequestId, assignments: Arc<ShardAssignments>) {
        if let Some(stream) = self.streams.get(&request) {
            // Where the stream has just ended, its end is about to be reported.
            let _ = stream.send(assignments);
        }
    }

    pub(super) fn begin(&mut self, request: RequestId, task: Task) {
        let tenure = self.tenure;
        match task {
            Task::Call { server, call } => {
                self.ask_server(request, move |servers| async move {
                    let result = servers.call(&server, call).await;
                    Event::CallAnswered {
                        tenure,
                        request,
                        result,
                    }
                });
            }
            Task::Watch { server } => {
                let events = self.events.clone();
                self.ask_server(request, move |servers| async move {
                    let observe = |serving| {
                        events.send(Event::HealthObserved {
                            tenure,
                            request,
                            serving,
                        })
                    };
                    let error = watch_health(&servers, &server, observe).await;
                    Event::HealthWatchEnded {
                        tenure,
                        request,
                        error,
                    }
                });
            }
            Task::Stream {
                server,
                assignments,
            } => {
                let (sender, latest) = watch::channel(assignments);
                self.streams.insert(request, sender);
                self.ask_server(request, move |servers| async move {
                    let error = servers.push(&server, latest).await;
                    Event::PushEnded {
                        tenure,
                        request,
                        error,
                    }
                });
            }
            Task::Load { until } => {
                let store = self.store.clone();
                self.spawn(request, async move {
                    let outcome = within(until, store.load()).await?;
                    Ok(Event::Loaded {
                        tenure,
                        request,
                        outcome,
                    })
                });
            }
            Task::ReadConfiguration { until } => {
                let configuration = self.configuration.clone();
                self.spawn(request, async move {
                    let read = within(Some(until), configuration.read()).await?;
                    Ok(Event::ConfigurationFound {
                        tenure,
                        request,
                        found: read.map_err(|error| error.to_string()),
                    })
                });
            }
            Task::ReadHead { until } => {
                let store = self.store.clone();
                self.spawn(request, async move {
                    let outcome = within(until, store.head()).await?;
                    Ok(Event::HeadRead {
                        tenure,
                        request,
                        outcome,
                    })
                });
            }
            Task::Store {
                until,
                expected,
                document,
            } => {
                let (store, gate) = (self.store.clone(), self.gate.clone());
                self.spawn(request, async move {
                    if !gate.is_open() {
                        return Err(End::NoAuthority);
                    }
                    let outcome = within(until, store.store(expected, document)).await?;
                    Ok(Event::StoreEnded {
                        tenure,
                        request,
                        outcome,
                    })
                });
            }
        }
    }

    /// The next task that ends without an answer, and how. `None` when nothing runs.
    pub(super) async fn next(&mut self) -> Option<(RequestId, End)> {
        while let Some(joined) = self.running.join_next_with_id().await {
            if let Some(ended) = self.joined(joined) {
                return Some(ended);
            }
        }
        None
    }

    /// The same, if one has ended already.
    pub(super) fn ready(&mut self) -> Option<(RequestId, End)> {
        while let Some(joined) = self.running.try_join_next_with_id() {
            if let Some(ended) = self.joined(joined) {
                return Some(ended);
            }
        }
        None
    }

    fn joined(&mut self, joined: Joined) -> Option<(RequestId, End)> {
        let (id, end) = match joined {
            Ok((id, end)) => (id, end.err()),
            Err(error) if error.is_panic() => (error.id(), Some(End::Panicked)),
            Err(error) => (error.id(), Some(End::Dropped)),
        };
        let request = self.requests.remove(&id)?;
        self.handles.remove(&request);
        self.streams.remove(&request);
        end.map(|end| (request, end))
    }

    /// Asks a data server, unless the gate has closed in the meantime.
    fn ask_server<F>(
        &mut self,
        request: RequestId,
        ask: impl FnOnce(DataServers) -> F + Send + 'static,
    ) where
        F: Future<Output = Event> + Send + 'static,
    {
        let (gate, servers) = (self.gate.clone(), self.servers.clone());
        self.spawn(request, async move {
            let servers = servers.ok_or(End::Dropped)?;
            if !gate.is_open() {
                return Err(End::NoAuthority);
            }
            Ok(ask(servers.within(gate)).await)
        });
    }

    fn spawn(
        &mut self,
        request: RequestId,
        task: impl Future<Output = Result<Event, End>> + Send + 'static,
    ) {
        let events = self.events.clone();
        let handle = self.running.spawn(async move {
            // Nobody listens only when the process ends.
            let _ = events.send(task.await?).await;
            Ok(())
        });
        self.requests.insert(handle.id(), request);
        self.handles.insert(request, handle);
    }
}

/// Tells what is observed; returns why the watch ended.
async fn watch_health<F: Future>(
    servers: &DataServers,
    server: &DataServerIdentity,
    observe: impl Fn(bool) -> F,
) -> CallError {
    let mut observations = pin!(servers.watch_health(server));
    loop {
        match observations.next().await {
            Some(Ok(serving)) => {
                // Nobody listens only when the process ends.
                let _ = observe(serving).await;
            }
            Some(Err(error)) => return error,
            None => {
                return CallError {
                    kind: CallErrorKind::Unreachable,
                    message: "the server ended the stream".to_owned(),
                };
            }
        }
    }
}

/// Waits for the store `until` then; where leadership is a lock, for as long as it takes.
async fn within<T>(until: Option<Timestamp>, answer: impl Future<Output = T>) -> Result<T, End> {
    match until {
        None => Ok(answer.await),
        Some(until) => tokio::time::timeout(until.since(boottime()), answer)
            .await
            .map_err(|_| End::TimedOut),
    }
}
