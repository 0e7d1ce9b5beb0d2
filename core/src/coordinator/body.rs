//! What the role machine acts on: the campaign, the load, the ledger of the fencing write, and the
//! office.

use std::sync::Arc;

use super::Reason;
use crate::backoff::Backoff;
use crate::cluster::{ClusterConfiguration, StatusProblem};
use crate::effect::Effect;
use crate::event::{ConfigurationText, Event};
use crate::id::{Epoch, ProcessId, RequestId, Tenure, Timestamp};
use crate::ledger::{Conclusion, Ledger};
use crate::office::Office;
use crate::options::Options;
use crate::report::{Cause, Report, Role};
use crate::store::{LoadOutcome, LoadedStatus};
use crate::tools::Tools;

/// Everything but the role.
#[derive(Debug)]
pub(super) struct Body {
    process: ProcessId,
    tools: Tools,
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
    Fencing(Box<Ledger>),
    Office {
        office: Box<Office>,
        since: Timestamp,
    },
    Closed {
        since: Timestamp,
    },
}

/// What an event means for the role.
pub(super) enum Verdict {
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
    pub(super) fn new(options: Options, now: Timestamp) -> Self {
        let mut tools = Tools::new(options.timing, options.seed, now);
        tools.tenure = tools.tenure.next();
        Self {
            process: options.process,
            tools,
            configuration: None,
            campaign: Campaign {
                at: Some(now),
                backoff: Backoff::default(),
                fencing_attempts: 0,
            },
            authority: None,
            load: Load::default(),
            stage: Stage::Nothing,
            stopping: false,
        }
    }

    pub(super) fn tenure(&self) -> Tenure {
        self.tools.tenure
    }

    pub(super) fn is_current(&self, tenure: Tenure) -> bool {
        self.tools.tenure == tenure
    }

