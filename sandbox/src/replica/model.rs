//! The server: its binding and its shards.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use stepdown_core::call::{Binding, Feature, ReplicaStatus};
use stepdown_core::{ShardId, Term};

use super::context::Context;
use super::durable::{Changes, Durability, DurableServer, DurableShard, Tail};
use super::log::Log;
use super::message::{Body, Message};
use super::output::Output;
use super::request::{Refusal, Reply, Request, Token};
use super::shard::{After, Replica};
use super::unknown::{answer_without_shard, opens};
use super::unsynced::Unsynced;

/// How long a data server tries to add a follower, whether the caller still waits or not.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One data server.
#[derive(Clone, Debug)]
pub struct DataServerModel {
    address: Arc<str>,
    features: BTreeSet<Feature>,
    instance_id: Option<Arc<str>>,
    shards: BTreeMap<ShardId, Replica>,
    /// Shards with a message to a follower that has not been answered.
    unanswered: BTreeSet<ShardId>,
    unsynced: Unsynced,
}

impl DataServerModel {
    /// An unbound server without shards, reached by others at the internal address `address`.
    pub fn new(
        address: impl Into<Arc<str>>,
        features: BTreeSet<Feature>,
        durability: Durability,
    ) -> Self {
        Self::recover(address, features, durability, DurableServer::default())
    }

    /// A server that has just started on what an earlier one left on disk.
    pub fn recover(
        address: impl Into<Arc<str>>,
        features: BTreeSet<Feature>,
        durability: Durability,
        disk: DurableServer,
    ) -> Self {
        Self {
            address: address.into(),
            features,
            instance_id: disk.instance_id,
            shards: disk
                .shards
                .into_iter()
                .map(|(id, durable)| (id, Replica::closed(id, durable)))
                .collect(),
            unanswered: BTreeSet::new(),
            unsynced: Unsynced::new(durability),
        }
    }

    /// Lets it lead as real ones do: what a truncation answers is taken as it is, so that an
    /// entry of another term may stay at the same offset.
    #[must_use]
    pub fn trusting(mut self) -> Self {
        self.unsynced.trusting = true;
        self
    }

    /// What the server can do.
    pub fn features(&self) -> &BTreeSet<Feature> {
        &self.features
    }

    /// The cluster it is bound to.
    pub(crate) fn instance_id(&self) -> Option<&Arc<str>> {
        self.instance_id.as_ref()
    }

    /// Binds the server to a cluster, if it is not bound. Where durability is deferred, the
    /// answer may be told only after the next sync.
    pub fn handshake(&mut self, instance_id: &str) -> Result<Binding, Refusal> {
        if instance_id.is_empty() {
            return Err(Refusal::EmptyInstanceId);
        }
        match &self.instance_id {
            Some(bound) if **bound == *instance_id => Ok(Binding::AlreadyBound),
            Some(_) => Ok(Binding::Mismatch),
            None => {
                self.instance_id = Some(instance_id.into());
                self.unsynced.bind();
                Ok(Binding::Bound)
            }
        }
    }

    /// Whether a request that carries this instance id is let in. Every one but the handshake
    /// and health must pass here first.
    pub fn admit(&self, instance_id: &str) -> Result<(), Refusal> {
        match &self.instance_id {
            None => Err(Refusal::NotInitialized),
            Some(_) if instance_id.is_empty() => Err(Refusal::EmptyInstanceId),
            Some(bound) if **bound == *instance_id => Ok(()),
            Some(_) => Err(Refusal::UnexpectedInstanceId(instance_id.into())),
        }
    }

    /// Handles a request. It is answered by one `Output::Reply`, perhaps much later; never, if
    /// it is cancelled or the server restarts first.
    pub fn handle_request(&mut self, token: Token, request: Request) {
        self.dispatch(VecDeque::from([(token, request)]));
        self.unsynced.settle();
    }

    /// Handles a message of another data server.
    pub fn handle_message(&mut self, message: Message) {
        let id = if message.body.is_answer() {
            message.source
        } else {
            message.target
        };
        if !message.body.is_answer() && message.body != Body::Close {
            if self.instance_id.is_none() {
                self.refuse(&message, Refusal::NotInitialized);
                return;
            }
            self.shards
                .entry(id)
                .or_insert_with(|| Replica::unknown(id, message.namespace.clone()));
        }
        self.with_shard(id, |replica, context| match message.body {
            Body::Append { .. } | Body::Snapshot { .. } | Body::Truncate { .. } | Body::Close => {
                replica.follow(context, message)
            }
            Body::Appended { .. }
            | Body::AppendRefused { .. }
            | Body::Truncated { .. }
            | Body::TruncateRefused { .. } => replica.lead_on(context, message),
        });
        self.unsynced.settle();
    }

    /// Forgets a request whose caller has gone: its deadline passed, or its connection broke.
    /// A follower that is being added stays so, and keeps the shard busy.
    pub fn cancel(&mut self, token: Token) {
        let waiting = self.those(|replica| replica.awaits(token));
        for id in waiting {
            self.with_shard(id, |replica, _| replica.cancel(token));
        }
        self.unsynced.settle();
    }

