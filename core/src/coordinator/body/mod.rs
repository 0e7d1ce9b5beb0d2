//! What the role machine acts on: the campaign, the load, the ledger of the fencing write, and the
//! office.

mod candidacy;
mod tenancy;

use std::sync::Arc;

use super::Reason;
use crate::backoff::Backoff;
use crate::cluster::ClusterConfiguration;
use crate::context::Context;
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{ProcessId, RequestId, Tenure, Timestamp};
use crate::ledger::{Conclusion, Ledger};
use crate::office::Office;
use crate::options::Options;
use crate::report::{Cause, Report, Role};
use crate::shard::Intent;

/// Everything but the role.
#[derive(Debug)]
pub(in crate::coordinator) struct Body {
    process: ProcessId,
    context: Context,
    configuration: Option<Arc<ClusterConfiguration>>,
    campaign: Campaign,
    authority: Option<Timestamp>,
    load: Load,
    stage: Stage,
    stopping: bool,
}

#[derive(Debug)]
struct Campaign {
    /// When the present one begins; `None` once it has.
    at: Option<Timestamp>,
    backoff: Backoff,
    fencing_attempts: u32,
    /// When to give leadership back; `None` before it is won, and in office.
    office_due: Option<Timestamp>,
    /// What has kept it from office.
    problem: Option<String>,
}

#[derive(Debug, Default)]
struct Load {
    request: Option<RequestId>,
    due: Option<Timestamp>,
    backoff: Backoff,
}

/// What there is to work on.
#[derive(Debug)]
enum Stage {
    Nothing,
    Fencing(Box<Ledger<Intent>>),
    Office {
        office: Box<Office>,
        since: Timestamp,
    },
    Closed {
        since: Timestamp,
        cause: Cause,
    },
}

/// What an event means for the role.
pub(in crate::coordinator) enum Verdict {
    /// The fencing write was refused: load again.
    Again,
    /// The fencing write is durable.
    Done,
    /// The event concerns another state.
    Ignored,
    /// The event was taken in.
    Noted,
    StepDown(Cause, String),
}

impl Body {
    pub(in crate::coordinator) fn new(options: Options, now: Timestamp) -> Self {
        let mut context = Context::new(options.timing, options.seed, now);
        context.tenure = context.tenure.next();
        Self {
            process: options.process,
            context,
            configuration: None,
            campaign: Campaign {
                at: Some(now),
                backoff: Backoff::default(),
                fencing_attempts: 0,
                office_due: None,
                problem: None,
            },
            authority: None,
            load: Load::default(),
            stage: Stage::Nothing,
            stopping: false,
        }
    }

    pub(in crate::coordinator) fn tenure(&self) -> Tenure {
        self.context.tenure
    }

    pub(in crate::coordinator) fn is_current(&self, tenure: Tenure) -> bool {
        self.context.tenure == tenure
    }

    pub(in crate::coordinator) fn office(&self) -> Option<&Office> {
        match &self.stage {
            Stage::Office { office, .. } => Some(office),
            Stage::Nothing | Stage::Fencing(_) | Stage::Closed { .. } => None,
        }
    }

    pub(in crate::coordinator) fn poll_effect(&mut self) -> Option<Effect> {
        self.context.poll_effect()
    }

    /// Before the event is handled: the time, and authority that was confirmed in the meantime.
    pub(in crate::coordinator) fn arrive(&mut self, now: Timestamp, event: &Event) {
        self.context.now = self.context.now.max(now);
        if let Event::AuthorityExtended { tenure, authority } = event
            && self.is_current(*tenure)
        {
            self.authority = self.authority.map(|before| before.max(*authority));
        }
    }

    /// After the event was handled: the store gets what is ready for it.
    pub(in crate::coordinator) fn work(&mut self) {
        match &mut self.stage {
            Stage::Fencing(ledger) => ledger.work(&mut self.context),
            Stage::Office { office, .. } => office.ledger.work(&mut self.context),
            Stage::Nothing | Stage::Closed { .. } => {}
        }
    }

    fn report_role(
        &mut self,
        from: Role,
        to: Role,
        cause: Option<Cause>,
        reason: &str,
        took: Option<std::time::Duration>,
    ) {
        let epoch = match &self.stage {
            Stage::Fencing(ledger) => Some(ledger.epoch()),
            Stage::Office { office, .. } => Some(office.ledger.epoch()),
            Stage::Nothing | Stage::Closed { .. } => None,
        };
        let (tenure, reason) = (self.context.tenure, reason.to_owned());
        self.context.report(Report::RoleChanged {
            tenure,
            from,
            to,
            cause,
            reason,
            took,
            epoch,
        });
    }
}

/// What an answer of the store concludes, if the event is one.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is ignored here ends in the role machine's exhaustive match"
)]
fn conclude(
    ledger: &mut Ledger<Intent>,
    event: &Event,
    context: &mut Context,
) -> Option<Conclusion<Intent>> {
    match event {
        Event::StoreEnded {
            tenure,
            request,
            outcome,
        } if *tenure == context.tenure => {
            Some(ledger.store_ended(*request, outcome.clone(), context))
        }
        Event::HeadRead {
            tenure,
            request,
            outcome,
        } if *tenure == context.tenure => {
            Some(ledger.head_read(*request, outcome.clone(), context))
        }
        _ => None,
    }
}

fn earliest<const N: usize>(
    deadlines: [Option<(Timestamp, Reason)>; N],
) -> Option<(Timestamp, Reason)> {
    deadlines.into_iter().flatten().min()
}