    pub(super) fn office(&self) -> Option<&Office> {
        match &self.stage {
            Stage::Office { office, .. } => Some(office),
            Stage::Nothing | Stage::Fencing(_) | Stage::Closed { .. } => None,
        }
    }

    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        self.tools.poll_effect()
    }

    /// Before the event is handled: the time, and authority that was confirmed in the meantime.
    pub(super) fn arrive(&mut self, now: Timestamp, event: &Event) {
        self.tools.now = self.tools.now.max(now);
        if let Event::AuthorityExtended { tenure, authority } = event
            && self.is_current(*tenure)
        {
            self.authority = self.authority.map(|before| before.max(*authority));
        }
    }

    /// After the event was handled: the store gets what is ready for it.
    pub(super) fn work(&mut self) {
        match &mut self.stage {
            Stage::Fencing(ledger) => ledger.work(&mut self.tools),
            Stage::Office { office, .. } => office.ledger.work(&mut self.tools),
            Stage::Nothing | Stage::Closed { .. } => {}
        }
    }

    // === the campaign

    pub(super) fn campaign_if_due(&mut self) {
        if self.campaign.at.is_some_and(|at| at <= self.tools.now) {
            self.campaign.at = None;
            self.tools.emit(Effect::Campaign {
                tenure: self.tools.tenure,
            });
        }
    }

    pub(super) fn campaign_deadline(&self) -> Option<(Timestamp, Reason)> {
        self.campaign.at.map(|at| (at, Reason::Campaign))
    }

    pub(super) fn won(&mut self, authority: Option<Timestamp>) {
        self.authority = authority;
        self.campaign.fencing_attempts = 0;
        self.load.backoff.reset();
    }

    pub(super) fn has_expired(&self) -> bool {
        self.authority
            .is_some_and(|authority| authority <= self.tools.now)
    }

    // === the load

    pub(super) fn load(&mut self) {
        self.stage = Stage::Nothing;
        let request = self.tools.request();
        self.load.request = Some(request);
        self.load.due = None;
        self.tools.emit(Effect::Load {
            tenure: self.tools.tenure,
            request,
        });
    }

    pub(super) fn is_loading(&self, tenure: Tenure, request: RequestId) -> bool {
        self.is_current(tenure) && self.load.request == Some(request)
    }

    pub(super) fn load_if_due(&mut self) {
        if self.load.due.is_some_and(|due| due <= self.tools.now) {
            self.load();
        }
    }

    pub(super) fn load_deadline(&self) -> Option<(Timestamp, Reason)> {
        earliest([
            self.load.due.map(|due| (due, Reason::Load)),
            self.authority
                .map(|authority| (authority, Reason::Authority)),
        ])
    }

    /// Returns whether there is a document to lead on, or the certainty that there is none.
    pub(super) fn loaded(&mut self, outcome: &LoadOutcome) -> bool {
        self.load.request = None;
        match outcome {
            LoadOutcome::Found(loaded) => self.found(loaded),
            LoadOutcome::Absent { epoch } => {
                self.begin_fencing(*epoch, None);
                true
            }
            LoadOutcome::Corrupt(reason) | LoadOutcome::Forbidden(reason) => {
                self.unreadable(reason.clone());
                false
            }
            LoadOutcome::Unavailable { after, reason } => {
                self.tools.report(Report::StatusUnreadable {
                    reason: reason.clone(),
                });
                let (first, most) = (
                    self.tools.timing.store_retry_first,
                    self.tools.timing.store_retry_most,
                );
                let at = self.tools.wait(&mut self.load.backoff, first, most);
                self.load.due = Some(at.max(self.tools.now.after(*after)));
                false
            }
        }
    }

    fn found(&mut self, loaded: &LoadedStatus) -> bool {
        let (fatal, odd): (Vec<_>, Vec<_>) = loaded
            .status
            .problems()
            .into_iter()
            .partition(StatusProblem::is_fatal);
        if !fatal.is_empty() {
            let problems: Vec<String> = fatal.iter().map(ToString::to_string).collect();
            let reason = format!("nobody can lead on it: {}", problems.join("; "));
            self.unreadable(reason);
            return false;
        }
        if !loaded.intact {
            let reason = "somebody else wrote it last; it is taken as it is".to_owned();
            self.tools.report(Report::StatusAdopted { reason });
        }
        for problem in odd {
            self.tools.report(Report::StatusAdopted {
                reason: problem.to_string(),
            });
        }
        self.begin_fencing(loaded.epoch, Some(loaded.clone()));
        true
    }

    /// Waiting alone does not mend it: somebody has to look.
    fn unreadable(&mut self, reason: String) {
        self.tools.report(Report::StatusUnreadable { reason });
        self.load.due = Some(self.tools.now.after(self.tools.timing.store_retry_most));
    }

    // === the fencing write

    fn begin_fencing(&mut self, epoch: Epoch, loaded: Option<LoadedStatus>) {
        self.campaign.fencing_attempts = self.campaign.fencing_attempts.saturating_add(1);
        let Tools {
            rng, now, timing, ..
        } = &mut self.tools;
        let new_instance_id = || uuid(rng);
        let ledger = Ledger::new(
            self.process,
            epoch.next(),
            loaded,
            new_instance_id,
            *now,
            timing,
        );
        self.stage = Stage::Fencing(Box::new(ledger));
    }

    pub(super) fn fence(&mut self, event: &Event) -> Verdict {
        let Stage::Fencing(ledger) = &mut self.stage else {
            return Verdict::Ignored;
        };
        let Some(conclusion) = conclude(ledger, event, &mut self.tools) else {
            return Verdict::Ignored;
        };
        match conclusion {
            Conclusion::Accepted(_) => Verdict::Done,
            Conclusion::Conflict(_)
                if self.campaign.fencing_attempts < self.tools.timing.fencing_attempts =>
            {
                Verdict::Again
            }
            Conclusion::Conflict(reason) => Verdict::StepDown(Cause::Conflict, reason),
            Conclusion::Refused(reason) => Verdict::StepDown(Cause::StoreRefused, reason),
            Conclusion::Nothing | Conclusion::Rejected { .. } => Verdict::Noted,
        }
    }

    // === the office

    pub(super) fn open_office(&mut self) {
        let reason = "the fencing write is durable";
        self.report_role(Role::Candidate, Role::Leader, None, reason, None);
        let stage = std::mem::replace(&mut self.stage, Stage::Nothing);
        let Stage::Fencing(ledger) = stage else {
            return;
        };
        let (tenure, epoch) = (self.tools.tenure, ledger.epoch());
        let instance_id = ledger.accepted().instance_id.clone();
        self.tools.emit(Effect::StartControllers {
            tenure,
            epoch,
            instance_id,
        });
        let office = Office::open(*ledger, self.configuration.clone(), &mut self.tools);
        self.stage = Stage::Office {
            office: Box::new(office),
            since: self.tools.now,
        };
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is ignored here ends in the role machine's exhaustive match"
    )]
    pub(super) fn lead(&mut self, event: &Event) -> Verdict {
        let Stage::Office { office, .. } = &mut self.stage else {
            return Verdict::Ignored;
        };
        let tools = &mut self.tools;
        if let Some(conclusion) = conclude(&mut office.ledger, event, tools) {
            match conclusion {
                Conclusion::Accepted(acceptances) => office.accepted(acceptances, tools),
                Conclusion::Conflict(reason) => return Verdict::StepDown(Cause::Conflict, reason),
                Conclusion::Nothing => {}
                Conclusion::Refused(reason) => {
                    return Verdict::StepDown(Cause::StoreRefused, reason);
                }
                Conclusion::Rejected { namespaces, reason } => {
                    office.rejected(&namespaces, &reason, tools);
                }
            }
            return Verdict::Noted;
        }
        match event {
            Event::CallAnswered {
                tenure,
                request,
                result,
            } if *tenure == tools.tenure => {
                office.call_answered(*request, result.clone(), tools);
            }
            Event::HealthObserved {
                tenure,
                request,
                serving,
            } if *tenure == tools.tenure => {
                office.health_observed(*request, *serving, tools);
            }
            Event::HealthWatchEnded {
                tenure,
                request,
                error,
            } if *tenure == tools.tenure => {
                office.watch_ended(*request, error, tools);
            }
            Event::PushEnded {
                tenure, request, ..
            } if *tenure == tools.tenure => {
                office.push_ended(*request, tools);
            }
            Event::StatusHinted => office.ledger.hint(tools),
            Event::TimePassed => office.time_passed(tools),
            _ => return Verdict::Ignored,
        }
        Verdict::Noted
    }

    pub(super) fn office_deadline(&self) -> Option<(Timestamp, Reason)> {
        let authority = self
            .authority
            .map(|authority| (authority, Reason::Authority));
        let timing = &self.tools.timing;
        let (store, controllers) = match &self.stage {
            Stage::Fencing(ledger) => (ledger.deadline(timing), None),
            Stage::Office { office, .. } => (office.ledger.deadline(timing), office.deadline()),
            Stage::Nothing | Stage::Closed { .. } => (None, None),
        };
        earliest([
            authority,
            store.map(|at| (at, Reason::Store)),
            controllers.map(|at| (at, Reason::Controllers)),
        ])
    }

    /// Puts a configuration into force, unless it is a bad one: then the last good one stays.
    pub(super) fn configure(&mut self, text: &ConfigurationText) {
        let source = text.source.clone();
        match ClusterConfiguration::read(text.text.as_deref()) {
            Ok(configuration) => {
                let configuration = Arc::new(configuration);
                self.configuration = Some(configuration.clone());
                self.tools.report(Report::ConfigurationApplied { source });
                if let Stage::Office { office, .. } = &mut self.stage {
                    office.reconcile(Some(configuration), &mut self.tools);
                }
            }
            Err(error) => {
                let reason = error.to_string();
                self.tools
                    .report(Report::ConfigurationRejected { source, reason });
            }
        }
    }

    // === stepping down

    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Nothing of this tenure leaves any more from here on, not even what was not polled yet.
    pub(super) fn close_office(&mut self, cause: Cause, reason: &str) {
        let from = match &self.stage {
            Stage::Office { since, .. } => {
                if self.tools.now.since(*since) >= self.tools.timing.campaign_forget {
                    self.campaign.backoff.reset();
                }
                Role::Leader
            }
            Stage::Nothing | Stage::Fencing(_) | Stage::Closed { .. } => Role::Candidate,
        };
        self.tools.close_office();
        self.report_role(from, Role::SteppingDown, Some(cause), reason, None);
        self.stage = Stage::Closed {
            since: self.tools.now,
        };
        self.load = Load::default();
        self.authority = None;
        self.tools.emit(Effect::CloseControllers {
            tenure: self.tools.tenure,
        });
    }

    /// The office is empty: leadership is given back. Returns whether this was the last tenure.
    pub(super) fn drained(&mut self) -> bool {
        let took = match &self.stage {
            Stage::Closed { since } => Some(self.tools.now.since(*since)),
            Stage::Nothing | Stage::Fencing(_) | Stage::Office { .. } => None,
        };
        self.stage = Stage::Nothing;
        let reason = "every task of the tenure has ended";
        self.report_role(Role::SteppingDown, Role::Candidate, None, reason, took);
        self.tools.emit(Effect::Release {
            tenure: self.tools.tenure,
        });
        if self.stopping {
            self.tools.emit(Effect::Exit);
            return true;
        }
        self.tools.tenure = self.tools.tenure.next();
        let Tools {
            timing, rng, now, ..
        } = &mut self.tools;
        let wait =
            self.campaign
                .backoff
                .full_jitter(timing.campaign_first, timing.campaign_most, rng);
        self.campaign.at = Some(now.after(wait));
        false
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
        let (tenure, reason) = (self.tools.tenure, reason.to_owned());
        self.tools.report(Report::RoleChanged {
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
fn conclude(ledger: &mut Ledger, event: &Event, tools: &mut Tools) -> Option<Conclusion> {
    match event {
        Event::StoreEnded {
            tenure,
            request,
            outcome,
        } if *tenure == tools.tenure => Some(ledger.store_ended(*request, outcome.clone(), tools)),
        Event::HeadRead {
            tenure,
            request,
            outcome,
        } if *tenure == tools.tenure => Some(ledger.head_read(*request, outcome.clone(), tools)),
        Event::TimePassed
        | Event::AuthorityExtended { .. }
        | Event::CallAnswered { .. }
        | Event::ConfigurationRead(_)
        | Event::Drained { .. }
        | Event::HeadRead { .. }
        | Event::HealthObserved { .. }
        | Event::HealthWatchEnded { .. }
        | Event::LeadershipLost { .. }
        | Event::LeadershipWon { .. }
        | Event::Loaded { .. }
        | Event::PushEnded { .. }
        | Event::ShutdownRequested
        | Event::StatusHinted
        | Event::StoreEnded { .. } => None,
    }
}

fn earliest<const N: usize>(
    deadlines: [Option<(Timestamp, Reason)>; N],
) -> Option<(Timestamp, Reason)> {
    deadlines.into_iter().flatten().min()
}

/// A random UUID, version 4, in its usual form.
fn uuid(rng: &mut fastrand::Rng) -> Arc<str> {
    let bits = (rng.u128(..) & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    Arc::from(parts.join("-"))
}
