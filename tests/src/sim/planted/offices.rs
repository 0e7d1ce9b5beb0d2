//! Mistakes about the office: when it ends, and what may happen in it.

use std::time::Duration;

use stepdown_core::{Cause, Effect, Event, Report, Role, Tenure, Timestamp};

use super::mistaken::Mistake;
use super::seen::Seen;

/// It campaigns again without waiting for the drain.
pub struct ForgetsToDrain;

impl Mistake for ForgetsToDrain {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::CloseOffice { tenure } = &effect {
            let tenure = *tenure;
            seen.told.push_back(Event::Drained { tenure });
        }
        Some(effect)
    }
}

/// It believes that its authority lasts for a minute more.
pub struct ActsWithoutAuthority;

impl Mistake for ActsWithoutAuthority {
    fn hears(&mut self, _: &mut Seen, mut event: Event) -> Option<Event> {
        let longer = |authority: Timestamp| authority.after(Duration::from_secs(60));
        match &mut event {
            Event::LeadershipWon { authority, .. } => *authority = authority.map(longer),
            Event::AuthorityExtended { authority, .. } => *authority = longer(*authority),
            _ => {}
        }
        Some(event)
    }
}

/// What it wanted before the close still goes out after it.
#[derive(Default)]
pub struct KeepsItsOutbox {
    last: Option<Effect>,
}

impl Mistake for KeepsItsOutbox {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::Call { .. } = &effect {
            self.last = Some(effect.clone());
        } else if let Effect::CloseOffice { .. } = &effect
            && let Some(mut late) = self.last.take()
        {
            if let Effect::Call { request, .. } = &mut late {
                *request = seen.invent();
            }
            seen.more.push_back(late);
        }
        Some(effect)
    }
}

/// It closes its office, and closes it again.
pub struct ClosesTwice;

impl Mistake for ClosesTwice {
    fn does(&mut self, seen: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::CloseOffice { .. } = &effect {
            seen.more.push_back(effect.clone());
        }
        Some(effect)
    }
}

/// Bad news of an older tenure counts for the present one.
pub struct HearsAnOlderTenure;

impl Mistake for HearsAnOlderTenure {
    fn hears(&mut self, seen: &mut Seen, mut event: Event) -> Option<Event> {
        if let Event::LeadershipLost { tenure, .. } = &mut event {
            *tenure = seen.tenure;
        }
        Some(event)
    }
}

/// It stays in office though it can store nothing.
#[derive(Default)]
pub struct StaysThoughUseless {
    stays: Option<Tenure>,
}

impl Mistake for StaysThoughUseless {
    fn hears(&mut self, _: &mut Seen, event: Event) -> Option<Event> {
        self.stays.is_none().then_some(event)
    }

    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        if let Effect::Report(Report::RoleChanged {
            tenure,
            cause: Some(Cause::StoreStalled),
            ..
        }) = &effect
        {
            self.stays = Some(*tenure);
        }
        self.stays.is_none().then_some(effect)
    }

    fn is_due(&self, _: &Seen, due: Option<Timestamp>) -> Option<Timestamp> {
        due.filter(|_| self.stays.is_none())
    }

    fn plays(&self, role: Role) -> Role {
        if self.stays.is_some() {
            Role::Leader
        } else {
            role
        }
    }
}

/// It looks at everything again at once.
#[derive(Default)]
pub struct NeverPauses {
    leads: bool,
}

impl Mistake for NeverPauses {
    fn does(&mut self, _: &mut Seen, effect: Effect) -> Option<Effect> {
        match &effect {
            Effect::OpenOffice { .. } => self.leads = true,
            Effect::CloseOffice { .. } => self.leads = false,
            _ => {}
        }
        Some(effect)
    }

    fn is_due(&self, seen: &Seen, due: Option<Timestamp>) -> Option<Timestamp> {
        if self.leads { Some(seen.now) } else { due }
    }
}
