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
        let status = self.ledger.working();
        let configuration = self.configuration.as_ref();
        let is_replaced = configuration.is_some_and(|it| status.is_replaced(id, it));
        if server.give_up(is_replaced) {
            context.report(Report::ServerGivenUp { server: id.clone() });
            self.each_shard(context, ShardController::time_passed);
        }
    }
}
