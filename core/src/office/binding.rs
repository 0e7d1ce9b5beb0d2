//! What a server's binding to the cluster, or the want of it, says of its shards.

use super::Office;
use crate::call::{CallError, CallErrorKind};
use crate::context::Context;
use crate::id::{RequestId, ServerId};
use crate::report::Report;
use crate::server::News;

impl Office {
    /// A server says to whomever that it is bound to no cluster.
    pub(super) fn uninitialized(
        &mut self,
        id: &ServerId,
        call: Option<RequestId>,
        context: &mut Context,
    ) {
        self.with_server(id, context, |server, context| {
            server.uninitialized(call, context);
            News::None
        });
    }

    /// A shard's call could not reach a server that seemed to run: before it is tried again and
    /// again, it is looked at whether the server is there.
    pub(super) fn unreached(&mut self, id: &ServerId, context: &mut Context) {
        self.with_server(id, context, |server, context| {
            if !server.is_suspected() {
                server.suspect(context);
            }
            News::None
        });
    }

    /// A server has just been bound. If it has a part in shards that were led already, their data
    /// ought to have been there.
    pub(super) fn report_emptied(&self, id: &ServerId, context: &mut Context) {
        let accepted = self.ledger.accepted().shards();
        let led = accepted.filter(|(_, _, shard)| {
            let is_member = || shard.ensemble.iter().any(|member| member.id() == *id);
            shard.was_led() && is_member()
        });
        let shards = u32::try_from(led.count()).unwrap_or(u32::MAX);
        if shards > 0 {
            context.report(Report::ServerEmptied {
                server: id.clone(),
                shards,
            });
        }
    }
}

/// Whether the server says that it is bound to no cluster.
pub(super) fn is_uninitialized(error: &CallError) -> bool {
    error.kind == CallErrorKind::NotInitialized
}

/// Whether the call did not reach the server, or its connection broke.
pub(super) fn is_unreachable(error: &CallError) -> bool {
    error.kind == CallErrorKind::Unreachable
}
