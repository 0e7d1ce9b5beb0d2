//! A person gives up on a data server that never comes back.

use super::Office;
use crate::context::Context;
use crate::id::ServerId;
use crate::report::Report;
use crate::shard::ShardController;

impl Office {
    /// Shards wait no longer for it to delete what it had: those that are led, and those that are being
    /// deleted; any other once it is led.
    pub(crate) fn give_up(&mut self, id: &ServerId, context: &mut Context) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        let address = &server.identity().internal;
        let mut configured = self.configuration.iter().flat_map(|it| &it.servers);
        let is_replaced = configured.any(|it| it.internal == *address);
        if server.give_up(is_replaced) {
            context.report(Report::ServerGivenUp { server: id.clone() });
            self.each_shard(context, ShardController::time_passed);
        }
    }
}
