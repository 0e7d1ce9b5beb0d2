//! The task that drives the election: it owns the machine, carries out what that asks for, and
//! tells of what became of it.

use std::collections::VecDeque;
use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease as Object;
use stepdown_core::lease::{
    LeaseEffect, LeaseEvent, LeaseReading, LeaseReport, LeaseState, LeaseWriting,
};
use stepdown_core::{Epoch, Timestamp, Version};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::client::LeaseClient;
use super::object::{Introduction, decode, introduction};
use super::request::{answer, read, write};
use super::vacancy::Vacancy;
use crate::clock::boottime;
use crate::configmap::watch::Seen;

/// Objects kept, so that what others have added to them survives our writes.
const KEPT: usize = 4;

/// What the task is asked for.
pub(super) enum Order {
    /// Campaign, under this number.
    Campaign(u64),
    /// Renew nothing more, and bid for nothing.
    Close,
    /// Give back what is held, and say when that is done.
    Release(oneshot::Sender<()>),
}

/// What is known of the election.
#[derive(Clone, Debug, Default)]
pub(super) struct Election {
    /// The number of the last campaign, so that each knows what is its own.
    pub(super) campaign: u64,
    pub(super) standing: Standing,
    /// Who held the lease when it was seen last.
    pub(super) holder: Option<Arc<str>>,
}

/// How a campaign stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    None,
    Held {
        authority: Timestamp,
    },
    Lost {
        reason: String,
    },
}

/// Everything that the task works with.
pub(super) struct Task {
    pub(super) machine: LeaseState,
    pub(super) client: LeaseClient,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    /// What a watch shows, if there is one.
    pub(super) seen: watch::Receiver<Option<Seen<Object>>>,
    /// Whether that watch is alive.
    pub(super) alive: watch::Receiver<bool>,
    /// Changes when another coordinator tells that it has left.
    pub(super) hints: watch::Receiver<u64>,
    pub(super) epochs: watch::Receiver<Epoch>,
    pub(super) election: watch::Sender<Election>,
    /// Who held the lease when it was seen last, if they say where people reach them.
    pub(super) introduced: watch::Sender<Option<Introduction>>,
    pub(super) vacancy: Vacancy,
    pub(super) objects: VecDeque<Object>,
    pub(super) released: Vec<oneshot::Sender<()>>,
    /// Why the lease can't be had, where only a person can change that, or nobody has for a while.
    pub(super) complaint: watch::Sender<Option<Arc<str>>>,
    /// Whether the last write of it was refused, and not only unheard: what can be read may still be
    /// nobody's to have.
    pub(super) may_not_write: bool,
}

