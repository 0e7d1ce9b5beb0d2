//! Out of office, or out of a campaign: close, be empty, give leadership back.

use crate::context::Context;
use crate::effect::Effect;
use crate::id::{Epoch, Timestamp};
use crate::report::{Cause, Report, Role};

/// The office is closed and being emptied.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    since: Timestamp,
    cause: Cause,
}

impl Leaving {
    /// Closes the office: nothing of this tenure leaves any more from here on, not even what was
    /// not polled yet.
    pub(super) fn begin(
        from: Role,
        epoch: Option<Epoch>,
        (cause, reason): (Cause, String),
        context: &mut Context,
    ) -> Self {
        context.close_office();
        context.report(Report::RoleChanged {
            tenure: context.tenure,
            from,
            to: Role::SteppingDown,
            cause: Some(cause),
            reason,
            took: None,
            epoch,
        });
        context.emit(Effect::CloseOffice {
            tenure: context.tenure,
        });
        Self {
            since: context.now,
            cause,
        }
    }

    /// The office is empty: leadership is given back.
    pub(super) fn end(&self, context: &mut Context) {
        context.report(Report::RoleChanged {
            tenure: context.tenure,
            from: Role::SteppingDown,
            to: Role::Candidate,
            cause: None,
            reason: "every task of the tenure has ended".to_owned(),
            took: Some(context.now.since(self.since)),
            epoch: None,
        });
        context.emit(Effect::Release {
            tenure: context.tenure,
        });
    }

    /// Whether others are to go first, since they may be able to do what this one can't.
    pub(super) fn gives_way(&self) -> bool {
        match self.cause {
            Cause::NotInOffice | Cause::StoreStalled => true,
            Cause::AuthorityExpired
            | Cause::Conflict
            | Cause::LeadershipLost
            | Cause::Shutdown
            | Cause::StoreRefused => false,
        }
    }
}
