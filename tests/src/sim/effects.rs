//! Effects carried out by the driver's own rules, which are the real driver's; what is on its way
//! is the simulator's.

use std::time::Duration;

use stepdown_core::call::{Call, CallErrorKind};
use stepdown_core::tenancy::{End, Order, Task, call_limit};
use stepdown_core::{Effect, Event, RequestId, Tenure};

use super::check::Check;
use super::documents::Read;
use super::host::{Connections, Outgoing};
use super::server::{CallResult, Caller, Packet, failure};
use super::world::{What, World};

impl World<'_> {
    pub(super) fn carry_out(&mut self, host: usize, effect: Effect) -> Check {
        let now = self.queue.now();
        let place = &mut self.hosts[host];
        let local = place.clock.read(now);
        match place.tenancy.handle(local, effect) {
            Order::Abort(request) => {
                self.abort(host, request);
            }
            Order::Answer(event) => {
                self.sometimes.hit("gate_refused");
                place.inbox.push_back(event);
            }
            Order::Begin(request, task) => return self.begin(host, request, task),
            Order::Campaign(tenure) => {
                place.connections = Connections::default();
                return self.campaign(host, tenure);
            }
            Order::Close { abort, drained } => return self.close(host, abort, drained),
            Order::Exit => {
                place.exits = true;
                self.exit_if_released(host);
            }
            Order::OpenOffice { epoch, instance_id } => {
                place.connections.instance_id = Some(instance_id);
                return self.raise_epoch(host, epoch);
            }
            Order::Push(request, assignments) => {
                self.check_leaves(host)?;
                let caller = self.caller(host, request);
                let stream = self.hosts[host].connections.streams.get(&request);
                let server = stream.and_then(|stream| stream.server);
                self.push(caller, server, assignments);
            }
            Order::Release => return self.release(host),
            Order::Stale(effect) => {
                return Err(self.violation("D1", format!("c{host}: {effect} after its close")));
            }
            Order::Forget(_) | Order::Nothing | Order::Report(_) => {}
        }
        Ok(())
    }

    fn begin(&mut self, host: usize, request: RequestId, task: Task) -> Check {
        let caller = self.caller(host, request);
        if !task.kind().reads() {
            self.check_leaves(host)?;
        }
        match task {
            Task::Call { server, call } => {
                let place = self.server_at(&server.internal);
                self.take_turn(caller, place, call);
            }
            Task::Load { until } => self.read(caller, Read::Document, until),
            Task::ReadConfiguration { until } => {
                self.read(caller, Read::Configuration, Some(until))
            }
            Task::ReadHead { until } => self.read(caller, Read::Head, until),
            Task::Store {
                until,
                expected,
                document,
            } => self.send_store(caller, until, expected, document),
            Task::Stream {
                server,
                assignments,
            } => {
                let place = self.server_at(&server.internal);
                self.push(caller, place, assignments);
            }
            Task::Watch { server } => {
                let place = self.server_at(&server.internal);
                self.open_watch(caller, place);
            }
        }
        Ok(())
    }

    pub(super) fn call(&mut self, caller: Caller, place: Option<usize>, call: Call) {
        let host = caller.host;
        let token = self.token();
        let outgoing = Outgoing {
            server: place,
            token,
            arrives: self.queue.now(),
        };
        let connections = &mut self.hosts[host].connections;
        connections.calls.insert(caller.request, outgoing);
        self.queue
            .after(call_limit(&call), What::CallTimedOut(caller));
        let Some(place) = place else {
            let error = failure(CallErrorKind::Unreachable, "no such address");
            let delay = self.chance.network.millis(1, 50);
            self.queue
                .after(delay, What::CallAnswered(caller, Err(error)));
            return;
        };
        let limit = call_limit(&call);
        let packet = Packet {
            token,
            caller,
            instance_id: self.hosts[host].connections.instance_id.clone(),
            sent: self.queue.now(),
            call,
        };
        let link = *self.network.link(host, place);
        let now = self.queue.now();
        if let Some(delay) = link.request_delay(now, &mut self.chance.network) {
            // Calls travel by connections that deliver nothing twice. That data servers stand it if they
            // did is of no truncation true: it ends who leads.
            let is_repeatable = !matches!(packet.call, Call::Truncate(_));
            if link.duplicates(now, &mut self.chance.network) && is_repeatable {
                let again = Packet {
                    token: self.token(),
                    ..packet.clone()
                };
                let later = delay + self.chance.network.millis(0, 3_000);
                // Its deadline comes with it.
                let end = What::CancelArrives(place, again.token);
                self.queue.after(later, What::CallArrives(place, again));
                self.queue.after(later.max(limit), end);
                self.sometimes.hit("call_duplicated");
            }
            let calls = &mut self.hosts[host].connections.calls;
            if let Some(outgoing) = calls.get_mut(&caller.request) {
                outgoing.arrives = now.plus(delay);
            }
            self.queue.after(delay, What::CallArrives(place, packet));
        }
    }

    fn caller(&self, host: usize, request: RequestId) -> Caller {
        let place = &self.hosts[host];
        Caller {
            host,
            boot: place.boot,
            tenure: place.tenancy.tenure(),
            request,
        }
    }

    /// What the process that asked has open, if it still runs.
    pub(super) fn connections(&mut self, caller: Caller) -> Option<&mut Connections> {
        let place = &mut self.hosts[caller.host];
        (place.boot == caller.boot).then_some(&mut place.connections)
    }

    /// Something that was begun has come back with this.
    pub(super) fn answered(&mut self, caller: Caller, event: Event) -> Check {
        let place = &mut self.hosts[caller.host];
        if place.boot != caller.boot {
            return Ok(());
        }
        let tenancy = &mut place.tenancy;
        let is_late = tenancy.is_closed()
            && tenancy
                .under_way()
                .any(|(request, _)| request == caller.request);
        let told = tenancy.heard(event.clone());
        // The machine may hear it all the same, and has to make nothing of it.
        if is_late && self.chance.faults.percent(50) {
            self.deliver(caller.host, event)?;
        }
        self.tell(caller.host, told)
    }

    /// Something that was begun has taken as long as it may.
    pub(super) fn timed_out(&mut self, caller: Caller) -> Check {
        let place = &mut self.hosts[caller.host];
        if place.boot != caller.boot {
            return Ok(());
        }
        let told = place.tenancy.ended(caller.request, End::TimedOut);
        self.tell(caller.host, told)
    }

    pub(super) fn tell(&mut self, host: usize, told: Option<Event>) -> Check {
        match told {
            Some(drained @ Event::Drained { .. }) => {
                self.deliver_in(host, Duration::ZERO, drained);
                Ok(())
            }
            Some(event) => self.deliver(host, event),
            None => Ok(()),
        }
    }

    /// The caller of a call has waited for as long as it does, if it still waits.
    pub(super) fn call_timed_out(&mut self, caller: Caller) -> Check {
        let place = &self.hosts[caller.host];
        let is_heard = place.connections.calls.contains_key(&caller.request)
            || place.tenancy.tenure() != caller.tenure;
        if place.boot != caller.boot || !is_heard {
            return Ok(());
        }
        let late = failure(CallErrorKind::TimedOut, "no answer in time");
        self.call_answered(caller, Err(late))
    }

    pub(super) fn call_answered(&mut self, caller: Caller, result: CallResult) -> Check {
        let Caller {
            host,
            tenure,
            request,
            ..
        } = caller;
        let event = Event::CallAnswered {
            tenure,
            request,
            result,
        };
        let Some(connections) = self.connections(caller) else {
            return Ok(());
        };
        if let Some(outgoing) = connections.calls.remove(&request) {
            // A call that ends for its caller ends at the server, too.
            self.send_cancel(host, outgoing);
            return self.answered(caller, event);
        }
        if self.hosts[host].tenancy.tenure() != tenure && self.chance.faults.percent(30) {
            self.sometimes.hit("answer_of_an_older_tenure");
            return self.deliver(host, event);
        }
        Ok(())
    }

    /// Ends a task; what is already on its way goes on.
    fn abort(&mut self, host: usize, request: RequestId) -> Option<Event> {
        let place = &mut self.hosts[host];
        place.connections.watches.remove(&request);
        place.connections.streams.remove(&request);
        let outgoing = place.connections.calls.remove(&request);
        let told = place.tenancy.ended(request, End::Dropped);
        if let Some(outgoing) = outgoing {
            self.send_cancel(host, outgoing);
        }
        told
    }

    fn send_cancel(&mut self, host: usize, call: Outgoing) {
        let Some(server) = call.server else {
            return;
        };
        let now = self.queue.now();
        let link = *self.network.link(host, server);
        // On one connection it does not overtake what it ends, and it is sent again until it arrives:
        // so is the end of the connection itself.
        let delay = link.slowness(now, &mut self.chance.network);
        let at = now.max(link.requests_cut).plus(delay).max(call.arrives);
        self.queue.at(at, What::CancelArrives(server, call.token));
    }

    fn close(&mut self, host: usize, abort: Vec<RequestId>, drained: Option<Event>) -> Check {
        self.note_close(host);
        self.stop_renewing(host)?;
        let mut drained = drained;
        for request in abort {
            drained = drained.or(self.abort(host, request));
        }
        if let Some(drained) = drained {
            let delay = self.chance.workload.millis(0, 20);
            self.deliver_in(host, delay, drained);
            return Ok(());
        }
        let place = &self.hosts[host];
        if let Some(until) = place.tenancy.deadline() {
            let (boot, tenure) = (place.boot, place.tenancy.tenure());
            let at = place.clock.when(until);
            self.queue
                .at(at, What::DrainBudgetSpent(host, boot, tenure));
        }
        Ok(())
    }

    pub(super) fn drain_budget_spent(&mut self, host: usize, boot: u32, tenure: Tenure) {
        let now = self.queue.now();
        let place = &mut self.hosts[host];
        if place.boot != boot || place.tenancy.tenure() != tenure {
            return;
        }
        if let Some(until) = place.paused {
            self.queue
                .at(until.max(now), What::DrainBudgetSpent(host, boot, tenure));
            return;
        }
        if place.is_storing() {
            self.sometimes.hit("store_dropped_at_the_end_of_the_drain");
        }
        let local = place.clock.read(now);
        for request in place.tenancy.time_passed(local) {
            if let Some(drained) = self.abort(host, request) {
                self.deliver_in(host, Duration::ZERO, drained);
            }
        }
    }

    /// Drops every task of a process that ends; what is already on its way goes on.
    pub(super) fn drop_tasks(&mut self, host: usize) {
        let connections = std::mem::take(&mut self.hosts[host].connections);
        for outgoing in connections.calls.into_values() {
            self.send_cancel(host, outgoing);
        }
    }

    fn deliver_in(&mut self, host: usize, delay: Duration, event: Event) {
        let boot = self.hosts[host].boot;
        self.queue.after(delay, What::Delivered(host, boot, event));
    }
}
