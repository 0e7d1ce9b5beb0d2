//! Authority: the right to act, for a time where leadership is a lease, without end where it is a
//! lock.

use super::reason::Reason;
use crate::event::Event;
use crate::id::{Tenure, Timestamp};
use crate::report::Cause;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    end: Option<Timestamp>,
}

impl Authority {
    pub(super) fn until(end: Option<Timestamp>) -> Self {
        Self { end }
    }

    /// Takes in that leadership was confirmed, if that is what the event says.
    pub(super) fn hear(&mut self, event: &Event, tenure: Tenure) {
        if let Event::AuthorityExtended {
            tenure: extended,
            authority,
        } = event
            && *extended == tenure
        {
            self.end = self.end.map(|end| end.max(*authority));
        }
    }

    /// Why nothing can go on, if authority has ended.
    pub(super) fn ended(self, now: Timestamp) -> Option<(Cause, String)> {
        self.end.filter(|end| *end <= now)?;
        let reason = "leadership was not confirmed again in time".to_owned();
        Some((Cause::AuthorityExpired, reason))
    }

    pub(super) fn deadline(self) -> Option<(Timestamp, Reason)> {
        self.end.map(|end| (end, Reason::Authority))
    }
}
