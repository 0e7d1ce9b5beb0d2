//! The way to office, once the campaign is won: the load, the fencing write.

use std::sync::Arc;

use super::lasting::Lasting;
use super::reason::Reason;
use crate::backoff::Backoff;
use crate::cluster::{ClusterStatus, StatusProblem};
use crate::context::Context;
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, ProcessId, RequestId, Tenure, Timestamp};
use crate::ledger::{Conclusion, Ledger};
use crate::report::{Cause, Report};
use crate::shard::Intent;
use crate::store::{LoadOutcome, LoadedStatus, WrittenBy};

/// How the winner of a campaign fares on its way to office.
#[derive(Clone, Debug, Default)]
pub(super) struct Approach {
    fencing_attempts: u32,
    load_backoff: Backoff,
    /// When to give leadership back.
    office_due: Timestamp,
    /// What keeps it from office.
    problem: Option<String>,
}

/// The document is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    request: Option<RequestId>,
    due: Option<Timestamp>,
}

/// What an answer to the fencing write means.
pub(super) enum Fenced {
    /// It was refused: load again.
    Again,
    /// It is durable.
    Done,
    /// Nothing yet.
    Open,
    /// Nobody can lead on it.
    Refused(Cause, String),
}

impl Approach {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            office_due: context.now.after(context.timing.office_within),
            ..Self::default()
        }
    }

    /// Why it has to give leadership back, if it took too long. While nothing is in the way of
    /// office, it is waited for: another candidate would be no faster.
    pub(super) fn overdue(&self, context: &Context) -> Option<(Cause, String)> {
        let problem = self.problem.as_ref()?;
        if self.office_due > context.now {
            return None;
        }
        let reason = format!(
            "it was not in office {} s after it had won leadership: {problem}",
            context.timing.office_within.as_secs(),
        );
        Some((Cause::NotInOffice, reason))
    }

    pub(super) fn deadline(&self) -> Option<(Timestamp, Reason)> {
        self.problem
            .as_ref()
            .map(|_| (self.office_due, Reason::Office))
    }

    /// The ledger of the fencing write, if there is a document to lead on, or the certainty that
    /// there is none.
    pub(super) fn loaded(
        &mut self,
        load: &mut Load,
        outcome: &LoadOutcome,
        lasting: &Lasting,
        context: &mut Context,
    ) -> Option<Box<Ledger<Intent>>> {
        let process = lasting.process;
        load.request = None;
        let most = context.timing.store_retry_most;
        match outcome {
            LoadOutcome::Found(loaded) => match adopt(loaded, lasting.known.as_deref(), context) {
                Ok(()) => return Some(self.fence(loaded.epoch, Some(loaded), process, context)),
                Err(unfit) => {
                    self.unreadable(unfit.to_string(), context);
                    load.due = Some(context.now.after(most));
                }
            },
            LoadOutcome::Absent { epoch } => {
                return Some(self.fence(*epoch, None, process, context));
            }
            // Waiting alone does not mend it: somebody has to look.
            LoadOutcome::Corrupt(reason) | LoadOutcome::Forbidden(reason) => {
                self.unreadable(reason.clone(), context);
                load.due = Some(context.now.after(most));
            }
            LoadOutcome::Unavailable { after, reason } => {
                self.unreadable(reason.clone(), context);
                let first = context.timing.store_retry_first;
                let at = context.wait(&mut self.load_backoff, first, most);
                load.due = Some(at.max(context.now.after(*after)));
            }
        }
        None
    }

    /// Goes on with the fencing write, if the event is an answer of the store.
    pub(super) fn fenced(
        &mut self,
        ledger: &mut Ledger<Intent>,
        event: &Event,
        context: &mut Context,
    ) -> Fenced {
        let Some(conclusion) = ledger.hear(event, context) else {
            return Fenced::Open;
        };
        if let Event::StoreEnded { outcome, .. } = event {
            self.problem = outcome.reason().map(str::to_owned);
        } else if let Event::HeadRead { outcome, .. } = event {
            self.problem = outcome.reason().map(str::to_owned);
        }
        match conclusion {
            Conclusion::Accepted(_) => Fenced::Done,
            Conclusion::Conflict(_) if self.fencing_attempts < context.timing.fencing_attempts => {
                Fenced::Again
            }
            Conclusion::Conflict(reason) => Fenced::Refused(Cause::Conflict, reason),
            Conclusion::Refused(reason) => Fenced::Refused(Cause::StoreRefused, reason),
            Conclusion::Nothing | Conclusion::Rejected { .. } => Fenced::Open,
        }
    }

    fn fence(
        &mut self,
        epoch: Epoch,
        loaded: Option<&LoadedStatus>,
        process: ProcessId,
        context: &mut Context,
    ) -> Box<Ledger<Intent>> {
        self.problem = None;
        self.fencing_attempts = self.fencing_attempts.saturating_add(1);
        let (rng, now) = (&mut context.rng, context.now);
        let (loaded, timing) = (loaded.cloned(), &context.timing);
        let ledger = Ledger::new(process, epoch.next(), loaded, || uuid(rng), now, timing);
        Box::new(ledger)
    }

    fn unreadable(&mut self, reason: String, context: &mut Context) {
        self.problem = Some(reason.clone());
        context.report(Report::StatusUnreadable { reason });
    }
}

