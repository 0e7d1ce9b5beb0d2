//! Where a shard's outputs go, and what it was before it changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stepdown_core::{ShardId, Term};

use super::durable::DurableShard;
use super::message::{Body, Message};
use super::output::Output;
use super::request::{Refusal, Reply, Token};

/// Where a shard's outputs and before-images go.
pub(super) struct Context<'a> {
    pub(super) address: &'a Arc<str>,
    /// A leader takes what a truncation answers as it is.
    pub(super) trusting: bool,
    pub(super) outputs: &'a mut VecDeque<Output>,
    pub(super) before: Option<&'a mut BTreeMap<ShardId, Option<DurableShard>>>,
}

impl Context<'_> {
    pub(super) fn reply(&mut self, token: Token, result: Result<Reply, Refusal>) {
        self.outputs.push_back(Output::Reply { token, result });
    }

    pub(super) fn send(&mut self, to: Arc<str>, message: Message) {
        self.outputs.push_back(Output::Send { to, message });
    }

    /// Answers a leader's message.
    pub(super) fn answer(&mut self, message: &Message, body: Body) {
        let answer = Message {
            from: self.address.clone(),
            namespace: message.namespace.clone(),
            source: message.source,
            target: message.target,
            term: message.term,
            body,
        };
        self.send(message.from.clone(), answer);
    }

    /// Refuses a leader's message.
    pub(super) fn refuse(&mut self, message: &Message, refusal: Refusal) {
        let body = match message.body {
            Body::Append { .. } | Body::Snapshot { .. } => Body::AppendRefused { refusal },
            Body::Truncate { .. } => Body::TruncateRefused { refusal },
            Body::Close
            | Body::Appended { .. }
            | Body::AppendRefused { .. }
            | Body::Truncated { .. }
            | Body::TruncateRefused { .. } => return,
        };
        self.answer(message, body);
    }

    /// Notes that the shard is about to change.
    pub(super) fn touch(&mut self, id: ShardId, durable: &DurableShard) {
        if let Some(before) = &mut self.before {
            before
                .entry(id)
                .or_insert_with(|| (durable.term != Term::NEVER).then(|| durable.clone()));
        }
    }
}

/// The rest of the shard that a leader works on.
pub(super) struct At<'c, 'o> {
    pub(super) id: ShardId,
    pub(super) durable: &'c mut DurableShard,
    pub(super) context: &'c mut Context<'o>,
}

impl At<'_, '_> {
    /// Sends a message to a follower's shard.
    pub(super) fn send(&mut self, peer: &Arc<str>, target: ShardId, body: Body) {
        let message = Message {
            from: self.context.address.clone(),
            namespace: self.durable.namespace.clone(),
            source: self.id,
            target,
            term: self.durable.term,
            body,
        };
        self.context.send(peer.clone(), message);
    }
}
