//! The role machine: which event matters in which state. What is done about it is in `body`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a state leaves to its superstates ends in the exhaustive match of `anywhere`"
)]

use statig::prelude::*;

use super::body::{Body, Verdict};
use crate::event::Event;
use crate::report::Cause;

/// The role machine keeps nothing: everything that lasts is in [`Body`].
#[derive(Debug)]
pub(super) struct Core;

#[state_machine(
    initial = "State::campaigning()",
    state(derive(Clone, Debug, PartialEq, Eq)),
    visibility = "pub(super)"
)]
impl Core {
    /// A candidate that does not lead yet.
    #[state(superstate = "anywhere", entry_action = "campaign")]
    fn campaigning(context: &mut Body, event: &Event) -> Outcome<State> {
        match event {
            Event::LeadershipWon { tenure, authority } if context.is_current(*tenure) => {
                context.won(*authority);
                Transition(State::loading())
            }
            Event::TimePassed => {
                context.campaign_if_due();
                Handled
            }
            _ => Super,
        }
    }

    /// A candidate that reads the document afresh.
    #[state(superstate = "elected", entry_action = "load")]
    fn loading(context: &mut Body, event: &Event) -> Outcome<State> {
        if context.must_leave().is_some() {
            return Super;
        }
        match event {
            Event::Loaded {
                tenure,
                request,
                outcome,
            } if context.is_loading(*tenure, *request) => {
                if context.loaded(outcome) {
                    Transition(State::fencing())
                } else {
                    Handled
                }
            }
            Event::TimePassed => {
                context.load_if_due();
                Handled
            }
            _ => Super,
        }
    }

    /// A candidate whose fencing write is on its way.
    #[state(superstate = "elected")]
    fn fencing(context: &mut Body, event: &Event) -> Outcome<State> {
        if context.must_leave().is_some() {
            return Super;
        }
        match context.fence(event) {
            Verdict::Again => Transition(State::loading()),
            Verdict::Done => Transition(State::leading()),
            Verdict::Ignored => Super,
            Verdict::Noted => Handled,
            Verdict::StepDown(cause, reason) => step_down(context, cause, &reason),
        }
    }

    /// The leader.
    #[state(superstate = "elected", entry_action = "open_office")]
    fn leading(context: &mut Body, event: &Event) -> Outcome<State> {
        if context.must_leave().is_some() {
            return Super;
        }
        match context.lead(event) {
            Verdict::Again | Verdict::Done | Verdict::Noted => Handled,
            Verdict::Ignored => Super,
            Verdict::StepDown(cause, reason) => step_down(context, cause, &reason),
        }
    }

    /// The office is closed and being emptied. Nothing is begun here.
    #[state]
    fn stepping_down(context: &mut Body, event: &Event) -> Outcome<State> {
        match event {
            Event::ConfigurationRead(text) => {
                context.configure(text);
                Handled
            }
            Event::Drained { tenure } if context.is_current(*tenure) => {
                if context.drained() {
                    Transition(State::stopped())
                } else {
                    Transition(State::campaigning())
                }
            }
            Event::ShutdownRequested => {
                context.stop();
                Handled
            }
            Event::AuthorityExtended { .. }
            | Event::CallAnswered { .. }
            | Event::Drained { .. }
            | Event::HeadRead { .. }
            | Event::HealthObserved { .. }
            | Event::HealthWatchEnded { .. }
            | Event::LeadershipLost { .. }
            | Event::LeadershipWon { .. }
            | Event::Loaded { .. }
            | Event::PushEnded { .. }
            | Event::StatusHinted
            | Event::StoreEnded { .. }
            | Event::TimePassed => Handled,
        }
    }

    /// The process ends; nothing happens any more.
    #[state]
    fn stopped() -> Outcome<State> {
        Handled
    }

    /// Whoever won a campaign holds it until the authority ends, unless no office comes of it.
    #[superstate(superstate = "anywhere")]
    fn elected(context: &mut Body, event: &Event) -> Outcome<State> {
        let Some((cause, reason)) = context.must_leave() else {
            return Super;
        };
        // These come once, and what they say lasts beyond the office.
        match event {
            Event::ConfigurationRead(text) => context.configure(text),
            Event::ShutdownRequested => context.stop(),
            _ => {}
        }
        step_down(context, cause, &reason)
    }

    /// What means the same to every candidate and leader. The match is exhaustive, so that a new
    /// event must be placed.
    #[superstate]
    fn anywhere(context: &mut Body, event: &Event) -> Outcome<State> {
        match event {
            Event::ConfigurationRead(text) => {
                context.configure(text);
                Handled
            }
            Event::LeadershipLost { tenure, reason } if context.is_current(*tenure) => {
                step_down(context, Cause::LeadershipLost, reason)
            }
            Event::ShutdownRequested => {
                context.stop();
                step_down(context, Cause::Shutdown, "the process was asked to stop")
            }
            Event::AuthorityExtended { .. }
            | Event::CallAnswered { .. }
            | Event::Drained { .. }
            | Event::HeadRead { .. }
            | Event::HealthObserved { .. }
            | Event::HealthWatchEnded { .. }
            | Event::LeadershipLost { .. }
            | Event::LeadershipWon { .. }
            | Event::Loaded { .. }
            | Event::PushEnded { .. }
            | Event::StatusHinted
            | Event::StoreEnded { .. }
            | Event::TimePassed => Handled,
        }
    }

    #[action]
    fn campaign(context: &mut Body) {
        context.campaign_if_due();
    }

    #[action]
    fn load(context: &mut Body) {
        context.load();
    }

    #[action]
    fn open_office(context: &mut Body) {
        context.open_office();
    }
}

fn step_down(context: &mut Body, cause: Cause, reason: &str) -> Outcome<State> {
    context.close_office(cause, reason);
    Transition(State::stepping_down())
}