impl Load {
    pub(super) fn begin(&mut self, context: &mut Context) {
        let request = context.request();
        self.request = Some(request);
        self.due = None;
        context.emit(Effect::Load {
            tenure: context.tenure,
            request,
        });
    }

    pub(super) fn begin_if_due(&mut self, context: &mut Context) {
        if self.due.is_some_and(|due| due <= context.now) {
            self.begin(context);
        }
    }

    /// Whether this is the answer that is waited for.
    pub(super) fn is_asked(&self, tenure: Tenure, request: RequestId, context: &Context) -> bool {
        context.tenure == tenure && self.request == Some(request)
    }

    pub(super) fn deadline(&self) -> Option<(Timestamp, Reason)> {
        self.due.map(|due| (due, Reason::Load))
    }
}

/// A document with fatal problems.
#[derive(Debug, thiserror::Error)]
#[error("nobody can lead on it: {0}")]
struct Unfit(String);

/// Says what is odd about a document, unless nobody can lead on it.
fn adopt(
    loaded: &LoadedStatus,
    known: Option<&ClusterStatus>,
    context: &mut Context,
) -> Result<(), Unfit> {
    let (fatal, odd): (Vec<_>, Vec<_>) = loaded
        .status
        .problems()
        .into_iter()
        .partition(StatusProblem::is_fatal);
    if !fatal.is_empty() {
        let problems: Vec<String> = fatal.iter().map(ToString::to_string).collect();
        return Err(Unfit(problems.join("; ")));
    }
    let since = || match known.and_then(|known| loaded.status.differences(known)) {
        Some(differences) => format!("; since this process led last it has {differences}"),
        None => String::new(),
    };
    if !loaded.intact {
        let (write_id, intact) = (loaded.write_id, false);
        let writer = WrittenBy { write_id, intact };
        let since = since();
        let reason = format!("it was written last {writer}; it is taken as it is{since}");
        context.report(Report::StatusAdopted { reason });
    }
    if let Some(id) = loaded.write_id.filter(|_| loaded.is_older_copy()) {
        let since = since();
        let reason = format!(
            "it is an older copy, of epoch {}, where epoch {} is remembered beside it; no term is \
             used before the data servers were asked for theirs{since}",
            id.epoch, loaded.epoch
        );
        context.report(Report::StatusAdopted { reason });
    }
    for problem in odd {
        let reason = problem.to_string();
        context.report(Report::StatusAdopted { reason });
    }
    Ok(())
}

/// A random UUID, version 4, in its usual form.
fn uuid(rng: &mut fastrand::Rng) -> Arc<str> {
    let bits = (rng.u128(..) & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    Arc::from(parts.join("-"))
}
