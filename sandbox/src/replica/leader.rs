//! A shard that leads, or is about to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use stepdown_core::call::{AddFollower, BecomeLeader, EntryId, ReplicaRole};
use stepdown_core::{ShardId, Term};

use super::log::Log;
use super::message::{Body, Message};
use super::request::{Refusal, Reply, Token};
use super::shard::{After, Context, DurableShard, Object, Replica};

#[derive(Clone, Debug)]
pub(super) struct LeaderObject {
    pub(super) role: ReplicaRole,
    pub(super) lead: Option<Lead>,
    frozen: bool,
    /// The request that keeps all others waiting.
    busy: Option<Busy>,
}

#[derive(Clone, Debug)]
enum Busy {
    /// Waits for a quorum to have the whole log.
    Becoming(Token),
    /// Waits for a follower to be truncated.
    Adding(Token, CursorKey),
}

#[derive(Clone, Debug)]
pub(super) struct Lead {
    replication_factor: u32,
    /// The head of the log when the replica was made leader.
    election_head: EntryId,
    cursors: BTreeMap<CursorKey, Cursor>,
    /// Clients' writes that are not committed, oldest first.
    appends: VecDeque<(Token, EntryId)>,
}

/// Whom a leader feeds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CursorKey {
    peer: Arc<str>,
    target: ShardId,
    observer: bool,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The follower has the log up to here.
    acked: i64,
    /// The commit offset that was sent last.
    advertised: i64,
    state: CursorState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CursorState {
    /// Nothing is on the way.
    Idle,
    /// An append is on the way.
    Sent,
    /// An append of the whole log is on the way.
    SentWhole,
    /// A truncation to this entry is on the way.
    Truncating(EntryId),
}

impl Replica {
    pub(super) fn leads(&self) -> Option<Term> {
        match &self.object {
            Object::Leader(leader) if leader.role == ReplicaRole::Leader => Some(self.durable.term),
            Object::Leader(_) | Object::Follower(_) | Object::Closed => None,
        }
    }

    pub(super) fn busy(&self) -> bool {
        matches!(&self.object, Object::Leader(leader) if leader.busy.is_some())
    }

    /// Whether a follower owes an answer.
    pub(super) fn owed(&self) -> bool {
        self.cursors()
            .any(|(_, cursor)| cursor.state != CursorState::Idle)
    }

    pub(super) fn feeds(&self, peer: &str) -> bool {
        self.cursors().any(|(key, _)| *key.peer == *peer)
    }

    pub(super) fn become_leader(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &BecomeLeader,
    ) -> Result<Option<Reply>, Refusal> {
        if !matches!(self.object, Object::Leader(_)) {
            self.object = Object::Leader(LeaderObject::new(self.role_when_opened()));
        }
        let Some((leader, mut at)) = self.as_leader(context) else {
            return Err(Refusal::InvalidStatus);
        };
        if leader.role != ReplicaRole::Fenced {
            return Err(Refusal::InvalidStatus);
        }
        if request.term != at.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        let head = at.durable.log.head();
        if request.follower_maps.values().any(|f| f.term > head.term) {
            return Err(Refusal::InvalidTerm);
        }
        let lead = leader.lead.insert(Lead {
            replication_factor: request.replication_factor,
            election_head: head,
            cursors: BTreeMap::new(),
            appends: VecDeque::new(),
        });
        for (peer, follower_head) in &request.follower_maps {
            let key = CursorKey::follower(peer, at.id);
            lead.attach(&mut at, key, *follower_head);
        }
        leader.busy = Some(Busy::Becoming(token));
        leader.advance(&mut at);
        Ok(None)
    }

    pub(super) fn add_follower(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &AddFollower,
    ) -> Result<Option<Reply>, Refusal> {
        let key = CursorKey::follower(&request.follower, self.id);
        self.add_cursor(context, token, request, key)
    }

    pub(super) fn add_observer(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &AddFollower,
        target: Option<ShardId>,
    ) -> Result<Option<Reply>, Refusal> {
        let key = CursorKey {
            peer: request.follower.clone(),
            target: target.unwrap_or(self.id),
            observer: true,
        };
        self.add_cursor(context, token, request, key)
    }

