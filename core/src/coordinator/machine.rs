//! The machine of the roles. Each state owns what exists only in it; [`Lasting`] keeps what lasts.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a state leaves to its superstate ends in the exhaustive match of `anywhere`"
)]

use statig::prelude::*;

use super::authority::Authority;
use super::candidate::{Approach, Fenced, Load};
use super::lasting::{Heard, Lasting};
use super::leader::{Led, lead, useless};
use super::stepping_down::Leaving;
use crate::context::Context;
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, Timestamp};
use crate::ledger::Ledger;
use crate::office::Office;
use crate::report::{Cause, Report, Role};
use crate::shard::Intent;

#[state_machine(
    initial = "State::campaigning(Some(Timestamp::default()))",
    state(derive(Clone, Debug)),
    visibility = "pub(super)"
)]
impl Lasting {
    /// A candidate that does not lead yet; its campaign begins at `due`, and has begun if that is
    /// not set.
    #[state(superstate = "anywhere", entry_action = "campaign")]
    fn campaigning(
        &mut self,
        due: &mut Option<Timestamp>,
        context: &mut Context,
        event: &Event,
    ) -> Outcome<State> {
        if let Some(why) = self.asked_to_leave(event, context) {
            return step_down(Role::Candidate, None, why, context);
        }
        match event {
            Event::LeadershipWon { tenure, authority } if *tenure == context.tenure => {
                let authority = Authority::until(*authority);
                let approach = Approach::new(context);
                Transition(State::loading(authority, approach, Load::default()))
            }
            Event::TimePassed => {
                self.campaign(due, context);
                Handled
            }
            _ => Super,
        }
    }

    /// A candidate that reads the document afresh.
    #[state(superstate = "anywhere", entry_action = "load")]
    fn loading(
        &mut self,
        authority: &mut Authority,
        approach: &mut Approach,
        load: &mut Load,
        context: &mut Context,
        event: &Event,
    ) -> Outcome<State> {
        if let Some(why) = self.must_leave(authority, approach.overdue(context), event, context) {
            return step_down(Role::Candidate, None, why, context);
        }
        match event {
            Event::Loaded {
                tenure,
                request,
                outcome,
            } if load.is_asked(*tenure, *request, context) => {
                match approach.loaded(load, outcome, self, context) {
                    Some(ledger) => {
                        let approach = std::mem::take(approach);
                        Transition(State::fencing(*authority, approach, ledger))
                    }
                    None => Handled,
                }
            }
            Event::TimePassed => {
                load.begin_if_due(context);
                Handled
            }
            _ => Super,
        }
    }

    /// A candidate whose fencing write is on its way.
    #[state(superstate = "anywhere", entry_action = "fence")]
    fn fencing(
        &mut self,
        authority: &mut Authority,
        approach: &mut Approach,
        ledger: &mut Box<Ledger<Intent>>,
        context: &mut Context,
        event: &Event,
    ) -> Outcome<State> {
        let epoch = Some(ledger.epoch());
        if let Some(why) = self.must_leave(authority, approach.overdue(context), event, context) {
            return step_down(Role::Candidate, epoch, why, context);
        }
        match approach.fenced(ledger, event, context) {
            Fenced::Again => {
                let (authority, approach) = (*authority, std::mem::take(approach));
                Transition(State::loading(authority, approach, Load::default()))
            }
            Fenced::Done => {
                let office = Office::new(std::mem::take(ledger), context);
                Transition(State::leading(*authority, Box::new(office)))
            }
            Fenced::Open => {
                ledger.work(context);
                Super
            }
            Fenced::Refused(cause, reason) => {
                step_down(Role::Candidate, epoch, (cause, reason), context)
            }
        }
    }