impl Task {
    /// Runs until nobody can ask for anything any more.
    pub(super) async fn run(mut self) {
        // One request is under way at a time.
        let (answers, mut answered) = mpsc::channel(1);
        loop {
            self.carry_out_all(&answers).await;
            let deadline = self.machine.poll_deadline().map(|(at, _)| at);
            let event = tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some((event, object)) = answered.recv() => {
                    self.keep(object);
                    self.hear(&event);
                    event
                }
                Ok(()) = self.seen.changed() => match self.show() {
                    Some(event) => event,
                    None => continue,
                },
                Ok(()) = self.alive.changed() => LeaseEvent::LeaseHinted,
                Ok(()) = self.hints.changed() => LeaseEvent::LeaseHinted,
                Ok(()) = self.epochs.changed() => {
                    LeaseEvent::EpochRaised(*self.epochs.borrow_and_update())
                }
                () = wait(deadline) => LeaseEvent::TimePassed,
            };
            self.machine.handle(boottime(), event);
        }
    }

    fn obey(&mut self, order: Order) -> LeaseEvent {
        match order {
            Order::Campaign(number) => {
                self.election.send_modify(|election| {
                    election.campaign = number;
                    election.standing = Standing::None;
                });
                LeaseEvent::CampaignRequested
            }
            Order::Close => LeaseEvent::OfficeClosed,
            Order::Release(done) => {
                self.released.push(done);
                LeaseEvent::ReleaseRequested
            }
        }
    }

    fn show(&mut self) -> Option<LeaseEvent> {
        let seen = self.seen.borrow_and_update().clone()?;
        Some(LeaseEvent::LeaseObserved(match seen {
            Seen::Absent => None,
            Seen::Present(object) => {
                let lease = decode(&object);
                self.keep(Some(object));
                Some(lease)
            }
        }))
    }

    async fn carry_out_all(&mut self, answers: &mpsc::Sender<(LeaseEvent, Option<Object>)>) {
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                LeaseEffect::Read { request, deadline } => {
                    let client = self.client.clone();
                    answer(answers, read(client, request, deadline));
                }
                LeaseEffect::Report(report) => self.report(report).await,
                LeaseEffect::Write {
                    request,
                    expected,
                    record,
                    deadline,
                } => {
                    let before = self.kept(expected.as_ref());
                    let client = self.client.clone();
                    answer(answers, write(client, request, before, record, deadline));
                }
            }
        }
    }

    async fn report(&mut self, report: LeaseReport) {
        match report {
            LeaseReport::CoolingDown { wait } => tracing::warn!(
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                "Leadership was lost too often lately: another candidate goes first"
            ),
            LeaseReport::Extended { authority } | LeaseReport::Won { authority } => {
                self.complaint.send_replace(None);
                self.stand(Standing::Held { authority });
            }
            LeaseReport::HolderChanged { holder } => {
                let holder = Some(holder).filter(|holder| !holder.is_empty());
                match &holder {
                    Some(holder) => tracing::info!(%holder, "The lease is held"),
                    None => tracing::info!("The lease is held by nobody"),
                }
                self.election
                    .send_modify(|election| election.holder = holder);
            }
            LeaseReport::Lost { reason } => {
                let reason = format!("{}: {reason}", self.client.lease());
                self.stand(Standing::Lost { reason });
            }
            LeaseReport::Refused { reason } => self.complain(reason),
            LeaseReport::Released { given_back } => {
                if given_back {
                    let is_watched = *self.alive.borrow();
                    self.vacancy.announce(is_watched).await;
                }
                for done in self.released.drain(..) {
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
            }
        }
    }

    fn stand(&self, standing: Standing) {
        self.election
            .send_modify(|election| election.standing = standing);
    }

    /// Says once what keeps coming back.
    fn complain(&mut self, reason: String) {
        let is_new = self.complaint.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(reason.as_str());
            *known = Some(reason.as_str().into());
            is_new
        });
        if is_new {
            tracing::warn!(%reason, "The lease can't be read or written; it is tried again");
        }
    }

    /// Takes a complaint back where an answer shows that it does not hold any more.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only answers of the API server show that"
    )]
    fn hear(&mut self, event: &LeaseEvent) {
        match event {
            LeaseEvent::LeaseWritten { outcome, .. } => {
                self.may_not_write = matches!(outcome, LeaseWriting::Refused(_));
            }
            LeaseEvent::LeaseRead {
                outcome: LeaseReading::Absent { .. } | LeaseReading::Found(_),
                ..
            } if !self.may_not_write => {
                self.complaint.send_replace(None);
            }
            _ => {}
        }
    }

    fn keep(&mut self, object: Option<Object>) {
        if let Some(object) = &object {
            self.introduced.send_replace(introduction(object));
        }
        self.objects.extend(object);
        while self.objects.len() > KEPT {
            self.objects.pop_front();
        }
    }

    /// The object of that version; a bare one if it was forgotten.
    fn kept(&self, version: Option<&Version>) -> Option<Object> {
        let version = version?;
        let is_it =
            |object: &&Object| object.metadata.resource_version.as_deref() == Some(&*version.0);
        let found = self.objects.iter().rev().find(is_it).cloned();
        Some(found.unwrap_or_else(|| {
            let mut object = Object::default();
            object.metadata.resource_version = Some(version.to_string());
            object
        }))
    }
}

async fn wait(deadline: Option<Timestamp>) {
    match deadline {
        Some(at) => sleep_until(Instant::now() + at.since(boottime())).await,
        None => std::future::pending().await,
    }
}
