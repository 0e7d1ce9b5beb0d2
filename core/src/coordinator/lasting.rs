//! What lasts from role to role, and what leads out of every role.

use std::sync::Arc;

use super::authority::Authority;
use super::stepping_down::Leaving;
use crate::backoff::Backoff;
use crate::cluster::{ClusterConfiguration, ClusterStatus};
use crate::context::Context;
use crate::event::Event;
use crate::id::{ProcessId, Timestamp};
use crate::report::{Cause, Report};

#[derive(Clone, Debug)]
pub(super) struct Lasting {
    pub(super) process: ProcessId,
    pub(super) configuration: Option<Arc<ClusterConfiguration>>,
    /// The good one that was read before that.
    pub(super) earlier: Option<Arc<ClusterConfiguration>>,
    /// What was read last is none: the configuration is an earlier one.
    pub(super) is_refused: bool,
    /// Between campaigns.
    pub(super) backoff: Backoff,
    pub(super) stopping: bool,
    /// The status that this process knew to be stored when it led last.
    pub(super) known: Option<Arc<ClusterStatus>>,
}

/// What an event says of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Good,
    Refused,
    SomethingElse,
}

impl Lasting {
    pub(super) fn new(process: ProcessId) -> Self {
        Self {
            process,
            configuration: None,
            earlier: None,
            is_refused: false,
            backoff: Backoff::default(),
            stopping: false,
            known: None,
        }
    }

    /// Why whoever campaigns or leads has to leave, if the event says so.
    pub(super) fn asked_to_leave(
        &mut self,
        event: &Event,
        context: &Context,
    ) -> Option<(Cause, String)> {
        if let Event::LeadershipLost { tenure, reason } = event
            && *tenure == context.tenure
        {
            return Some((Cause::LeadershipLost, reason.clone()));
        }
        if *event != Event::ShutdownRequested {
            return None;
        }
        self.stopping = true;
        let reason = "the process was asked to stop".to_owned();
        Some((Cause::Shutdown, reason))
    }

    /// Why whoever has won a campaign can't go on, if it can't: by the time alone, which comes
    /// before anything that the event says, or as the event says so. `overdue` is why it has taken
    /// too long over what it is at, if it has.
    pub(super) fn must_leave(
        &mut self,
        authority: &mut Authority,
        overdue: Option<(Cause, String)>,
        event: &Event,
        context: &mut Context,
    ) -> Option<(Cause, String)> {
        authority.hear(event, context.tenure);
        let Some(why) = authority.ended(context.now).or(overdue) else {
            return self.asked_to_leave(event, context);
        };
        // These come once, and what they say lasts beyond the office.
        self.configure(event, context);
        if *event == Event::ShutdownRequested {
            self.stopping = true;
        }
        Some(why)
    }

    /// Takes in what was read, unless it is a bad one: then the last good one stays.
    pub(super) fn configure(&mut self, event: &Event, context: &mut Context) -> Heard {
        let (source, read) = if let Event::ConfigurationRead(text) = event {
            let read = ClusterConfiguration::read(text.text.as_deref());
            (&text.source, read.map_err(|error| error.to_string()))
        } else if let Event::ConfigurationRefused { source, reason } = event {
            (source, Err(reason.clone()))
        } else {
            return Heard::SomethingElse;
        };
        let source = source.clone();
        self.is_refused = read.is_err();
        match read {
            Ok(configuration) => {
                if self.configuration.as_deref() != Some(&configuration) {
                    self.earlier = self.configuration.replace(Arc::new(configuration));
                }
                context.report(Report::ConfigurationApplied { source });
                Heard::Good
            }
            Err(reason) => {
                context.report(Report::ConfigurationRejected {
                    source,
                    reason,
                    keeps_last: self.configuration.is_some(),
                });
                Heard::Refused
            }
        }
    }

    pub(super) fn next_campaign(&mut self, leaving: &Leaving, context: &mut Context) -> Timestamp {
        let (first, most) = (context.timing.campaign_first, context.timing.campaign_most);
        let wait = if leaving.gives_way() {
            most
        } else {
            self.backoff.full_jitter(first, most, &mut context.rng)
        };
        context.now.after(wait)
    }
}