    fn add_cursor(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
        request: &AddFollower,
        key: CursorKey,
    ) -> Result<Option<Reply>, Refusal> {
        let (leader, mut at) = self.as_leader(context).ok_or(Refusal::NotLeader)?;
        if request.term != at.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        let lead = leader.lead_as_leader().ok_or(Refusal::NotLeader)?;
        if lead.cursors.contains_key(&key) {
            return Ok(Some(Reply::FollowerAdded));
        }
        if !key.observer && lead.is_full() {
            return Err(Refusal::AllFollowersAttached);
        }
        if request.head.term > lead.election_head.term {
            return Err(Refusal::InvalidTerm);
        }
        lead.attach(&mut at, key.clone(), request.head);
        leader.busy = Some(Busy::Adding(token, key));
        leader.advance(&mut at);
        Ok(None)
    }

    pub(super) fn remove_observer(
        &mut self,
        term: Term,
        follower: &Arc<str>,
        target: ShardId,
    ) -> Result<Reply, Refusal> {
        let Object::Leader(leader) = &mut self.object else {
            return Err(Refusal::NotLeader);
        };
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        if let Some(lead) = &mut leader.lead {
            lead.cursors.remove(&CursorKey {
                peer: follower.clone(),
                target,
                observer: true,
            });
        }
        Ok(Reply::ObserverRemoved)
    }

    pub(super) fn freeze(&mut self, term: Term, frozen: bool) -> Result<Reply, Refusal> {
        let Object::Leader(leader) = &mut self.object else {
            return Err(Refusal::NotLeader);
        };
        if term != self.durable.term {
            return Err(Refusal::InvalidTerm);
        }
        if leader.role != ReplicaRole::Leader {
            return Err(Refusal::InvalidStatus);
        }
        leader.frozen = frozen;
        Ok(Reply::Frozen {
            head_offset: self.durable.log.head().offset,
        })
    }

    pub(super) fn append(
        &mut self,
        context: &mut Context<'_>,
        token: Token,
    ) -> Result<Option<Reply>, Refusal> {
        let (leader, mut at) = self.as_leader(context).ok_or(Refusal::NotLeader)?;
        if leader.frozen {
            return Err(Refusal::NotLeader);
        }
        let lead = leader.lead_as_leader().ok_or(Refusal::NotLeader)?;
        at.context.touch(at.id, at.durable);
        at.durable.log.append(at.durable.term, 1);
        lead.appends.push_back((token, at.durable.log.head()));
        lead.feed(&mut at);
        leader.advance(&mut at);
        Ok(None)
    }

    /// Handles a follower's answer.
    pub(super) fn lead_on(&mut self, context: &mut Context<'_>, message: Message) -> After {
        let Some((leader, mut at)) = self.as_leader(context) else {
            return After::Keep;
        };
        let (true, Some(lead)) = (message.term == at.durable.term, &mut leader.lead) else {
            return After::Keep;
        };
        let Some((key, cursor)) = lead.cursor_of(&message) else {
            return After::Keep;
        };
        match message.body {
            Body::Appended { offset } => cursor.appended(offset, &at.durable.log),
            Body::AppendRefused { refusal, head } => {
                cursor.append_refused(&mut at, &key, &refusal, head);
            }
            Body::Truncated { head } => cursor.truncated(&mut at, &key, head),
            Body::TruncateRefused { refusal } => {
                if matches!(cursor.state, CursorState::Truncating(_)) {
                    lead.cursors.remove(&key);
                    leader.fail(&mut at, &key, refusal);
                }
            }
            Body::Append { .. } | Body::Truncate { .. } => {}
        }
        leader.advance(&mut at);
        After::Keep
    }

    /// Sends again to those followers that `choose` picks by address and by whether they owe an
    /// answer.
    pub(super) fn resend(
        &mut self,
        context: &mut Context<'_>,
        choose: impl Fn(&str, bool) -> bool,
    ) -> After {
        let Some((leader, mut at)) = self.as_leader(context) else {
            return After::Keep;
        };
        let cursors = leader.lead.iter_mut().flat_map(|lead| &mut lead.cursors);
        for (key, cursor) in cursors {
            if choose(&key.peer, cursor.state != CursorState::Idle) {
                cursor.send(&mut at, key);
            }
        }
        After::Keep
    }

    fn cursors(&self) -> impl Iterator<Item = (&CursorKey, &Cursor)> {
        let lead = match &self.object {
            Object::Leader(leader) => leader.lead.as_ref(),
            Object::Follower(_) | Object::Closed => None,
        };
        lead.into_iter().flat_map(|lead| &lead.cursors)
    }