    /// The leader.
    #[state(
        superstate = "anywhere",
        entry_action = "open_office",
        exit_action = "leave_office"
    )]
    fn leading(
        &mut self,
        authority: &mut Authority,
        office: &mut Box<Office>,
        context: &mut Context,
        event: &Event,
    ) -> Outcome<State> {
        let epoch = Some(office.ledger.epoch());
        if let Some(why) = self.must_leave(authority, useless(office, context), event, context) {
            return step_down(Role::Leader, epoch, why, context);
        }
        let outcome = match self.configure(event, context) {
            Heard::Good => {
                office.reconcile(self.configuration.clone(), context);
                Handled
            }
            Heard::Refused => {
                if office.let_go_of_what_is_held() {
                    self.configuration = office.configuration.clone();
                }
                Handled
            }
            Heard::SomethingElse => match lead(office, event, context) {
                Led::On => Handled,
                Led::Past => Super,
                Led::Over(cause, reason) => {
                    return step_down(Role::Leader, epoch, (cause, reason), context);
                }
            },
        };
        office.ledger.work(context);
        outcome
    }

    /// The office is closed and being emptied. Nothing is begun here.
    #[state(superstate = "anywhere")]
    fn stepping_down(
        &mut self,
        leaving: &mut Leaving,
        context: &mut Context,
        event: &Event,
    ) -> Outcome<State> {
        match event {
            Event::Drained { tenure } if *tenure == context.tenure => {
                leaving.end(context);
                if self.stopping {
                    return Transition(State::stopped());
                }
                context.tenure = context.tenure.next();
                Transition(State::campaigning(Some(
                    self.next_campaign(leaving, context),
                )))
            }
            Event::ShutdownRequested => {
                self.stopping = true;
                Handled
            }
            _ => Super,
        }
    }

    /// The process ends; nothing happens any more.
    #[state(entry_action = "exit")]
    fn stopped() -> Outcome<State> {
        Handled
    }

    /// What means the same in every role. The match is exhaustive, so that a new event must be
    /// placed.
    #[superstate]
    fn anywhere(&mut self, context: &mut Context, event: &Event) -> Outcome<State> {
        match event {
            Event::ConfigurationRead(_) | Event::ConfigurationRefused { .. } => {
                self.configure(event, context);
            }
            Event::AuthorityExtended { .. }
            | Event::CallAnswered { .. }
            | Event::ConfigurationFound { .. }
            | Event::Drained { .. }
            | Event::HeadRead { .. }
            | Event::HealthObserved { .. }
            | Event::HealthWatchEnded { .. }
            | Event::LeadershipLost { .. }
            | Event::LeadershipWon { .. }
            | Event::Loaded { .. }
            | Event::PushEnded { .. }
            | Event::ServerGivenUp { .. }
            | Event::ShutdownRequested
            | Event::StatusHinted
            | Event::StoreEnded { .. }
            | Event::TimePassed => {}
        }
        Handled
    }

    #[action]
    fn campaign(&mut self, due: &mut Option<Timestamp>, context: &mut Context) {
        if due.is_some_and(|due| due <= context.now) {
            *due = None;
            context.emit(Effect::Campaign {
                tenure: context.tenure,
            });
        }
    }

    #[action]
    fn load(load: &mut Load, context: &mut Context) {
        load.begin(context);
    }

    #[action]
    fn fence(ledger: &mut Box<Ledger<Intent>>, context: &mut Context) {
        ledger.work(context);
    }

    #[action]
    fn open_office(&mut self, office: &mut Box<Office>, context: &mut Context) {
        let epoch = office.ledger.epoch();
        context.report(Report::RoleChanged {
            tenure: context.tenure,
            from: Role::Candidate,
            to: Role::Leader,
            cause: None,
            reason: "the fencing write is durable".to_owned(),
            took: None,
            epoch: Some(epoch),
        });
        context.emit(Effect::OpenOffice {
            tenure: context.tenure,
            epoch,
            instance_id: office.ledger.accepted().instance_id.clone(),
        });
        office.open(self.configuration.clone(), context);
        // What it was held back for may have been mended, and not well: then it is as if that had not been read.
        if self.is_refused && office.let_go_of_what_is_held() {
            self.configuration = self.earlier.take();
            if self.configuration.is_some() {
                office.reconcile(self.configuration.clone(), context);
                office.let_go_of_what_is_held();
            }
        }
        office.ledger.work(context);
    }

    #[action]
    fn leave_office(&mut self, office: &mut Box<Office>, context: &mut Context) {
        if context.now.since(office.since()) >= context.timing.campaign_forget {
            self.backoff.reset();
        }
        self.known = Some(office.ledger.accepted().clone());
    }

    #[action]
    fn exit(context: &mut Context) {
        context.emit(Effect::Exit);
    }
}

fn step_down(
    from: Role,
    epoch: Option<Epoch>,
    why: (Cause, String),
    context: &mut Context,
) -> Outcome<State> {
    let leaving = Leaving::begin(from, epoch, why, context);
    Transition(State::stepping_down(leaving))
}
