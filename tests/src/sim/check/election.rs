//! B1, B2, B10, B11 and D1, D4 of the lease: who may lead, until when, and who gives it back.

use std::time::Duration;

use stepdown_core::Timestamp;
use stepdown_core::lease::LeaseRecord;

use super::Check;
use crate::sim::clock::{At, Clock};
use crate::sim::lease::{Ask, DRAIN, TIMING};
use crate::sim::world::{What, World};

/// What the last trouble with the lease may have left behind has passed after this: a request that
/// nobody answers, and the wait before the next try.
const AFTERMATH: Duration = Duration::from_secs(8);

impl World<'_> {
    /// D1, D4: a closed office neither renews nor bids, and the lease is given back when the
    /// office is empty, or was never opened.
    pub(in crate::sim) fn check_lease_sent(&self, host: usize, record: &LeaseRecord) -> Check {
        let place = &self.hosts[host];
        if record.is_held() && place.client.closed {
            return Err(self.violation(
                "D1",
                format!("c{host} asks for the lease after its office was closed"),
            ));
        }
        let facts = &place.facts;
        if !record.is_held() && facts.won && !facts.drained {
            return Err(self.violation(
                "D4",
                format!("c{host} gives the lease back before it has drained"),
            ));
        }
        Ok(())
    }

    /// B10: a release takes the lease from nobody else.
    pub(in crate::sim) fn check_lease_write(&self, ask: &Ask, record: &LeaseRecord) -> Check {
        let before = self.lease.lease.as_ref().map(|lease| &lease.record);
        let ours = record.is_held()
            || before.is_some_and(|before| self.hosts[ask.host].was_written_by(ask.boot, before));
        if ours {
            return Ok(());
        }
        Err(self.violation("B10", format!("c{} gives back {before:?}", ask.host)))
    }

    /// B2: authority is what an applied write gives, counted from its sending.
    pub(in crate::sim) fn check_authority_earned(
        &self,
        host: usize,
        authority: Timestamp,
    ) -> Check {
        let place = &self.hosts[host];
        let earned = place.client.applied.iter();
        if earned
            .map(|sent| sent.after(TIMING.authority))
            .any(|end| end == authority)
        {
            return Ok(());
        }
        Err(self.violation(
            "B2",
            format!("no write of c{host} gives it authority until {authority:?}"),
        ))
    }

    /// B1: whoever wins finds every other office empty, or its authority and its time to drain
    /// over, by its own clock.
    pub(in crate::sim) fn check_sole_winner(&mut self, winner: usize) -> Check {
        let now = self.queue.now();
        for other in (0..self.hosts.len()).filter(|other| *other != winner) {
            let place = &self.hosts[other];
            let Some(authority) = place.client.office.filter(|_| place.is_up()) else {
                continue;
            };
            if !self.excludes(winner, other) {
                let at = self.hosts[other].clock.read(now);
                self.hosts[other].client.robbed = Some((authority, at));
            } else if place.clock.read(now) < authority.after(DRAIN) {
                return Err(self.violation(
                    "B1",
                    format!("c{winner} wins while c{other} may be in office until {authority:?}"),
                ));
            }
        }
        Ok(())
    }

    /// Whether the lease promises that these two do not lead at once. It does not where their
    /// clocks differ too much, or have jumped; nor of one from whom somebody with such a clock has
    /// taken the lease, and may have passed it on; nor before there is a document, nor where it was deleted so often
    /// that a candidate takes two absences for one: then the fencing of the document is left.
    pub(super) fn excludes(&self, one: usize, other: usize) -> bool {
        let alike = Clock::agree(
            self.hosts[one].clock,
            self.hosts[other].clock,
            TIMING.clock_error,
        );
        let steady = [one, other]
            .iter()
            .all(|host| !self.hosts[*host].clock_jumped);
        let is_whole = |host: &usize| {
            let client = &self.hosts[*host].client;
            let robbed = client.robbed.map(|(office, _)| office);
            robbed.is_none() || robbed != client.office
        };
        let whole = [one, other].iter().all(is_whole);
        alike && steady && whole && self.store.latest().is_some() && self.lease.deletions < 2
    }

    /// B11: the lease was given back; somebody who wants it has it soon.
    pub(in crate::sim) fn expect_successor(&mut self, is_reserved: bool) {
        let look = if !self.plan.watched {
            TIMING.retry * 11 / 5
        } else if self.healed && self.lease.unwatched < self.queue.now() {
            Duration::ZERO
        } else {
            TIMING.authority * 77 / 100
        };
        let reserve = if is_reserved {
            TIMING.retry * 5 / 2
        } else {
            Duration::ZERO
        };
        // By the slowest clock, and with some round trips.
        let wait = (look + reserve) * 11 / 10 + Duration::from_millis(300);
        let released = self.queue.now();
        self.queue
            .after(wait, What::SuccessorDue(self.lease.version, released));
    }

    pub(in crate::sim) fn check_successor(&mut self, version: u64, released: At) -> Check {
        if self.lease.version != version {
            self.sometimes.hit("released_lease_taken_in_time");
            return Ok(());
        }
        if self.lease.troubled.plus(AFTERMATH) > released || self.plan.wild_clocks {
            return Ok(());
        }
        let waiting = self.hosts.iter().position(|place| {
            let since = place.client.campaigns_since;
            place.is_up()
                && place.paused.is_none()
                && place.client.resumed < released
                && since.is_some_and(|since| since.plus(AFTERMATH) < released)
        });
        let Some(host) = waiting else {
            return Ok(());
        };
        Err(self.violation(
            "B11",
            format!("c{host} has not taken what was given back at {released}"),
        ))
    }
}