    /// The server's own patience with a request is at its end. [`PATIENCE`] after it came.
    pub fn expire(&mut self, token: Token) {
        let waiting = self.those(|replica| replica.awaits(token));
        for id in waiting {
            self.with_shard(id, |replica, _| replica.expire(token));
        }
        self.unsynced.settle();
    }

    /// Opens every stream to another data server again. A leader tries so now and then, the
    /// more seldom the longer it has failed.
    pub fn peer_connected(&mut self, peer: &str) {
        let leading = self.those(|replica| replica.feeds(peer));
        for id in leading {
            self.with_shard(id, |replica, context| {
                replica.resend(context, |name, _| name == peer)
            });
        }
        self.unsynced.settle();
    }

    /// The connection over which another server feeds this one has ended, and every stream on it.
    pub fn peer_disconnected(&mut self, peer: &str) {
        let fed = self.those(|replica| replica.is_fed_by(peer));
        for id in fed {
            self.with_shard(id, |replica, _| replica.end_stream());
        }
        self.unsynced.settle();
    }

    /// Drops what is committed of a shard's log, but the last entry: it has become old.
    pub fn trim(&mut self, shard: ShardId) {
        self.with_shard(shard, |replica, context| replica.trim(context));
        self.unsynced.settle();
    }

    /// A sync of the shard's log takes its time: what is appended to it from now on is not synced, and
    /// of a replica that is fenced meanwhile it stays so.
    pub fn lag(&mut self, shard: ShardId) {
        self.with_shard(shard, |replica, _| replica.lag());
        self.unsynced.settle();
    }

    /// What a stream that has ended since brought is not in it, and stays unsynced.
    pub fn forsake_sync(&mut self, shard: ShardId) {
        self.with_shard(shard, |replica, _| replica.forsake_sync());
        self.unsynced.settle();
    }

    /// It is over.
    pub fn sync_log(&mut self, shard: ShardId) {
        self.with_shard(shard, Replica::sync_log);
        self.unsynced.settle();
    }

    /// The next `NewTerm` fails once it is in the term: the log can't be read for a moment.
    pub fn garble(&mut self, shard: ShardId) {
        self.with_shard(shard, |replica, _| replica.garble());
        self.unsynced.settle();
    }

    /// Where the shard's log ends, with what is not synced.
    #[must_use]
    pub fn end(&self, shard: ShardId) -> Option<i64> {
        let replica = self.shards.get(&shard)?;
        Some(
            replica
                .durable
                .head()
                .offset
                .saturating_add(replica.unsynced()),
        )
    }

    /// Whether anything was appended to the shard's log in an earlier term that is not synced.
    pub fn has_unsynced(&self, shard: ShardId, before: Term) -> bool {
        let replica = self.shards.get(&shard);
        replica.is_some_and(|replica| replica.tail.iter().any(|run| run.term < before))
    }

    /// Of two `BecomeLeader`s in one term, the streams that the earlier one has not opened yet may
    /// come after those of the later one: lets them.
    pub fn outrun(&mut self, shard: ShardId) {
        if let Some(replica) = self.shards.get_mut(&shard) {
            replica.outrun();
        }
    }

    /// A follower hears how far the log is committed with an entry, and applies it when it comes to
    /// it: lets one have come so far, if what it has allows that. Of a leader this tells whether
    /// it is so.
    pub fn know_committed(&mut self, shard: ShardId, offset: i64) -> bool {
        match self.shards.get_mut(&shard) {
            Some(replica) => replica.know_committed(offset),
            None => true,
        }
    }

