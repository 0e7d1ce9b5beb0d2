//! The way to office: the campaign, the load, the fencing write.

use std::sync::Arc;

use super::{Body, Stage, Verdict, conclude, earliest};
use crate::cluster::StatusProblem;
use crate::context::Context;
use crate::coordinator::Reason;
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, RequestId, Tenure, Timestamp};
use crate::ledger::{Conclusion, Ledger};
use crate::report::{Cause, Report};
use crate::store::{LoadOutcome, LoadedStatus};

impl Body {
    pub(in crate::coordinator) fn campaign_if_due(&mut self) {
        if self.campaign.at.is_some_and(|at| at <= self.context.now) {
            self.campaign.at = None;
            self.context.emit(Effect::Campaign {
                tenure: self.context.tenure,
            });
        }
    }

    pub(in crate::coordinator) fn campaign_deadline(&self) -> Option<(Timestamp, Reason)> {
        self.campaign.at.map(|at| (at, Reason::Campaign))
    }

    pub(in crate::coordinator) fn won(&mut self, authority: Option<Timestamp>) {
        self.authority = authority;
        self.campaign.fencing_attempts = 0;
        self.campaign.office_due = Some(self.context.now.after(self.context.timing.office_within));
        self.campaign.problem = None;
        self.load.backoff.reset();
    }

    /// Why whoever won a campaign can't go on with it, if it can't.
    pub(in crate::coordinator) fn must_leave(&self) -> Option<(Cause, String)> {
        let is_past = |due: Timestamp| due <= self.context.now;
        if self.authority.is_some_and(is_past) {
            let reason = "leadership was not confirmed again in time".to_owned();
            return Some((Cause::AuthorityExpired, reason));
        }
        let problem = self.campaign.problem.as_ref()?;
        self.campaign.office_due.filter(|due| is_past(*due))?;
        let reason = format!(
            "it was not in office {} s after it had won leadership: {problem}",
            self.context.timing.office_within.as_secs(),
        );
        Some((Cause::NotInOffice, reason))
    }

    /// When it has to leave by the time alone. While nothing is in the way of office, it is waited
    /// for: another candidate would be no faster.
    pub(super) fn leave_deadline(&self) -> Option<(Timestamp, Reason)> {
        let office = self.campaign.problem.as_ref().and(self.campaign.office_due);
        earliest([
            self.authority.map(|at| (at, Reason::Authority)),
            office.map(|at| (at, Reason::Office)),
        ])
    }

    pub(in crate::coordinator) fn load(&mut self) {
        self.stage = Stage::Nothing;
        let request = self.context.request();
        self.load.request = Some(request);
        self.load.due = None;
        self.context.emit(Effect::Load {
            tenure: self.context.tenure,
            request,
        });
    }

    pub(in crate::coordinator) fn is_loading(&self, tenure: Tenure, request: RequestId) -> bool {
        self.is_current(tenure) && self.load.request == Some(request)
    }

    pub(in crate::coordinator) fn load_if_due(&mut self) {
        if self.load.due.is_some_and(|due| due <= self.context.now) {
            self.load();
        }
    }

    pub(in crate::coordinator) fn load_deadline(&self) -> Option<(Timestamp, Reason)> {
        earliest([
            self.load.due.map(|due| (due, Reason::Load)),
            self.leave_deadline(),
        ])
    }

    /// Returns whether there is a document to lead on, or the certainty that there is none.
    pub(in crate::coordinator) fn loaded(&mut self, outcome: &LoadOutcome) -> bool {
        self.load.request = None;
        match outcome {
            LoadOutcome::Found(loaded) => self.found(loaded),
            LoadOutcome::Absent { epoch } => {
                self.begin_fencing(*epoch, None);
                true
            }
            LoadOutcome::Corrupt(reason) | LoadOutcome::Forbidden(reason) => {
                self.refused_for_good(reason.clone());
                false
            }
            LoadOutcome::Unavailable { after, reason } => {
                self.unreadable(reason.clone());
                let (first, most) = (
                    self.context.timing.store_retry_first,
                    self.context.timing.store_retry_most,
                );
                let at = self.context.wait(&mut self.load.backoff, first, most);
                self.load.due = Some(at.max(self.context.now.after(*after)));
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
            self.refused_for_good(reason);
            return false;
        }
        if !loaded.intact {
            let reason = "somebody else wrote it last; it is taken as it is".to_owned();
            self.context.report(Report::StatusAdopted { reason });
        }
        for problem in odd {
            self.context.report(Report::StatusAdopted {
                reason: problem.to_string(),
            });
        }
        self.begin_fencing(loaded.epoch, Some(loaded.clone()));
        true
    }

    /// Waiting alone does not mend it: somebody has to look.
    fn refused_for_good(&mut self, reason: String) {
        self.unreadable(reason);
        self.load.due = Some(self.context.now.after(self.context.timing.store_retry_most));
    }

    fn unreadable(&mut self, reason: String) {
        self.campaign.problem = Some(reason.clone());
        self.context.report(Report::StatusUnreadable { reason });
    }

    fn begin_fencing(&mut self, epoch: Epoch, loaded: Option<LoadedStatus>) {
        self.campaign.problem = None;
        self.campaign.fencing_attempts = self.campaign.fencing_attempts.saturating_add(1);
        let Context {
            rng, now, timing, ..
        } = &mut self.context;
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

    pub(in crate::coordinator) fn fence(&mut self, event: &Event) -> Verdict {
        let Stage::Fencing(ledger) = &mut self.stage else {
            return Verdict::Ignored;
        };
        let Some(conclusion) = conclude(ledger, event, &mut self.context) else {
            return Verdict::Ignored;
        };
        if let Event::StoreEnded { outcome, .. } = event {
            self.campaign.problem = outcome.reason().map(str::to_owned);
        } else if let Event::HeadRead { outcome, .. } = event {
            self.campaign.problem = outcome.reason().map(str::to_owned);
        }
        match conclusion {
            Conclusion::Accepted(_) => Verdict::Done,
            Conclusion::Conflict(_)
                if self.campaign.fencing_attempts < self.context.timing.fencing_attempts =>
            {
                Verdict::Again
            }
            Conclusion::Conflict(reason) => Verdict::StepDown(Cause::Conflict, reason),
            Conclusion::Refused(reason) => Verdict::StepDown(Cause::StoreRefused, reason),
            Conclusion::Nothing | Conclusion::Rejected { .. } => Verdict::Noted,
        }
    }
}

/// A random UUID, version 4, in its usual form.
fn uuid(rng: &mut fastrand::Rng) -> Arc<str> {
    let bits = (rng.u128(..) & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    Arc::from(parts.join("-"))
}
