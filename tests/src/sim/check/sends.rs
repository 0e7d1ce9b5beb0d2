//! D1, at the data servers: nothing comes to them that was sent after its office was closed.

use super::Check;
use crate::sim::server::Packet;
use crate::sim::world::World;

impl World<'_> {
    pub(in crate::sim) fn note_close(&mut self, host: usize) {
        let place = &self.hosts[host];
        let tenure = (host, place.boot, place.tenancy.tenure());
        let now = self.queue.now();
        self.history.closed.entry(tenure).or_insert(now);
    }

    pub(in crate::sim) fn check_sent_in_office(&self, packet: &Packet) -> Check {
        let caller = packet.caller;
        let tenure = (caller.host, caller.boot, caller.tenure);
        let closed = self.history.closed.get(&tenure);
        if closed.is_some_and(|closed| packet.sent > *closed) {
            return Err(self.violation(
                "D1",
                format!(
                    "c{} sent {:?} at {}, after the close of {}",
                    caller.host, packet.call, packet.sent, caller.tenure
                ),
            ));
        }
        Ok(())
    }
}