    /// Whether a follower owes an answer, so that `resend` would do something.
    pub fn has_unanswered(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// The followers that owe an answer, by their internal addresses, in their order.
    pub fn owing(&self) -> Vec<&Arc<str>> {
        let shards = self.unanswered.iter();
        let replicas = shards.filter_map(|id| self.shards.get(id));
        let mut owing: Vec<_> = replicas.flat_map(Replica::owing).collect();
        owing.sort_unstable();
        owing.dedup();
        owing
    }

    /// Whether a follower owes an answer.
    pub fn is_owed_by(&self, peer: &str) -> bool {
        let shards = self.unanswered.iter();
        let mut replicas = shards.filter_map(|id| self.shards.get(id));
        replicas.any(|replica| replica.owing().any(|other| **other == *peer))
    }

    /// Sends everything again that followers have not answered. Harmless at any time.
    pub fn resend(&mut self) {
        self.resend_to(|_| true);
    }

    /// The same, to those servers only that `choose` picks by their internal addresses.
    pub fn resend_to(&mut self, choose: impl Fn(&str) -> bool) {
        for id in self.unanswered.clone() {
            self.with_shard(id, |replica, context| {
                replica.resend(context, |peer, waits| waits && choose(peer))
            });
        }
        self.unsynced.settle();
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.unsynced.poll()
    }

    /// What must be made durable before `sync` may be called.
    pub(crate) fn unsynced(&self) -> Changes {
        Changes {
            instance_id: self
                .instance_id
                .clone()
                .filter(|_| self.unsynced.is_newly_bound()),
            shards: self
                .unsynced
                .shards()
                .map(|id| (id, self.durable_shard(id)))
                .collect(),
        }
    }

    /// Everything so far is durable: lets the outputs go that waited for it.
    pub fn sync(&mut self) {
        self.unsynced.sync();
    }

    /// Ends the process and starts it again: what is not durable is forgotten.
    pub fn restart(&mut self, tail: Tail) {
        if tail == Tail::Kept {
            self.shards.values_mut().for_each(Replica::keep_tail);
        }
        let mut disk = self.durable();
        if tail == Tail::Lost {
            if self.unsynced.is_newly_bound() {
                disk.instance_id = None;
            }
            disk.apply(Changes {
                instance_id: None,
                shards: self.unsynced.take_before(),
            });
        }
        let trusting = self.unsynced.trusting;
        *self = Self::recover(
            self.address.clone(),
            mem::take(&mut self.features),
            self.unsynced.durability(),
            disk,
        );
        self.unsynced.trusting = trusting;
    }

    /// All that is or is about to be on disk.
    pub fn durable(&self) -> DurableServer {
        DurableServer {
            instance_id: self.instance_id.clone(),
            shards: self
                .shards
                .keys()
                .filter_map(|id| Some((*id, self.durable_shard(*id)?)))
                .collect(),
        }
    }

    /// A shard's status as `GetStatus` would tell it, were nothing in its way.
    pub fn status(&self, shard: ShardId) -> Option<ReplicaStatus> {
        self.shards.get(&shard).and_then(Replica::status)
    }

    /// The term in which this server leads a shard.
    pub fn leads(&self, shard: ShardId) -> Option<Term> {
        self.shards.get(&shard).and_then(Replica::leads)
    }

    /// The shards that this server leads: the term, and what [`Self::log`] tells of each.
    pub fn leading(&self) -> impl Iterator<Item = (ShardId, Term, &Log, i64)> {
        self.shards.iter().filter_map(|(id, replica)| {
            let (term, durable) = (replica.leads()?, &replica.durable);
            Some((*id, term, &durable.log, durable.commit_offset))
        })
    }

    /// The term that a shard has promised, whether it is open or not.
    pub fn term(&self, shard: ShardId) -> Term {
        let replica = self.shards.get(&shard);
        replica.map_or(Term::NEVER, |replica| replica.durable.term)
    }

    /// All entries of a shard, in the log or not, and how far they are known to be committed.
    pub fn log(&self, shard: ShardId) -> Option<(&Log, i64)> {
        let durable = &self.shards.get(&shard)?.durable;
        Some((&durable.log, durable.commit_offset))
    }

    /// Every shard that the server knows.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.shards.keys().copied()
    }

    fn those(&self, choose: impl Fn(&Replica) -> bool) -> Vec<ShardId> {
        let shards = self.shards.iter();
        let chosen = shards.filter(|(_, replica)| choose(replica));
        chosen.map(|(id, _)| *id).collect()
    }

    fn durable_shard(&self, id: ShardId) -> Option<DurableShard> {
        self.shards
            .get(&id)
            .map(|replica| replica.durable.clone())
            .filter(|durable| durable.term != Term::NEVER)
    }

    fn dispatch(&mut self, mut requests: VecDeque<(Token, Request)>) {
        while let Some((token, request)) = requests.pop_front() {
            let Some(id) = request.shard() else {
                self.reply(token, Ok(Reply::Info(self.features.clone())));
                continue;
            };
            if let Some(namespace) = opens(&request) {
                self.shards
                    .entry(id)
                    .or_insert_with(|| Replica::unknown(id, namespace));
            }
            if !self.shards.contains_key(&id) {
                self.reply(token, answer_without_shard(&request));
                continue;
            }
            self.with_shard(id, |replica, context| {
                replica.handle(context, token, request)
            });
        }
    }

    /// Lets a shard work, and then whatever waited for it to be done.
    fn with_shard(
        &mut self,
        id: ShardId,
        work: impl FnOnce(&mut Replica, &mut Context<'_>) -> After,
    ) {
        let Some(replica) = self.shards.get_mut(&id) else {
            return;
        };
        let mut context = self.unsynced.context(&self.address);
        let after = work(replica, &mut context);
        let waiting = replica.take_ready();
        if replica.owing().next().is_some() {
            self.unanswered.insert(id);
        } else {
            self.unanswered.remove(&id);
        }
        if after == After::Delete {
            self.shards.remove(&id);
            self.unanswered.remove(&id);
        }
        if !waiting.is_empty() {
            self.dispatch(waiting);
        }
    }

    fn reply(&mut self, token: Token, result: Result<Reply, Refusal>) {
        self.unsynced.hold(Output::Reply { token, result });
    }

    fn refuse(&mut self, message: &Message, refusal: Refusal) {
        let mut context = self.unsynced.context(&self.address);
        context.refuse(message, refusal);
        self.unsynced.settle();
    }
}
