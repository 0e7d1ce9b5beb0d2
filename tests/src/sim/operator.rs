//! What operators do to the configuration's servers, and a clock that jumps.

use std::time::Duration;

use stepdown_core::{Event, ServerId};

use super::check::Check;
use super::clock::At;
use super::configuration::Address;
use super::server::Server;
use super::world::{What, World};

/// A person says twice of a server that it never comes back, so long apart: shards that were not led at first
/// may be.
const SAID_AGAIN: Duration = Duration::from_secs(20);

impl World<'_> {
    /// One more namespace is configured, or one that was removed is again.
    pub(super) fn add_namespace(&mut self, shards: u32) {
        let namespaces = &mut self.configured.namespaces;
        let names = (1..).map(|at| format!("more-{at}"));
        let mut free = names.filter(|name| namespaces.iter().all(|(other, _)| other != name));
        if let Some(name) = free.next() {
            let now = self.queue.now();
            self.configured.since.insert(name.clone(), now);
            namespaces.push((name, shards));
            self.announce_configuration();
        }
    }

    /// A namespace is configured no longer.
    pub(super) fn remove_namespace(&mut self, which: usize) {
        let namespaces = &mut self.configured.namespaces;
        if let Some(which) = which.checked_rem(namespaces.len()) {
            namespaces.remove(which);
            self.announce_configuration();
            self.sometimes.hit("namespace_removed");
        }
    }

    /// A server that no shard is on yet is configured, or one that was removed is again.
    pub(super) fn add_server(&mut self) {
        let absent = (0..self.servers.len()).find(|server| {
            let address = &self.servers[*server].address;
            !self.configured.servers.contains(address)
        });
        if let Some(server) = absent {
            let address = self.servers[server].address.clone();
            self.configured.servers.push(address);
            self.announce_configuration();
            self.sometimes.hit("server_added");
        }
    }

    /// A server is configured no longer: its shards go elsewhere.
    pub(super) fn remove_server(&mut self, server: usize) {
        if self.can_be_removed(server) {
            let address = self.servers[server].address.clone();
            self.configured.servers.retain(|other| *other != address);
            self.announce_configuration();
            self.sometimes.hit("server_removed");
        }
    }

    fn can_be_removed(&self, server: usize) -> bool {
        let least = self.configured.replication as usize;
        let Server { address, moves, .. } = &self.servers[server];
        // Where it is now may not be stored yet, and nobody would look for it there any more.
        let settled = *moves == 0 && self.configured.servers.contains(address);
        settled && self.configured.servers.len() > least
    }

    /// A server is lost with its disk, and is configured no longer: a person says so after a while. All the
    /// same it comes back, empty, when all is healed.
    pub(super) fn lose_server(&mut self, server: usize, until: At) {
        if !self.can_be_removed(server) || !self.can_spare(server) {
            return;
        }
        self.crash_server(server, false, true);
        self.servers[server].empty(server);
        self.remove_server(server);
        for said in [until, until.plus(SAID_AGAIN)] {
            self.queue.at(said, What::GivenUp(server));
        }
        self.sometimes.hit("server_lost");
    }

    /// A person gives up on a server that was lost.
    pub(super) fn give_up(&mut self, server: usize) -> Check {
        let place = &self.servers[server];
        if place.up || self.configured.servers.contains(&place.address) {
            return Ok(());
        }
        let server = id_of(&place.address);
        self.history.given_up.insert(server.clone());
        for held in self.history.held.values_mut() {
            held.remove(&server);
        }
        for host in 0..self.hosts.len() {
            let server = server.clone();
            self.deliver(host, Event::ServerGivenUp { server })?;
        }
        Ok(())
    }

    /// A server that is configured comes back elsewhere.
    pub(super) fn move_server(&mut self, server: usize, until: At) {
        let before = self.servers[server].address.clone();
        if !self.configured.servers.contains(&before) {
            return;
        }
        self.crash_server(server, false, true);
        self.servers[server].relocate(server);
        for address in &mut self.configured.servers {
            if *address == before {
                *address = self.servers[server].address.clone();
            }
        }
        self.queue.at(until, What::ServerStarts(server));
        self.announce_configuration();
        self.sometimes.hit("address_changed");
    }

    /// A coordinator's clock jumps ahead. From then on a lease promises nothing of it.
    pub(super) fn jump(&mut self, host: usize, by: Duration) -> Check {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let place = &mut self.hosts[host];
        place.clock.offset = place.clock.offset.saturating_add(by);
        place.clock_jumped = true;
        self.sometimes.hit("clock_jumped");
        self.carry_on(host)?;
        self.set_lease_alarm(host);
        Ok(())
    }
}

fn id_of(address: &Address) -> ServerId {
    ServerId(address.name.as_str().into())
}