    fn as_leader<'a, 'c, 'o>(
        &'a mut self,
        context: &'a mut Context<'o>,
    ) -> Option<(&'a mut LeaderObject, At<'c, 'o>)>
    where
        'a: 'c,
    {
        match &mut self.object {
            Object::Leader(leader) => Some((
                leader,
                At {
                    id: self.id,
                    durable: &mut self.durable,
                    context,
                },
            )),
            Object::Follower(_) | Object::Closed => None,
        }
    }
}

/// The rest of the shard that a leader works on.
struct At<'c, 'o> {
    id: ShardId,
    durable: &'c mut DurableShard,
    context: &'c mut Context<'o>,
}

impl At<'_, '_> {
    fn send(&mut self, key: &CursorKey, body: Body) {
        let message = Message {
            from: self.context.address.clone(),
            namespace: self.durable.namespace.clone(),
            source: self.id,
            target: key.target,
            term: self.durable.term,
            body,
        };
        self.context.send(key.peer.clone(), message);
    }
}

impl LeaderObject {
    pub(super) fn new(role: ReplicaRole) -> Self {
        Self {
            role,
            lead: None,
            frozen: false,
            busy: None,
        }
    }

    /// Stops leading: whoever waits for an answer is refused.
    pub(super) fn end(&mut self, context: &mut Context<'_>) {
        let busy = self.busy.take().map(|busy| match busy {
            Busy::Becoming(token) | Busy::Adding(token, _) => token,
        });
        let appends = self.lead.take().map(|lead| lead.appends);
        let appends = appends.into_iter().flatten().map(|(token, _)| token);
        for token in busy.into_iter().chain(appends) {
            context.reply(token, Err(Refusal::ResourceUnavailable));
        }
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
            Some(Busy::Adding(busy, key)) if *busy == token => {
                if let Some(lead) = &mut self.lead {
                    lead.cursors.remove(key);
                }
                self.busy = None;
            }
            Some(Busy::Becoming(_) | Busy::Adding(..)) | None => {}
        }
        if let Some(lead) = &mut self.lead {
            lead.appends.retain(|(append, _)| *append != token);
        }
    }

    fn lead_as_leader(&mut self) -> Option<&mut Lead> {
        self.lead
            .as_mut()
            .filter(|_| self.role == ReplicaRole::Leader)
    }

    /// A follower would not be truncated: whoever asked for it fails.
    fn fail(&mut self, at: &mut At<'_, '_>, key: &CursorKey, refusal: Refusal) {
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
    fn advance(&mut self, at: &mut At<'_, '_>) {
        let Some(lead) = &mut self.lead else {
            return;
        };
        at.durable.commit_offset = lead
            .quorum_offset(&at.durable.log)
            .max(at.durable.commit_offset);
        let committed = at.durable.commit_offset;
        while let Some((token, entry)) = lead.appends.pop_front_if(|(_, e)| e.offset <= committed) {
            at.context.reply(token, Ok(Reply::Appended(entry)));
        }
        lead.feed(at);
        match self.busy.take() {
            Some(Busy::Becoming(token)) if lead.is_complete(committed) => {
                self.role = ReplicaRole::Leader;
                at.context.reply(token, Ok(Reply::BecameLeader));
            }
            Some(Busy::Adding(token, key)) if !lead.is_truncating(&key) => {
                at.context.reply(token, Ok(Reply::FollowerAdded));
            }
            busy => self.busy = busy,
        }
    }
}

impl Lead {
    /// Feeds a follower from where its log ends; one whose log goes another way is truncated
    /// first.
    fn attach(&mut self, at: &mut At<'_, '_>, key: CursorKey, head: EntryId) {
        let common = if head.term == self.election_head.term {
            self.election_head
        } else {
            at.durable.log.last_at_most(head.term)
        };
        let mut cursor = Cursor {
            acked: -1,
            advertised: -1,
            state: CursorState::Truncating(common),
        };
        if head.term == common.term && head.offset <= common.offset {
            cursor.acked = head.offset;
            cursor.state = CursorState::Sent;
        }
        cursor.send(at, &key);
        self.cursors.insert(key, cursor);
    }

