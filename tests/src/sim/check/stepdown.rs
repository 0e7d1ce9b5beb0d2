//! D: leaving office, and acting only while in it.

use std::time::Duration;

use stepdown_core::{Role, Tenure};

use super::{Check, Facts};
use crate::sim::lease::DRAIN;
use crate::sim::world::World;

impl World<'_> {
    /// D1, D2: after the close nothing is issued for the tenure but cancels and the release.
    pub(super) fn check_not_closing(&self, host: usize, tenure: Tenure) -> Check {
        let facts = &self.hosts[host].facts;
        if facts.tenure != tenure {
            return Err(self.violation(
                "D7",
                format!("c{host} acts for {tenure}, not for {}", facts.tenure),
            ));
        }
        if facts.closing {
            return Err(self.violation("D1", format!("c{host} acts for {tenure} after its close")));
        }
        Ok(())
    }

    /// D5: nothing is issued once authority has ended.
    pub(super) fn check_authority(&self, host: usize) -> Check {
        let place = &self.hosts[host];
        let local = place.clock.read(self.queue.now());
        match place.facts.authority {
            Some(authority) if local >= authority => {
                Err(self.violation("D5", format!("c{host} acts after its authority ended")))
            }
            _ => Ok(()),
        }
    }

    /// D5, B1: what the gate has let through.
    pub(in crate::sim) fn check_leaves(&mut self, host: usize) -> Check {
        self.check_authority(host)?;
        self.check_exclusive(host)
    }

    /// D1, D5, S3 and that the office is open.
    pub(super) fn check_may_act(&self, host: usize, tenure: Tenure) -> Check {
        self.check_not_closing(host, tenure)?;
        self.check_authority(host)?;
        let facts = &self.hosts[host].facts;
        if facts.ambiguous.is_some() {
            return Err(self.violation("S3", format!("c{host} acts on an ambiguous store")));
        }
        if facts.opened.is_none() {
            return Err(self.violation("S5", format!("c{host} acts before its office is open")));
        }
        Ok(())
    }

    /// S5: what it does is based on a load begun after it won.
    pub(super) fn check_won(&self, host: usize) -> Check {
        if self.hosts[host].facts.won {
            return Ok(());
        }
        Err(self.violation(
            "S5",
            format!("c{host} reads the document before it has won"),
        ))
    }

    pub(super) fn check_office(&mut self, host: usize) -> Check {
        if !self.hosts[host].facts.stored {
            return Err(self.violation("S5", format!("c{host} opens before its fencing write")));
        }
        self.hosts[host].facts.opened = Some(self.queue.now());
        Ok(())
    }

    /// D3: the next campaign begins only when the last tenure has drained.
    pub(super) fn check_campaign(&mut self, host: usize, tenure: Tenure) -> Check {
        let place = &self.hosts[host];
        if place.facts.closing && !(place.facts.drained && place.tenancy.is_drained()) {
            return Err(self.violation("D3", format!("c{host} campaigns before it has drained")));
        }
        if tenure <= place.facts.tenure && place.facts.tenure != Tenure(0) {
            return Err(self.violation("D7", format!("c{host} campaigns again in {tenure}")));
        }
        self.hosts[host].facts = Facts::of(tenure);
        Ok(())
    }

    /// D8: a tenure is closed once.
    pub(super) fn check_first_close(&self, host: usize, tenure: Tenure) -> Check {
        self.check_not_closing(host, tenure)
            .map_err(|_| self.violation("D8", format!("c{host} closes {tenure} twice")))
    }

    /// D4: leadership is given back only after the drain.
    pub(super) fn check_release(&self, host: usize, tenure: Tenure) -> Check {
        let facts = &self.hosts[host].facts;
        if facts.tenure == tenure && facts.opened.is_some() && !facts.drained {
            return Err(self.violation(
                "D4",
                format!("c{host} gives leadership back before it has drained"),
            ));
        }
        Ok(())
    }

    pub(super) fn check_exit(&self, host: usize) -> Check {
        let place = &self.hosts[host];
        if place.facts.opened.is_some() && !place.facts.drained {
            return Err(self.violation("D4", format!("c{host} exits before it has drained")));
        }
        Ok(())
    }

    /// D3, and whatever the last event demanded.
    pub(in crate::sim) fn check_step(&mut self, host: usize, before: Role, after: Role) -> Check {
        let now = self.queue.now();
        let place = &self.hosts[host];
        let facts = &place.facts;
        if let Some(property) = facts.must_close
            && !facts.closing
            && after == Role::Leader
        {
            return Err(self.violation(property, format!("c{host} does not step down")));
        }
        self.check_useful(host, after)?;
        if before == Role::Leader && after == Role::Candidate {
            return Err(self.violation(
                "D3",
                format!("c{host} is a candidate without stepping down"),
            ));
        }
        if before == Role::SteppingDown && after != before && !place.tenancy.is_drained() {
            return Err(self.violation(
                "D3",
                format!("c{host} is a candidate before it has drained"),
            ));
        }
        // L9, D6: a lease holder closes within its drain budget.
        if let (Some(since), true, None) = (place.closing_since, self.is_lease(), place.paused)
            && after == Role::SteppingDown
            && !place.tenancy.is_drained()
            && now.since(since) > place.clock.stretch(DRAIN) * 12 / 10 + Duration::from_secs(1)
            && !self.was_paused(host)
        {
            return Err(self.violation(
                "D6",
                format!("c{host} has been stepping down since {since}"),
            ));
        }
        Ok(())
    }

    /// B1: no two coordinators pass the gate at one time.
    pub(in crate::sim) fn check_exclusive(&mut self, host: usize) -> Check {
        let now = self.queue.now();
        if self.store.latest().is_none() {
            return Ok(());
        }
        for (other, place) in self.hosts.iter().enumerate() {
            let in_office = other != host
                && place.is_up()
                && place.facts.won
                && !place.facts.closing
                && place
                    .facts
                    .authority
                    .is_none_or(|authority| place.clock.read(now) < authority);
            if in_office && self.is_lease() && !self.excludes(host, other) {
                self.sometimes.hit("two_led_at_once");
                return Ok(());
            }
            if in_office {
                return Err(self.violation("two leaders", format!("c{host} and c{other}")));
            }
        }
        Ok(())
    }
}
