//! What becomes of each effect: what may begin, and what the close ends.

use std::sync::Arc;

use super::answer::{Failure, failed};
use super::gate::Gate;
use super::limits::{STORE_LIMIT, call_limit};
use super::order::{Kind, Order, Task};
use super::{Phase, Servers, Tenancy, UnderWay};
use crate::assign::ShardAssignments;
use crate::cluster::DataServerIdentity;
use crate::effect::Effect;
use crate::id::{RequestId, ServerId, Tenure, Timestamp};

impl Tenancy {
    /// What is to be done about an effect, all of it before the next one.
    #[must_use]
    pub fn handle(&mut self, now: Timestamp, effect: Effect) -> Order {
        match effect {
            Effect::Call {
                tenure,
                request,
                server,
                call,
            } => self.begin(now, tenure, request, Task::Call { server, call }),
            Effect::Campaign { tenure } if tenure > self.tenure => {
                self.enter(tenure);
                Order::Campaign(tenure)
            }
            Effect::Campaign { .. } => Order::Stale("Campaign"),
            Effect::Cancel { tenure, request } => self.cancel(tenure, request),
            Effect::CloseOffice { tenure } => self.close(now, tenure),
            Effect::Exit => Order::Exit,
            Effect::ForgetServer { tenure, server } => self.forget(tenure, &server),
            Effect::Load { tenure, request } => {
                let until = self.store_until(now);
                self.begin(now, tenure, request, Task::Load { until })
            }
            Effect::OpenOffice {
                tenure,
                epoch,
                instance_id,
            } => {
                if !self.is_in_force(tenure) {
                    return Order::Stale("OpenOffice");
                }
                self.servers = Servers::Callable;
                Order::OpenOffice { epoch, instance_id }
            }
            Effect::PushAssignments {
                tenure,
                request,
                server,
                assignments,
            } => self.push(now, tenure, request, server, assignments),
            Effect::ReadConfiguration { tenure, request } => {
                let until = self.store_until(now);
                let until = until.unwrap_or(now.after(STORE_LIMIT));
                self.begin(now, tenure, request, Task::ReadConfiguration { until })
            }
            Effect::ReadHead { tenure, request } => {
                let until = self.store_until(now);
                self.begin(now, tenure, request, Task::ReadHead { until })
            }
            Effect::Release { .. } => Order::Release,
            Effect::Report(report) => Order::Report(report),
            Effect::Store {
                tenure,
                request,
                expected,
                document,
            } => {
                let task = Task::Store {
                    until: self.store_until(now),
                    expected,
                    document,
                };
                self.begin(now, tenure, request, task)
            }
            Effect::WatchHealth {
                tenure,
                request,
                server,
            } => self.begin(now, tenure, request, Task::Watch { server }),
        }
    }

    /// A new tenure, with a gate that is still closed. Nothing is left of the last one, or its
    /// answers mean nothing any more.
    fn enter(&mut self, tenure: Tenure) {
        self.tenure = tenure;
        self.phase = Phase::Open;
        self.leave();
    }

    fn leave(&mut self) {
        self.gate = Gate::Closed;
        self.servers = Servers::not_open();
        self.addresses.clear();
        for task in self.under_way.values_mut() {
            task.awaited = false;
        }
    }

    fn close(&mut self, now: Timestamp, tenure: Tenure) -> Order {
        if tenure > self.tenure {
            // It is closed before it has campaigned: there is nothing to end.
            self.enter(tenure);
        }
        if !self.is_in_force(tenure) {
            return Order::Stale("CloseOffice");
        }
        let by_time = self.gate.closes().is_some();
        let calls = self.under_way.iter();
        let calls = calls.filter(|(_, task)| task.awaited && task.kind.is_given_up());
        let abort = calls.map(|(request, _)| *request).collect();
        self.leave();
        let until = by_time.then(|| now.after(self.drain));
        self.phase = Phase::Closing { until };
        let drained = self.drained();
        Order::Close { abort, drained }
    }

    fn begin(&mut self, now: Timestamp, tenure: Tenure, request: RequestId, task: Task) -> Order {
        let kind = task.kind();
        if tenure < self.tenure || tenure == self.tenure && self.is_closed() {
            return Order::Stale(kind.effect());
        }
        if self.under_way.contains_key(&request) {
            // The one that is under way answers it.
            return Order::Nothing;
        }
        if let Some(failure) = self.refusal(now, tenure, kind) {
            return Order::Answer(failed(kind, tenure, request, failure));
        }
        let limit = match &task {
            Task::Call { server, call } => {
                self.addresses.insert(server.id(), server.internal.clone());
                Some(call_limit(call))
            }
            Task::Load { until } | Task::ReadHead { until } | Task::Store { until, .. } => {
                until.map(|until| until.since(now))
            }
            Task::ReadConfiguration { until } => Some(until.since(now)),
            Task::Stream { .. } | Task::Watch { .. } => None,
        };
        let under_way = UnderWay {
            kind,
            limit,
            awaited: true,
        };
        self.under_way.insert(request, under_way);
        Order::Begin(request, task)
    }

    /// Why it can't begin, if it can't.
    fn refusal(&self, now: Timestamp, tenure: Tenure, kind: Kind) -> Option<Failure> {
        if tenure != self.tenure {
            return Some(Failure::no_such_tenure(tenure));
        }
        if !kind.reads() && !self.gate.is_open(now) {
            return Some(Failure::no_authority());
        }
        match &self.servers {
            Servers::NotCallable(reason) if kind.asks_a_server() => {
                Some(Failure::no_servers(reason))
            }
            Servers::Callable | Servers::NotCallable(_) => None,
        }
    }

    fn push(
        &mut self,
        now: Timestamp,
        tenure: Tenure,
        request: RequestId,
        server: DataServerIdentity,
        assignments: Arc<ShardAssignments>,
    ) -> Order {
        let open = self.is_in_force(tenure) && self.under_way.contains_key(&request);
        if !open {
            let task = Task::Stream {
                server,
                assignments,
            };
            return self.begin(now, tenure, request, task);
        }
        if self.gate.is_open(now) {
            Order::Push(request, assignments)
        } else {
            // The stream's own end is what is reported.
            Order::Nothing
        }
    }

    fn cancel(&mut self, tenure: Tenure, request: RequestId) -> Order {
        if !self.is_in_force(tenure) {
            return Order::Nothing;
        }
        match self.under_way.get_mut(&request) {
            Some(task) if task.awaited && task.kind.asks_a_server() => {
                task.awaited = false;
                Order::Abort(request)
            }
            Some(_) | None => Order::Nothing,
        }
    }

    fn forget(&mut self, tenure: Tenure, server: &ServerId) -> Order {
        if !self.is_in_force(tenure) {
            return Order::Stale("ForgetServer");
        }
        let address = self.addresses.remove(server);
        address.map_or(Order::Nothing, Order::Forget)
    }

    /// When what asks the store has to give up: no later than authority ends.
    fn store_until(&self, now: Timestamp) -> Option<Timestamp> {
        let closes = self.gate.closes()?;
        Some(closes.min(now.after(STORE_LIMIT)))
    }
}