    /// How far a quorum, the leader included, has the log.
    fn quorum_offset(&self, log: &Log) -> i64 {
        let needed = usize::try_from(self.replication_factor / 2).unwrap_or(usize::MAX);
        let mut acked: Vec<i64> = self
            .cursors
            .iter()
            .filter(|(key, _)| !key.observer)
            .map(|(_, cursor)| cursor.acked)
            .collect();
        acked.sort_unstable_by(|a, b| b.cmp(a));
        match needed.checked_sub(1) {
            None => log.head().offset,
            Some(at) => acked.get(at).copied().unwrap_or(-1),
        }
    }

    fn feed(&mut self, at: &mut At<'_, '_>) {
        let head = at.durable.log.head().offset;
        for (key, cursor) in &mut self.cursors {
            let lags = cursor.acked < head
                || (key.observer && cursor.advertised < at.durable.commit_offset);
            if lags && cursor.state == CursorState::Idle {
                cursor.send(at, key);
            }
        }
    }

    fn is_full(&self) -> bool {
        let followers = self.cursors.keys().filter(|key| !key.observer).count();
        let followers = u32::try_from(followers).unwrap_or(u32::MAX);
        followers >= self.replication_factor.saturating_sub(1)
    }

    fn is_complete(&self, committed: i64) -> bool {
        committed >= self.election_head.offset
            && !self.cursors.keys().any(|key| self.is_truncating(key))
    }

    fn is_truncating(&self, key: &CursorKey) -> bool {
        self.cursors
            .get(key)
            .is_some_and(|cursor| matches!(cursor.state, CursorState::Truncating(_)))
    }

    /// The cursor that a follower's answer is for.
    fn cursor_of(&mut self, message: &Message) -> Option<(CursorKey, &mut Cursor)> {
        let mut key = CursorKey::follower(&message.from, message.target);
        if !self.cursors.contains_key(&key) {
            key.observer = true;
        }
        let cursor = self.cursors.get_mut(&key)?;
        Some((key, cursor))
    }
}

impl CursorKey {
    fn follower(peer: &Arc<str>, shard: ShardId) -> Self {
        Self {
            peer: peer.clone(),
            target: shard,
            observer: false,
        }
    }
}

impl Cursor {
    /// Sends what is due: the entries that follow, or the truncation.
    fn send(&mut self, at: &mut At<'_, '_>, key: &CursorKey) {
        let whole = match self.state {
            CursorState::Truncating(to) => {
                at.send(key, Body::Truncate { to });
                return;
            }
            CursorState::SentWhole => true,
            CursorState::Idle | CursorState::Sent => {
                self.state = CursorState::Sent;
                false
            }
        };
        self.advertised = at.durable.commit_offset;
        let body = Body::Append {
            previous: at.durable.log.entry_at_most(self.acked),
            entries: at.durable.log.after(self.acked),
            commit_offset: at.durable.commit_offset,
            whole,
        };
        at.send(key, body);
    }

    fn appended(&mut self, offset: i64, log: &Log) {
        if matches!(self.state, CursorState::Truncating(_)) {
            return;
        }
        self.acked = self.acked.max(offset.min(log.head().offset));
        self.state = CursorState::Idle;
    }

    fn append_refused(
        &mut self,
        at: &mut At<'_, '_>,
        key: &CursorKey,
        refusal: &Refusal,
        head: EntryId,
    ) {
        if !matches!(self.state, CursorState::Idle | CursorState::Sent) {
            return;
        }
        if *refusal == Refusal::NotMember {
            self.acked = -1;
            self.state = CursorState::SentWhole;
            self.send(at, key);
        } else if *refusal == Refusal::LogMismatch
            && head.offset < self.acked
            && at.durable.log.contains(head)
        {
            self.acked = head.offset;
            self.send(at, key);
        }
        // Anything else stays unanswered until it is sent again.
    }

    fn truncated(&mut self, at: &mut At<'_, '_>, key: &CursorKey, head: EntryId) {
        let CursorState::Truncating(asked) = self.state else {
            return;
        };
        if at.durable.log.contains(head) {
            self.acked = head.offset;
            self.state = CursorState::Sent;
        } else {
            let deeper = at.durable.log.last_at_most(head.term);
            if deeper == asked {
                return;
            }
            self.state = CursorState::Truncating(deeper);
        }
        self.send(at, key);
    }
}
