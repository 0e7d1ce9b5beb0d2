//! A server's health: what the watch and the checks say of it.

use super::{News, Reach, ServerController};
use crate::call::{Answer, CallError, CallErrorKind};
use crate::context::Context;
use crate::id::RequestId;

impl ServerController {
    pub(crate) fn observed(
        &mut self,
        request: RequestId,
        serving: bool,
        context: &mut Context,
    ) -> News {
        if self.watch.request != Some(request) {
            return News::None;
        }
        if !serving {
            return self.lost("it answers NOT_SERVING", context);
        }
        self.silence.heard(context);
        self.alive(context);
        // What the break before may have hidden is looked for now; another breaks this watch.
        let is_suspicious = std::mem::take(&mut self.suspicious);
        self.again = false;
        if std::mem::replace(&mut self.watched, true) {
            return News::None;
        }
        // At a take-over nothing is asked of it before, or only just: too short for a restart.
        let unwatched = context.now.since(self.running_since);
        let is_running = self.reach == Reach::Running;
        if is_suspicious || is_running && unwatched >= context.timing.reprobe_every {
            News::Restarted
        } else {
            News::Watched
        }
    }

    pub(crate) fn watch_ended(
        &mut self,
        request: RequestId,
        error: &CallError,
        context: &mut Context,
    ) -> News {
        if !self.watch.ended(request) {
            return News::None;
        }
        self.watch.broke(context);
        if error.kind != CallErrorKind::Unimplemented {
            self.suspect(context);
        }
        News::None
    }

    /// It may be gone, or have been restarted: looks at once whether it is there.
    pub(crate) fn suspect(&mut self, context: &mut Context) {
        if self.reach != Reach::Running {
            return;
        }
        // What breaks again and again must not keep a check that hangs from ever failing.
        if self.suspicious && self.check.request.is_some() {
            self.again = true;
            return;
        }
        self.suspicious = true;
        self.check.stop(context);
        self.check_now(context);
    }

    fn check_now(&mut self, context: &mut Context) {
        self.again = false;
        self.check.due = Some(context.now);
        self.time_passed(context);
    }

    /// Whether it is already looked at whether it is there.
    pub(crate) fn is_suspected(&self) -> bool {
        self.suspicious
    }

    pub(super) fn checked(
        &mut self,
        result: Result<Answer, CallError>,
        context: &mut Context,
    ) -> News {
        let suspicious = self.suspicious;
        let again = std::mem::take(&mut self.again);
        self.silent = matches!(&result, Err(error) if error.kind != CallErrorKind::Unimplemented);
        if !self.silent {
            self.check_answered(context);
        }
        let news = match result {
            Ok(Answer::Health { serving: false }) => self.lost("it answers NOT_SERVING", context),
            Ok(_) if again => return self.alive_before(context),
            Ok(_) => self.alive_after(suspicious, context),
            Err(error) if error.kind == CallErrorKind::Unimplemented => {
                self.alive_after(suspicious, context)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let hard = suspicious && error.kind != CallErrorKind::TimedOut;
                if hard || self.failures >= context.timing.probe_failures {
                    self.lost(&error.message, context)
                } else {
                    self.tell_silent(error.message, context);
                    News::None
                }
            }
        };
        let every = match self.reach {
            Reach::Running => context.timing.probe_every,
            Reach::Unknown => context.timing.reprobe_every,
            Reach::Unavailable => context.timing.away_every,
        };
        self.check.due = Some(context.now.after(every));
        news
    }

    /// It was there when something broke, but something else has broken since.
    fn alive_before(&mut self, context: &mut Context) -> News {
        self.alive(context);
        self.check_now(context);
        News::None
    }

    fn alive_after(&mut self, suspicious: bool, context: &mut Context) -> News {
        self.alive(context);
        self.suspicious = false;
        if suspicious {
            News::Restarted
        } else {
            News::None
        }
    }

    /// It serves: shake hands, unless that is done or under way.
    fn alive(&mut self, context: &mut Context) {
        self.failures = 0;
        let idle = self.handshake.request.is_none() && self.handshake.due.is_none();
        if self.reach != Reach::Running && idle {
            self.handshake.due = Some(context.now);
            self.time_passed(context);
        }
    }
}
