//! The event loop: one owner of the machine, which feeds it what happened and hands its effects to
//! tasks, by the rules of [`Tenancy`]. A task does one thing and reports back as an event; it never
//! touches the machine.
//!
//! Every queue is bounded. Tasks wait while the queue of events is full, so a burst of answers
//! slows the tasks down and loses nothing. The number of tasks is bounded by what the machine has
//! asked for: it has at most one call to each member of a shard's ensemble under way.

mod leadership;
mod requests;
mod tasks;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use stepdown_backends::{Backend, boottime};
use stepdown_core::tenancy::{Order, Tenancy};
use stepdown_core::{CoordinatorState, Effect, Event, Options, Report, ServerId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::leadership::LeadershipTask;
pub use self::requests::{Asked, Operator};
pub(crate) use self::requests::{Request, operator};
use self::tasks::Tasks;
pub use self::view::{ServerView, ServerViews, View};
use crate::configuration::Reading;
use crate::data_servers::CallOptions;

/// Events that may wait to be handled.
const QUEUE: usize = 4096;
/// Events handled in one turn, before deadlines are looked at again.
const BURST: usize = 256;

/// What one coordinator is made of.
pub struct Coordinator {
    /// The machine's options.
    pub options: Options,
    /// Where its status and its leadership live.
    pub backend: Backend,
    /// The configurations that are read.
    pub configuration: watch::Receiver<Reading>,
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
    /// What can be seen of the coordinator and asked of it as it runs, and the coordinator's own run,
    /// which ends when `stop` is cancelled and everything is closed.
    pub fn run(self) -> (Asked, impl Future<Output = ()> + Send) {
        let (view, receiver) = watch::channel(View::default());
        let (operator, requests) = operator();
        let asked = Asked {
            view: receiver,
            operator,
        };
        (asked, run(self, view, requests))
    }
}

async fn run(
    coordinator: Coordinator,
    view: watch::Sender<View>,
    mut requests: mpsc::Receiver<Request>,
) {
    let Coordinator {
        options,
        backend,
        mut configuration,
        servers,
        drain,
        reports,
        stop,
    } = coordinator;
    let (events, queue) = mpsc::channel(QUEUE);
    let mut machine = CoordinatorState::new(options, boottime());
    let mut driver = Driver {
        tenancy: Tenancy::new(drain),
        answers: VecDeque::new(),
        queue,
        leadership: LeadershipTask::start(backend.leadership.clone(), events.clone()),
        tasks: Tasks::new(
            backend.store.clone(),
            backend.configuration_store.clone(),
            servers,
            events,
        ),
        reports,
        giving_up: None,
    };
    driver.carry_out_all(&mut machine);
    configuration.mark_changed();
    let mut heard = Reading::default();
    let mut hints = backend.hints.watch();
    let mut stopping = false;
    let mut stopped = pin!(async {
        stop.cancelled().await;
        backend.leadership.prepare_release().await;
    });
    let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
    loop {
        view.send_if_modified(|view| view.update(&machine));
        let deadlines = [
            machine.poll_deadline().map(|(at, _)| at),
            driver.tenancy.deadline(),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        if let Some(at) = deadline {
            let wait = at.since(boottime());
            sleep.as_mut().reset(Instant::now() + wait);
        }
        let event = tokio::select! {
            biased;
            () = &mut stopped, if !stopping => {
                stopping = true;
                Event::ShutdownRequested
            }
            // Before time passes: what is held back is put in force by time alone, unless it has changed.
            Ok(()) = configuration.changed() => {
                let now = configuration.borrow_and_update().clone();
                let mut told: VecDeque<Event> = now.since(&heard).collect();
                heard = now;
                let Some(first) = told.pop_front() else { continue };
                // It follows before deadlines are looked at.
                driver.answers.extend(told);
                first
            }
            () = &mut sleep, if deadline.is_some() => Event::TimePassed,
            event = driver.next() => event,
            Ok(()) = hints.changed() => Event::StatusHinted,
            Some(request) = requests.recv() => match request {
                Request::GiveUp(server, answer) => {
                    driver.giving_up = Some((server.clone(), answer));
                    Event::ServerGivenUp { server }
                }
                Request::HeldBack(answer) => {
                    let _ = answer.send(machine.held_back());
                    continue;
                }
                Request::Survey(answer) => {
                    // Whoever asked may have gone.
                    let _ = answer.send(machine.survey());
                    continue;
                }
            },
        };
        let mut ended = driver.handle(&mut machine, event);
        // Where nothing came of it, that is heard so.
        driver.giving_up = None;
        for _ in 0..BURST {
            let Some(event) = driver.ready() else { break };
            ended |= driver.handle(&mut machine, event);
        }
        if ended {
            // Whoever looks until the process is gone must not see a leader.
            view.send_if_modified(|view| view.update(&machine));
            driver.leadership.close().await;
            return;
        }
    }
}

/// Everything that carries out effects.
struct Driver {
    tenancy: Tenancy,
    /// Answers that need no task.
    answers: VecDeque<Event>,
    queue: mpsc::Receiver<Event>,
    leadership: LeadershipTask,
    tasks: Tasks,
    reports: Arc<dyn Fn(&Report) + Send + Sync>,
    /// What is to be given up just now, and whoever asked for that.
    giving_up: Option<(ServerId, oneshot::Sender<()>)>,
}

impl Driver {
    /// The next event that the machine is to be told. It may be dropped: nothing is lost.
    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready() {
                return event;
            }
            let event = tokio::select! {
                Some(event) = self.queue.recv() => self.tenancy.heard(event),
                Some((request, end)) = self.tasks.next() => self.tenancy.ended(request, end),
            };
            self.tasks.set_gate(self.tenancy.gate());
            if let Some(event) = event {
                return event;
            }
        }
    }

    /// The next such event, if there is one already. It does not wait, and tokio's budget, which
    /// would break up the end of many tasks, does not count.
    fn ready(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.answers.pop_front() {
                return Some(event);
            }
            let event = if let Ok(event) = self.queue.try_recv() {
                self.tenancy.heard(event)
            } else if let Some((request, end)) = self.tasks.ready() {
                self.tenancy.ended(request, end)
            } else {
                return None;
            };
            // What extends authority opens the gate for longer, before anything else leaves.
            self.tasks.set_gate(self.tenancy.gate());
            if event.is_some() {
                return event;
            }
        }
    }

    /// Feeds one event and carries out what follows; returns whether that was the end.
    fn handle(&mut self, machine: &mut CoordinatorState, event: Event) -> bool {
        let now = boottime();
        for request in self.tenancy.time_passed(now) {
            self.tasks.abort(request);
        }
        machine.handle(now, event);
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
        match self.tenancy.handle(boottime(), effect) {
            Order::Abort(request) => self.tasks.abort(request),
            Order::Answer(event) => self.answers.push_back(event),
            Order::Begin(request, task) => self.tasks.begin(request, task),
            Order::Campaign(tenure) => {
                self.tasks.enter(tenure);
                self.leadership.campaign(tenure);
            }
            Order::Close { abort, drained } => {
                self.leadership.close_office();
                self.tasks.close(&abort);
                self.answers.extend(drained);
            }
            Order::Exit => return true,
            Order::Forget(address) => self.tasks.forget(&address),
            Order::Nothing => {}
            Order::OpenOffice { instance_id, .. } => {
                if let Err(error) = self.tasks.open(instance_id) {
                    // Every call then fails, and says so; the document has to be mended.
                    error!(%error, "No data server can be called");
                    self.tenancy.no_server_can_be_called(error.to_string());
                }
            }
            Order::Push(request, assignments) => self.tasks.push(request, assignments),
            Order::Release => self.leadership.release(),
            Order::Report(report) => {
                self.answer_for(&report);
                (self.reports)(&report);
            }
            Order::Stale(effect) => {
                warn!(effect, "An effect of an older tenure was not carried out");
            }
        }
        false
    }

    /// Tells whoever asked for it that a data server is given up.
    fn answer_for(&mut self, report: &Report) {
        let Report::ServerGivenUp { server: id } = report else {
            return;
        };
        if let Some((_, answer)) = self.giving_up.take_if(|(server, _)| server == id) {
            // He may have gone.
            let _ = answer.send(());
        }
    }
}
