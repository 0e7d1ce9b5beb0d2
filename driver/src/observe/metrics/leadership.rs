//! Metrics of leadership: the role, and how it changes.

use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use stepdown_core::{Cause, Epoch, Role};

use super::declare::metrics;
use crate::observe::names::{self, CAUSES};

metrics! {
    /// How this process leads, or doesn't.
    Leadership {
        conflicts: IntCounter = IntCounter::new(
            "stepdown_conflicts_total",
            "How often a conflict on the status document ended a term of office",
        ),
        epoch: IntGauge = IntGauge::new(
            "stepdown_epoch",
            "The epoch of the fencing write of this process' last office",
        ),
        role: IntGaugeVec = IntGaugeVec::new(
            Opts::new("stepdown_role", "1 for the role of this coordinator"),
            &["role"],
        ),
        step_down: Histogram = Histogram::with_opts(
            HistogramOpts::new(
                "stepdown_step_down_duration_seconds",
                "From the close of office until this process campaigns again",
            )
            .buckets(vec![
                0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0,
            ]),
        ),
        transitions: IntCounterVec = IntCounterVec::new(
            Opts::new("stepdown_transitions_total", "Changes of role"),
            &["from", "to", "cause"],
        ),
        unable: IntGauge = IntGauge::new(
            "stepdown_unable_to_lead",
            "1 while something lasting keeps this coordinator from ever leading; its log says what",
        ),
    }
}

impl Leadership {
    /// Of a process that has just started.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let leadership = Self::register(registry)?;
        leadership.set_role(Role::Candidate);
        leadership.show_all();
        Ok(leadership)
    }

    /// The role changed; `took` is how long stepping down did.
    pub fn role_changed(
        &self,
        from: Role,
        to: Role,
        cause: Option<Cause>,
        took: Option<Duration>,
        epoch: Option<Epoch>,
    ) {
        self.set_role(to);
        self.changes(from, to, cause).inc();
        if from == Role::Leader && cause == Some(Cause::Conflict) {
            self.conflicts.inc();
        }
        if let (Role::SteppingDown, Role::Candidate, Some(took)) = (from, to, took) {
            self.step_down.observe(took.as_secs_f64());
        }
        if let Some(epoch) = epoch {
            self.epoch.set(i64::try_from(epoch.0).unwrap_or(i64::MAX));
        }
    }

    /// Whether this coordinator could lead.
    pub fn able_to_lead(&self, is_able: bool) {
        self.unable.set(i64::from(!is_able));
    }

    /// Shows every change of role at 0, so that a rate is right from the first one on.
    fn show_all(&self) {
        self.changes(Role::Candidate, Role::Leader, None);
        self.changes(Role::SteppingDown, Role::Candidate, None);
        for from in [Role::Candidate, Role::Leader] {
            for cause in CAUSES {
                self.changes(from, Role::SteppingDown, Some(cause));
            }
        }
    }

    fn changes(&self, from: Role, to: Role, cause: Option<Cause>) -> IntCounter {
        let cause = cause.map_or("", names::cause);
        let labels = [names::role(from), names::role(to), cause];
        self.transitions.with_label_values(&labels)
    }

    fn set_role(&self, now: Role) {
        for one in [Role::Candidate, Role::Leader, Role::SteppingDown] {
            self.role
                .with_label_values(&[names::role(one)])
                .set(i64::from(one == now));
        }
    }
}
