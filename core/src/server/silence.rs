//! A server that is held to run, and whose answer is overdue. People are told, long before it is taken
//! to be unavailable; nothing else follows from it.

use super::{Reach, ServerController};
use crate::context::Context;
use crate::id::Timestamp;
use crate::report::Report;

/// What is known of a server's silence.
#[derive(Clone, Debug, Default)]
pub(super) struct Silence {
    /// When it was heard of last.
    heard: Timestamp,
    /// When the answer to the check in flight is overdue.
    due: Option<Timestamp>,
    /// People were told that it does not answer, and not yet that it does.
    is_told: bool,
}

impl Silence {
    pub(super) fn since(now: Timestamp) -> Self {
        Self {
            heard: now,
            ..Self::default()
        }
    }

    /// A check was sent, or is still waited for.
    pub(super) fn asked(&mut self, context: &Context) {
        self.due = Some(context.now.after(context.timing.overdue));
    }

    /// It was heard of by other means than a check.
    pub(super) fn heard(&mut self, context: &Context) {
        self.heard = context.now;
        if self.due.is_some() {
            self.asked(context);
        }
    }

    /// Something else is told of it, so its silence is no news any more.
    pub(super) fn is_over(&mut self) {
        self.due = None;
        self.is_told = false;
    }
}

impl ServerController {
    /// When people are to be told that it does not answer, if it does not until then.
    pub(super) fn overdue_at(&self) -> Option<Timestamp> {
        let is_waited_for = self.reach == Reach::Running && self.check.request.is_some();
        let due = self.silence.due;
        due.filter(|_| is_waited_for && !self.silence.is_told)
    }

    pub(super) fn tell_if_overdue(&mut self, context: &mut Context) {
        if self.overdue_at().is_some_and(|at| at <= context.now) {
            let overdue = context.timing.overdue.as_secs_f64();
            let reason = format!("no answer to a health check for {overdue} s");
            self.tell_silent(reason, context);
        }
    }

    /// A check has failed, and it is held to run all the same.
    pub(super) fn tell_silent(&mut self, reason: String, context: &mut Context) {
        self.silence.due = None;
        if self.reach != Reach::Running || std::mem::replace(&mut self.silence.is_told, true) {
            return;
        }
        context.report(Report::ServerSilent {
            server: self.id(),
            silent_for: context.now.since(self.silence.heard),
            reason,
        });
    }

    /// A check was answered. An answer that comes late ends no silence: whoever is slow again and again
    /// is told of once.
    pub(super) fn check_answered(&mut self, context: &mut Context) {
        let silent_for = context.now.since(self.silence.heard);
        let is_late = self.silence.due.is_none_or(|due| due <= context.now);
        self.silence.heard = context.now;
        self.silence.due = None;
        if self.silence.is_told && !is_late {
            self.silence.is_told = false;
            let server = self.id();
            context.report(Report::ServerAnswers { server, silent_for });
        }
    }
}
