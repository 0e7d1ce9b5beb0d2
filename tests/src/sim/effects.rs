//! Effects carried out under the driver's rules: the tenure and the authority are looked at before
//! each leaves.

use std::time::Duration;

use stepdown_core::call::{Call, CallErrorKind};
use stepdown_core::store::StoreOutcome;
use stepdown_core::{Effect, Event, RequestId, Tenure};

use super::check::Check;
use super::host::{Desk, Outgoing, Read, Stream};
use super::lease::DRAIN;
use super::server::{CallResult, Caller, Packet, failure};
use super::store::Unheard;
use super::world::{What, World};

const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

impl World<'_> {
    pub(super) fn carry_out(&mut self, host: usize, effect: Effect) -> Check {
        match effect {
            Effect::Call {
                tenure,
                request,
                server,
                call,
            } if self.admit(host, tenure)? => {
                let caller = self.caller(host, tenure, request);
                let place = self.server_at(&server.internal);
                let token = self.token();
                let outgoing = Outgoing {
                    server: place,
                    token,
                };
                self.hosts[host].office.calls.insert(request, outgoing);
                let timeout = match call {
                    Call::CheckHealth => PROBE_TIMEOUT,
                    Call::AddFollower(_)
                    | Call::BecomeLeader(_)
                    | Call::GetStatus { .. }
                    | Call::Handshake
                    | Call::NewTerm(_) => CALL_TIMEOUT,
                };
                let late = failure(CallErrorKind::TimedOut, "no answer in time");
                self.queue
                    .after(timeout, What::CallAnswered(caller, Err(late)));
                let Some(place) = place else {
                    let error = failure(CallErrorKind::Unreachable, "no such address");
                    let delay = self.chance.network.millis(1, 50);
                    self.queue
                        .after(delay, What::CallAnswered(caller, Err(error)));
                    return Ok(());
                };
                let packet = Packet {
                    token,
                    caller,
                    instance_id: self.hosts[host].office.instance_id.clone(),
                    call,
                };
                let link = *self.network.link(host, place);
                let now = self.queue.now();
                if let Some(delay) = link.request_delay(now, &mut self.chance.network) {
                    if link.duplicates(now, &mut self.chance.network) {
                        let again = Packet {
                            token: self.token(),
                            ..packet.clone()
                        };
                        let later = delay + self.chance.network.millis(0, 3_000);
                        self.queue.after(later, What::CallArrives(place, again));
                        self.sometimes.hit("call_duplicated");
                    }
                    self.queue.after(delay, What::CallArrives(place, packet));
                }
            }
            Effect::WatchHealth {
                tenure,
                request,
                server,
            } if self.admit(host, tenure)? => {
                let caller = self.caller(host, tenure, request);
                let place = self.server_at(&server.internal);
                self.open_watch(caller, place);
            }
            Effect::PushAssignments {
                tenure,
                request,
                server,
                assignments,
            } if self.admit(host, tenure)? => {
                let caller = self.caller(host, tenure, request);
                let place = self.server_at(&server.internal);
                self.push(caller, place, assignments);
            }
            Effect::Store {
                tenure,
                request,
                expected,
                document,
            } if self.admit(host, tenure)? => {
                let caller = self.caller(host, tenure, request);
                self.send_store(caller, expected, document);
            }
            // Refused at the gate: the machine is told that time has passed, and closes.
            Effect::Call { .. }
            | Effect::WatchHealth { .. }
            | Effect::PushAssignments { .. }
            | Effect::Store { .. } => {
                self.sometimes.hit("gate_refused");
                self.hosts[host].inbox.push_front(Event::TimePassed);
            }
            Effect::Load { tenure, request } => self.read(host, tenure, request, Read::Document),
            Effect::ReadHead { tenure, request } => self.read(host, tenure, request, Read::Head),
            Effect::Campaign { tenure } => {
                self.hosts[host].office = Desk {
                    tenure,
                    ..Desk::default()
                };
                return self.campaign(host, tenure);
            }
            Effect::OpenOffice {
                epoch, instance_id, ..
            } => {
                self.hosts[host].office.instance_id = Some(instance_id);
                return self.raise_epoch(host, epoch);
            }
            Effect::Cancel { tenure, request } => self.cancel(host, tenure, request),
            Effect::CloseOffice { tenure } => return self.close(host, tenure),
            Effect::Release { .. } => return self.release(host),
            Effect::Exit => {
                self.hosts[host].exits = true;
                self.exit_if_released(host);
            }
            Effect::ForgetServer { .. } | Effect::Report(_) => {}
        }
        Ok(())
    }

    /// Whether something of this tenure may leave now.
    fn admit(&mut self, host: usize, tenure: Tenure) -> Result<bool, super::Violation> {
        let now = self.queue.now();
        let place = &self.hosts[host];
        let in_force = place.office.tenure == tenure && !place.office.closed;
        if !in_force {
            return Err(self.violation("D1", format!("c{host} acts for {tenure} after its close")));
        }
        let local = place.clock.read(now);
        if place
            .facts
            .authority
            .is_some_and(|authority| local >= authority)
        {
            return Ok(false);
        }
        self.check_exclusive(host)?;
        Ok(true)
    }

    fn caller(&self, host: usize, tenure: Tenure, request: RequestId) -> Caller {
        Caller {
            host,
            boot: self.hosts[host].boot,
            tenure,
            request,
        }
    }

    /// The desk that still waits for this caller's answer.
    pub(super) fn desk(&mut self, caller: Caller) -> Option<&mut Desk> {
        let place = self.hosts.get_mut(caller.host)?;
        let waits = place.boot == caller.boot && place.office.tenure == caller.tenure;
        waits.then_some(&mut place.office)
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
        let open = self
            .desk(caller)
            .and_then(|desk| desk.calls.remove(&request));
        match open {
            Some(outgoing) => {
                // A call that ends for its caller ends at the server, too.
                if let Some(server) = outgoing.server {
                    self.send_cancel(host, server, outgoing.token);
                }
                self.deliver(host, event)
            }
            None if self.hosts[host].boot == caller.boot
                && self.hosts[host].office.tenure != tenure
                && self.chance.faults.percent(30) =>
            {
                self.sometimes.hit("answer_of_an_older_tenure");
                self.deliver(host, event)
            }
            None => Ok(()),
        }
    }

    fn cancel(&mut self, host: usize, tenure: Tenure, request: RequestId) {
        let office = &mut self.hosts[host].office;
        if office.tenure != tenure {
            return;
        }
        office.watches.remove(&request);
        office.streams.remove(&request);
        office.reads.remove(&request);
        if let Some(outgoing) = office.calls.remove(&request)
            && let Some(server) = outgoing.server
        {
            self.send_cancel(host, server, outgoing.token);
        }
    }

    fn send_cancel(&mut self, host: usize, server: usize, token: super::server::Token) {
        let now = self.queue.now();
        let link = *self.network.link(host, server);
        if let Some(delay) = link.request_delay(now, &mut self.chance.network) {
            self.queue.after(delay, What::CancelArrives(server, token));
        }
    }

    fn close(&mut self, host: usize, tenure: Tenure) -> Check {
        let office = &mut self.hosts[host].office;
        if tenure > office.tenure {
            *office = Desk {
                tenure,
                ..Desk::default()
            };
        }
        if office.tenure != tenure || office.closed {
            return Ok(());
        }
        self.stop_renewing(host)?;
        let store = self.hosts[host].office.store;
        self.drop_tasks(host);
        let office = &mut self.hosts[host].office;
        office.closed = true;
        office.store = store;
        let boot = self.hosts[host].boot;
        if store.is_none() {
            let delay = self.chance.workload.millis(0, 20);
            self.drained(host, delay);
        } else if self.is_lease() {
            self.queue
                .after(DRAIN, What::DrainBudgetSpent(host, boot, tenure));
        }
        Ok(())
    }

    /// Drops every task of the tenure; what is already on the way goes on.
    pub(super) fn drop_tasks(&mut self, host: usize) {
        let office = &mut self.hosts[host].office;
        let calls = std::mem::take(&mut office.calls);
        office.watches.clear();
        office.streams.clear();
        office.reads.clear();
        office.store = None;
        for outgoing in calls.into_values() {
            if let Some(server) = outgoing.server {
                self.send_cancel(host, server, outgoing.token);
            }
        }
    }

    pub(super) fn drained(&mut self, host: usize, delay: Duration) {
        let boot = self.hosts[host].boot;
        let office = &mut self.hosts[host].office;
        office.drained = true;
        let tenure = office.tenure;
        self.queue.after(
            delay,
            What::Delivered(host, boot, Event::Drained { tenure }),
        );
    }

    fn send_store(
        &mut self,
        caller: Caller,
        expected: Option<stepdown_core::Version>,
        document: stepdown_core::store::StatusDocument,
    ) {
        let now = self.queue.now();
        let place = &mut self.hosts[caller.host];
        place.office.store = Some(caller.request);
        let local = place.clock.read(now);
        let left = place
            .facts
            .authority
            .map_or(STORE_TIMEOUT, |authority| authority.since(local));
        let timeout = place.clock.stretch(left.min(STORE_TIMEOUT));
        let lease = self.is_lease();
        let latency = self.store_latency();
        if let Some(how) = self.store.refusals.pop_front() {
            let outcome = match how {
                0 => StoreOutcome::Forbidden("not allowed".to_owned()),
                1 => StoreOutcome::Invalid("malformed".to_owned()),
                _ => StoreOutcome::TooLarge("too large".to_owned()),
            };
            self.sometimes.hit("store_refused");
            self.queue.after(latency, What::StoreEnds(caller, outcome));
            return;
        }
        let mut arrives = now.plus(latency);
        if arrives < self.store.stalled {
            self.sometimes.hit("store_stalled");
            arrives = self.store.stalled;
        }
        let unheard = self.store.next.pop_front();
        if lease || unheard.is_some() {
            let outcome = StoreOutcome::Ambiguous("timed out".to_owned());
            self.queue.after(timeout, What::StoreEnds(caller, outcome));
        }
        match unheard {
            Some(Unheard::Lost) => {
                self.sometimes.hit("store_lost_unheard");
                return;
            }
            Some(Unheard::Applied) => self.sometimes.hit("store_applied_unheard"),
            Some(Unheard::AppliedLate) if lease => {
                self.sometimes.hit("store_applied_late");
                arrives = now.plus(timeout + self.chance.store.millis(0, 20_000));
            }
            Some(Unheard::AppliedLate) | None => {}
        }
        let heard = unheard.is_none();
        self.queue.at(
            arrives,
            What::StoreArrives(caller, expected, document, heard),
        );
    }

    pub(super) fn store_arrived(
        &mut self,
        caller: Caller,
        expected: Option<stepdown_core::Version>,
        document: &stepdown_core::store::StatusDocument,
        heard: bool,
    ) -> Check {
        let now = self.queue.now();
        if !self.is_lease() && self.hosts[caller.host].boot != caller.boot {
            return Ok(());
        }
        let outcome = if now < self.store.unavailable {
            self.sometimes.hit("store_unavailable");
            StoreOutcome::Unavailable {
                after: Duration::from_millis(100),
                reason: "the store is away".to_owned(),
            }
        } else if now < self.store.corrupt {
            StoreOutcome::Corrupt("the document is torn".to_owned())
        } else if self.store.is_current(expected.as_ref()) {
            let process = document.write_id.process;
            let version = self.store.accept(document, (process, caller.tenure));
            self.trace.note(now, || {
                format!("store accepts {version} of {}", document.write_id)
            });
            self.check_accepted()?;
            StoreOutcome::Stored(version)
        } else if self.is_lease() {
            self.sometimes.hit("store_conflict_over_a_network");
            StoreOutcome::Ambiguous("409".to_owned())
        } else {
            self.sometimes.hit("store_conflict");
            StoreOutcome::Conflict("another version".to_owned())
        };
        if heard {
            let latency = self.store_latency();
            self.queue.after(latency, What::StoreEnds(caller, outcome));
        }
        Ok(())
    }

    pub(super) fn store_ended(&mut self, caller: Caller, outcome: StoreOutcome) -> Check {
        let request = caller.request;
        let Some(desk) = self.desk(caller).filter(|desk| desk.store == Some(request)) else {
            return Ok(());
        };
        desk.store = None;
        let event = Event::StoreEnded {
            tenure: caller.tenure,
            request,
            outcome,
        };
        if desk.closed {
            if self.chance.faults.percent(50) {
                self.deliver(caller.host, event)?;
            }
            self.drained(caller.host, Duration::ZERO);
            return Ok(());
        }
        self.deliver(caller.host, event)
    }

    fn store_latency(&mut self) -> Duration {
        let chance = &mut self.chance.store;
        let slow = if self.queue.now() < self.store.slow.0 {
            chance.between(Duration::ZERO, self.store.slow.1)
        } else {
            Duration::ZERO
        };
        slow + chance.micros(200, 8_000)
    }

    fn read(&mut self, host: usize, tenure: Tenure, request: RequestId, read: Read) {
        let caller = self.caller(host, tenure, request);
        self.hosts[host].office.reads.insert(request, read);
        let arrives = self.queue.now().plus(self.store_latency());
        self.queue.at(
            arrives.max(self.store.stalled),
            What::ReadArrives(caller, read),
        );
    }

    pub(super) fn read_arrived(&mut self, caller: Caller, read: Read) {
        let now = self.queue.now();
        let (tenure, request) = (caller.tenure, caller.request);
        let event = match read {
            Read::Document => Event::Loaded {
                tenure,
                request,
                outcome: self.store.load(now, self.epoch_beside(caller.host)),
            },
            Read::Head => Event::HeadRead {
                tenure,
                request,
                outcome: self.store.head(now),
            },
        };
        let latency = self.store_latency();
        self.queue.after(latency, What::ReadAnswers(caller, event));
    }

    pub(super) fn read_answered(&mut self, caller: Caller, event: Event) -> Check {
        let open = self
            .desk(caller)
            .and_then(|desk| desk.reads.remove(&caller.request));
        match open {
            Some(_) => self.deliver(caller.host, event),
            None => Ok(()),
        }
    }

    fn push(
        &mut self,
        caller: Caller,
        place: Option<usize>,
        assignments: std::sync::Arc<stepdown_core::assign::ShardAssignments>,
    ) {
        let now = self.queue.now();
        let Some(server) = place.filter(|server| self.servers[*server].up) else {
            self.hosts[caller.host].office.streams.insert(
                caller.request,
                Stream {
                    server: place,
                    last: now,
                },
            );
            let error = failure(CallErrorKind::Unreachable, "connection refused");
            let delay = self.chance.network.millis(1, 100);
            self.queue.after(delay, What::PushEnds(caller, error));
            return;
        };
        let cut = self.network.link(caller.host, server).requests_cut;
        let delay = self.chance.network.micros(100, 2_000);
        let office = &mut self.hosts[caller.host].office;
        let stream = office.streams.entry(caller.request).or_insert(Stream {
            server: Some(server),
            last: now,
        });
        stream.last = stream.last.max(cut).max(now).plus(delay);
        let (at, boot) = (stream.last, self.servers[server].boot);
        let instance_id = office.instance_id.clone();
        self.queue.at(
            at,
            What::PushArrives(server, boot, caller, instance_id, assignments),
        );
    }
}
