//! A shard as it is open to lead.

use stepdown_core::call::ReplicaRole;

use super::context::At;
use super::cursor::CursorKey;
use super::lead::Lead;
use super::message::Body;
use super::request::{Refusal, Reply, Token};

#[derive(Clone, Debug)]
pub(super) struct LeaderObject {
    pub(super) role: ReplicaRole,
    pub(super) lead: Option<Lead>,
    pub(super) frozen: bool,
    /// It was to be deleted in a lower term, and refused: it does nothing any more.
    pub(super) closed: bool,
    /// The request that keeps all others waiting.
    pub(super) busy: Option<Busy>,
}

#[derive(Clone, Debug)]
pub(super) enum Busy {
    /// Waits for a quorum to have the whole log.
    Becoming(Token),
    /// Waits for a follower to be truncated.
    Adding(Token, CursorKey),
}

impl LeaderObject {
    pub(super) fn new(role: ReplicaRole) -> Self {
        Self {
            role,
            lead: None,
            frozen: false,
            closed: false,
            busy: None,
        }
    }

    /// Stops leading: whoever waits for an answer is refused.
    pub(super) fn end(&mut self, at: &mut At<'_, '_>) {
        let busy = self.busy.take().map(|busy| match busy {
            Busy::Becoming(token) | Busy::Adding(token, _) => token,
        });
        let lead = self.lead.take();
        for key in lead.iter().flat_map(|lead| lead.cursors.keys()) {
            at.send(&key.peer, key.target, Body::Close);
        }
        let appends = lead.map(|lead| lead.appends);
        let appends = appends.into_iter().flatten().map(|(token, _)| token);
        for token in busy.into_iter().chain(appends) {
            at.context.reply(token, Err(Refusal::ResourceUnavailable));
        }
    }

    /// Stops for good.
    pub(super) fn close(&mut self, at: &mut At<'_, '_>) {
        self.end(at);
        at.durable.flushed = at.durable.commit_offset;
        self.role = ReplicaRole::NotMember;
        self.closed = true;
    }

    pub(super) fn awaits(&self, token: Token) -> bool {
        let busy = match &self.busy {
            Some(Busy::Becoming(busy) | Busy::Adding(busy, _)) => *busy == token,
            None => false,
        };
        let mut appends = self.lead.iter().flat_map(|lead| &lead.appends);
        busy || appends.any(|(append, _)| *append == token)
    }

    pub(super) fn cancel(&mut self, token: Token) {
        match &self.busy {
            Some(Busy::Becoming(busy)) if *busy == token => self.busy = None,
            // A follower is added though nobody waits for it.
            Some(Busy::Becoming(_) | Busy::Adding(..)) | None => {}
        }
        if let Some(lead) = &mut self.lead {
            lead.appends.retain(|(append, _)| *append != token);
        }
    }

    pub(super) fn expire(&mut self, token: Token) {
        if let Some(Busy::Adding(busy, key)) = &self.busy
            && *busy == token
        {
            if let Some(lead) = &mut self.lead {
                lead.cursors.remove(key);
            }
            self.busy = None;
        }
    }

    pub(super) fn lead_as_leader(&mut self) -> Option<&mut Lead> {
        self.lead
            .as_mut()
            .filter(|_| self.role == ReplicaRole::Leader)
    }

    /// A follower would not be truncated: whoever asked for it fails.
    pub(super) fn fail(&mut self, at: &mut At<'_, '_>, key: &CursorKey, refusal: Refusal) {
        match &self.busy {
            Some(Busy::Becoming(token)) => at.context.reply(*token, Err(refusal)),
            Some(Busy::Adding(token, adding)) if adding == key => {
                at.context.reply(*token, Err(refusal));
            }
            Some(Busy::Adding(..)) | None => return,
        }
        self.busy = None;
    }

    /// Moves the commit offset, answers what was waited for, and feeds who lags.
    pub(super) fn advance(&mut self, at: &mut At<'_, '_>) {
        let Some(lead) = &mut self.lead else {
            return;
        };
        lead.commit(&at.durable.log);
        let committed = lead.committed;
        while let Some((token, entry)) = lead.appends.pop_front_if(|(_, e)| e.offset <= committed) {
            at.context.reply(token, Ok(Reply::Appended(entry)));
        }
        lead.feed(at);
        match self.busy.take() {
            Some(Busy::Becoming(token)) if lead.is_complete(committed) => {
                self.role = ReplicaRole::Leader;
                let head = at.durable.head().offset;
                at.durable.commit_offset = at.durable.commit_offset.max(head);
                at.context.reply(token, Ok(Reply::BecameLeader));
            }
            Some(Busy::Adding(token, key)) if !lead.is_truncating(&key) => {
                at.context.reply(token, Ok(Reply::FollowerAdded));
            }
            busy => self.busy = busy,
        }
        if lead.has_written {
            // What was written is applied as it comes, whatever the database held before.
            at.durable.commit_offset = committed.min(at.durable.head().offset);
        }
    }
}
