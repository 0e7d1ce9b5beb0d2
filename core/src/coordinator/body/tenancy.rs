//! In office, and out of it: open, lead, close, empty.

use std::sync::Arc;

use super::{Body, Load, Stage, Verdict, conclude, earliest};
use crate::cluster::ClusterConfiguration;
use crate::context::Context;
use crate::coordinator::Reason;
use crate::effect::Effect;
use crate::event::{ConfigurationText, Event};
use crate::id::Timestamp;
use crate::ledger::Conclusion;
use crate::office::Office;
use crate::report::{Cause, Report, Role};

impl Body {
    pub(in crate::coordinator) fn open_office(&mut self) {
        let reason = "the fencing write is durable";
        self.report_role(Role::Candidate, Role::Leader, None, reason, None);
        let stage = std::mem::replace(&mut self.stage, Stage::Nothing);
        let Stage::Fencing(ledger) = stage else {
            return;
        };
        self.campaign.office_due = None;
        let (tenure, epoch) = (self.context.tenure, ledger.epoch());
        let instance_id = ledger.accepted().instance_id.clone();
        self.context.emit(Effect::OpenOffice {
            tenure,
            epoch,
            instance_id,
        });
        let office = Office::open(*ledger, self.configuration.clone(), &mut self.context);
        self.stage = Stage::Office {
            office: Box::new(office),
            since: self.context.now,
        };
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is ignored here ends in the role machine's exhaustive match"
    )]
    pub(in crate::coordinator) fn lead(&mut self, event: &Event) -> Verdict {
        let Stage::Office { office, .. } = &mut self.stage else {
            return Verdict::Ignored;
        };
        let context = &mut self.context;
        if let Some(conclusion) = conclude(&mut office.ledger, event, context) {
            match conclusion {
                Conclusion::Accepted(acceptances) => office.accepted(acceptances, context),
                Conclusion::Conflict(reason) => return Verdict::StepDown(Cause::Conflict, reason),
                Conclusion::Nothing => {}
                Conclusion::Refused(reason) => {
                    return Verdict::StepDown(Cause::StoreRefused, reason);
                }
                Conclusion::Rejected { namespaces, reason } => {
                    office.rejected(&namespaces, &reason, context);
                }
            }
            return Verdict::Noted;
        }
        match event {
            Event::CallAnswered {
                tenure,
                request,
                result,
            } if *tenure == context.tenure => {
                office.call_answered(*request, result.clone(), context);
            }
            Event::HealthObserved {
                tenure,
                request,
                serving,
            } if *tenure == context.tenure => {
                office.health_observed(*request, *serving, context);
            }
            Event::HealthWatchEnded {
                tenure,
                request,
                error,
            } if *tenure == context.tenure => {
                office.watch_ended(*request, error, context);
            }
            Event::PushEnded {
                tenure, request, ..
            } if *tenure == context.tenure => {
                office.push_ended(*request, context);
            }
            Event::StatusHinted => office.ledger.hint(context),
            Event::TimePassed => office.time_passed(context),
            _ => return Verdict::Ignored,
        }
        Verdict::Noted
    }

    pub(in crate::coordinator) fn office_deadline(&self) -> Option<(Timestamp, Reason)> {
        let timing = &self.context.timing;
        let (store, controllers) = match &self.stage {
            Stage::Fencing(ledger) => (ledger.deadline(timing), None),
            Stage::Office { office, .. } => (office.ledger.deadline(timing), office.deadline()),
            Stage::Nothing | Stage::Closed { .. } => (None, None),
        };
        earliest([
            self.leave_deadline(),
            store.map(|at| (at, Reason::Store)),
            controllers.map(|at| (at, Reason::Controllers)),
        ])
    }

    /// Puts a configuration into force, unless it is a bad one: then the last good one stays.
    pub(in crate::coordinator) fn configure(&mut self, text: &ConfigurationText) {
        let source = text.source.clone();
        match ClusterConfiguration::read(text.text.as_deref()) {
            Ok(configuration) => {
                let configuration = Arc::new(configuration);
                self.configuration = Some(configuration.clone());
                self.context.report(Report::ConfigurationApplied { source });
                if let Stage::Office { office, .. } = &mut self.stage {
                    office.reconcile(Some(configuration), &mut self.context);
                }
            }
            Err(error) => {
                let reason = error.to_string();
                self.context
                    .report(Report::ConfigurationRejected { source, reason });
            }
        }
    }

    pub(in crate::coordinator) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Nothing of this tenure leaves any more from here on, not even what was not polled yet.
    pub(in crate::coordinator) fn close_office(&mut self, cause: Cause, reason: &str) {
        let from = match &self.stage {
            Stage::Office { since, .. } => {
                if self.context.now.since(*since) >= self.context.timing.campaign_forget {
                    self.campaign.backoff.reset();
                }
                Role::Leader
            }
            Stage::Nothing | Stage::Fencing(_) | Stage::Closed { .. } => Role::Candidate,
        };
        self.context.close_office();
        self.report_role(from, Role::SteppingDown, Some(cause), reason, None);
        self.stage = Stage::Closed {
            since: self.context.now,
            cause,
        };
        self.load = Load::default();
        self.authority = None;
        self.campaign.office_due = None;
        self.context.emit(Effect::CloseOffice {
            tenure: self.context.tenure,
        });
    }

    /// The office is empty: leadership is given back. Returns whether this was the last tenure.
    pub(in crate::coordinator) fn drained(&mut self) -> bool {
        let (took, cause) = match &self.stage {
            Stage::Closed { since, cause } => (Some(self.context.now.since(*since)), Some(*cause)),
            Stage::Nothing | Stage::Fencing(_) | Stage::Office { .. } => (None, None),
        };
        self.stage = Stage::Nothing;
        let reason = "every task of the tenure has ended";
        self.report_role(Role::SteppingDown, Role::Candidate, None, reason, took);
        self.context.emit(Effect::Release {
            tenure: self.context.tenure,
        });
        if self.stopping {
            self.context.emit(Effect::Exit);
            return true;
        }
        self.context.tenure = self.context.tenure.next();
        let Context {
            timing, rng, now, ..
        } = &mut self.context;
        let wait = if cause == Some(Cause::NotInOffice) {
            // Others go first.
            timing.campaign_most
        } else {
            let backoff = &mut self.campaign.backoff;
            backoff.full_jitter(timing.campaign_first, timing.campaign_most, rng)
        };
        self.campaign.at = Some(now.after(wait));
        false
    }
}
