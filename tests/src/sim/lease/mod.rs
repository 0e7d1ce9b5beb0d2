//! Who may lead: the election machines around one lease object, or a lock.

mod by_hand;
mod client;
mod lock;
mod object;
mod report;
mod trouble;
mod watch;

use std::time::Duration;

use stepdown_core::lease::{LeaseEvent, LeaseTiming};
use stepdown_core::{Epoch, Tenure};

use super::check::Check;
use super::plan::Leadership;
use super::world::World;

pub use client::Client;
pub use object::{Ask, Object};
pub use trouble::{LeaseTrouble, Thief, trouble};

pub const TIMING: LeaseTiming = LeaseTiming::DEFAULT;
pub const DRAIN: Duration = TIMING.drain;

impl World<'_> {
    pub(super) fn campaign(&mut self, host: usize, tenure: Tenure) -> Check {
        let now = self.queue.now();
        let client = &mut self.hosts[host].client;
        client.tenure = tenure;
        client.closed = false;
        client.campaigns_since = Some(now);
        match self.plan.leadership {
            Leadership::Lease => self.tell_lease(host, LeaseEvent::CampaignRequested),
            Leadership::Lock => {
                self.want_lock(host);
                Ok(())
            }
        }
    }

    /// The fencing write is durable.
    pub(super) fn raise_epoch(&mut self, host: usize, epoch: Epoch) -> Check {
        match self.plan.leadership {
            Leadership::Lease => self.tell_lease(host, LeaseEvent::EpochRaised(epoch)),
            Leadership::Lock => Ok(()),
        }
    }

    /// The office is closed: the lease is held, but not renewed any more.
    pub(super) fn stop_renewing(&mut self, host: usize) -> Check {
        let client = &mut self.hosts[host].client;
        client.campaigns_since = None;
        client.closed = true;
        match self.plan.leadership {
            Leadership::Lease => self.tell_lease(host, LeaseEvent::OfficeClosed),
            Leadership::Lock => {
                self.want_no_lock(host);
                Ok(())
            }
        }
    }

    pub(super) fn release(&mut self, host: usize) -> Check {
        match self.plan.leadership {
            Leadership::Lease => {
                let client = &mut self.hosts[host].client;
                client.office = None;
                client.releases = true;
                self.tell_lease(host, LeaseEvent::ReleaseRequested)
            }
            Leadership::Lock => {
                self.unlock(host);
                Ok(())
            }
        }
    }

    /// The greatest epoch known beside the document: what its next leader has to exceed.
    pub(super) fn epoch_beside(&self, host: usize) -> Epoch {
        let machine = self.hosts[host].client.machine.as_ref();
        match self.plan.leadership {
            Leadership::Lease => machine.map_or(Epoch(0), |machine| machine.epoch()),
            Leadership::Lock => self.store.epoch,
        }
    }
}
