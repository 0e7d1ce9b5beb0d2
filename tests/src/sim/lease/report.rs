//! What a candidate reports to the coordinator beside it.

use stepdown_core::Event;
use stepdown_core::lease::LeaseReport;

use super::TIMING;
use crate::sim::check::Check;
use crate::sim::world::World;

impl World<'_> {
    pub(super) fn lease_reported(&mut self, host: usize, report: LeaseReport) -> Check {
        let client = &mut self.hosts[host].client;
        let tenure = client.tenure;
        let event = match report {
            LeaseReport::Won { authority } => {
                client.campaigns_since = None;
                client.office = Some(authority);
                self.check_authority_earned(host, authority)?;
                self.check_sole_winner(host)?;
                self.note_how_it_was_won();
                let authority = Some(authority);
                Event::LeadershipWon { tenure, authority }
            }
            LeaseReport::Extended { authority } => {
                // It was written before the lease was taken, and is heard of only now.
                if let Some((office, at)) = client.robbed
                    && Some(office) == client.office
                    && authority <= at.after(TIMING.authority)
                {
                    client.robbed = Some((authority, at));
                }
                client.office = Some(authority);
                self.check_authority_earned(host, authority)?;
                Event::AuthorityExtended { tenure, authority }
            }
            LeaseReport::Lost { reason } => {
                self.sometimes.hit("lease_lost");
                if reason.contains("of the same name") {
                    self.sometimes.hit("stepped_aside_for_a_namesake");
                }
                Event::LeadershipLost { tenure, reason }
            }
            LeaseReport::CoolingDown { .. } => {
                client.campaigns_since = None;
                self.sometimes.hit("cooled_down");
                return Ok(());
            }
            LeaseReport::Released { .. } => {
                client.releases = false;
                return Ok(());
            }
            LeaseReport::HolderChanged { .. } | LeaseReport::Refused { .. } => return Ok(()),
        };
        self.hosts[host].inbox.push_back(event);
        Ok(())
    }

    fn note_how_it_was_won(&mut self) {
        let now = self.queue.now();
        if !self.plan.watched {
            self.sometimes.hit("lease_won_without_a_watch");
        } else if now < self.lease.unwatched {
            self.sometimes.hit("lease_won_while_the_watch_was_silent");
        }
    }
}
