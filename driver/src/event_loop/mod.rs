//! The event loop: one owner of the machine, which feeds it what happened and hands its effects to
//! tasks. A task does one thing and reports back as an event; it never touches the machine.
//!
//! Every queue is bounded. Tasks wait while the queue of events is full, so a burst of answers
//! slows the tasks down and loses nothing. The number of tasks is bounded by what the machine has
//! asked for: it has at most one call to each member of a shard's ensemble under way.

mod gate;
mod leadership;
mod tenure;
#[cfg(test)]
mod tests;
mod view;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use stepdown_backends::{Backend, boottime};
use stepdown_core::{CoordinatorState, Effect, Event, Options, Report};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::leadership::LeadershipTask;
use self::tenure::Tenancy;
pub use self::view::View;
use crate::data_servers::CallOptions;

/// Events that may wait to be handled.
const QUEUE: usize = 4096;
/// Events handled in one turn, before deadlines are looked at again.
const BURST: usize = 256;

/// What one coordinator is made of.
pub struct Coordinator {
    /// The machine's options.
    pub options: Options,
    /// Where its documents and its leadership live.
    pub backend: Backend,
    /// How data servers are reached.
    pub servers: CallOptions,
    /// How long the tasks of a tenure may take to end once it is closed, where authority ends by
    /// time. Where leadership is a lock there is no bound: it is kept until the last write is
    /// over.
    pub drain: Duration,
    /// Who hears the reports.
    pub reports: Arc<dyn Fn(&Report) + Send + Sync>,
    /// Cancelled when the coordinator is to leave office and end.
    pub stop: CancellationToken,
}

impl Coordinator {
    /// A view of the coordinator that changes as it runs, and the coordinator's own run, which
    /// ends when `stop` is cancelled and everything is closed.
    pub fn run(self) -> (watch::Receiver<View>, impl Future<Output = ()> + Send) {
        let (view, receiver) = watch::channel(View::default());
        (receiver, run(self, view))
    }
}

async fn run(coordinator: Coordinator, view: watch::Sender<View>) {
    let Coordinator {
        options,
        backend,
        servers,
        drain,
        reports,
        stop,
    } = coordinator;
    let (events, mut queue) = mpsc::channel(QUEUE);
    let mut machine = CoordinatorState::new(options, boottime());
    let mut body = Body {
        leadership: LeadershipTask::start(backend.leadership.clone(), events.clone()),
        tenancy: Tenancy::new(backend.store.clone(), servers, drain, events),
        reports,
    };
    body.carry_out_all(&mut machine);
    let mut configuration = backend.configuration.watch();
    configuration.mark_changed();
    let mut hints = backend.hints.watch();
    let mut stopping = false;
    let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
    loop {
        view.send_if_modified(|view| view.update(&machine));
        let deadline = machine.poll_deadline();
        if let Some((at, _)) = deadline {
            let wait = at.since(boottime());
            sleep.as_mut().reset(Instant::now() + wait);
        }
        let event = tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                Event::ShutdownRequested
            }
            () = &mut sleep, if deadline.is_some() => Event::TimePassed,
            Some(event) = queue.recv() => event,
            Ok(()) = configuration.changed() => {
                match configuration.borrow_and_update().clone() {
                    Some(text) => Event::ConfigurationRead(text),
                    None => continue,
                }
            }
            Ok(()) = hints.changed() => Event::StatusHinted,
        };
        let mut ended = body.handle(&mut machine, event);
        for _ in 0..BURST {
            let Ok(event) = queue.try_recv() else { break };
            ended |= body.handle(&mut machine, event);
        }
        if ended {
            body.leadership.close().await;
            return;
        }
    }
}

/// Everything that carries out effects.
struct Body {
    leadership: LeadershipTask,
    tenancy: Tenancy,
    reports: Arc<dyn Fn(&Report) + Send + Sync>,
}

impl Body {
    /// Feeds one event and carries out what follows; returns whether that was the end.
    fn handle(&mut self, machine: &mut CoordinatorState, event: Event) -> bool {
        // What extends authority opens the gate for longer, before anything else leaves.
        if let Event::LeadershipWon { tenure, authority } = &event {
            self.tenancy.won(*tenure, *authority);
        } else if let Event::AuthorityExtended { tenure, authority } = &event {
            self.tenancy.extended(*tenure, *authority);
        } else if let Event::CallAnswered {
            tenure, request, ..
        }
        | Event::HealthWatchEnded {
            tenure, request, ..
        }
        | Event::PushEnded {
            tenure, request, ..
        } = &event
        {
            self.tenancy.ended(*tenure, *request);
        }
        machine.handle(boottime(), event);
        self.carry_out_all(machine)
    }

    /// Carries out every effect; returns whether the last one was among them.
    fn carry_out_all(&mut self, machine: &mut CoordinatorState) -> bool {
        let mut ended = false;
        while let Some(effect) = machine.poll_effect() {
            ended |= self.carry_out(effect);
        }
        ended
    }

    /// Carries out one effect; returns whether it was the last.
    fn carry_out(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Call {
                tenure,
                request,
                server,
                call,
            } => {
                self.tenancy.call(tenure, request, server, call);
            }
            Effect::Campaign { tenure } => {
                self.tenancy.begin(tenure);
                self.leadership.campaign(tenure);
            }
            Effect::Cancel { tenure, request } => self.tenancy.cancel(tenure, request),
            Effect::CloseOffice { tenure } => {
                self.leadership.close_office();
                self.tenancy.close(tenure);
            }
            Effect::Exit => return true,
            Effect::ForgetServer { tenure, server } => self.tenancy.forget(tenure, &server),
            Effect::Load { tenure, request } => self.tenancy.load(tenure, request),
            Effect::PushAssignments {
                tenure,
                request,
                server,
                assignments,
            } => {
                self.tenancy.push(tenure, request, server, assignments);
            }
            Effect::ReadHead { tenure, request } => self.tenancy.read_head(tenure, request),
            Effect::Release { .. } => self.leadership.release(),
            Effect::Report(report) => (self.reports)(&report),
            Effect::OpenOffice {
                tenure,
                instance_id,
                ..
            } => {
                self.tenancy.open(tenure, instance_id);
            }
            Effect::Store {
                tenure,
                request,
                expected,
                document,
            } => {
                self.tenancy.store(tenure, request, expected, document);
            }
            Effect::WatchHealth {
                tenure,
                request,
                server,
            } => {
                self.tenancy.watch(tenure, request, server);
            }
        }
        false
    }
}

/// Said when an effect names a tenure that is over; the machine never asks for that.
fn stale(effect: &'static str) {
    warn!(effect, "An effect of an older tenure was not carried out");
}
