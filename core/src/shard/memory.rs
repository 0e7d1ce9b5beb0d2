//! Which shard it is, and what is remembered of it from one duty to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::ShardContext;
use super::exchange::Unfit;
use super::led::{Fit, Led};
use super::opened::Opened;
use super::position::Position;
use super::quorum::Quorum;
use super::told::{Tried, Unexplained};
use crate::backoff::Backoff;
use crate::call::{
    Answer, Call, CallError, DeleteShard, EntryId, NewTerm, ReplicaStatus, Truncate,
};
use crate::cluster::{DataServerIdentity, KeySorting, LastLeader, ShardMetadata};
use crate::context::{Context, Owner};
use crate::id::{RequestId, ServerId, ShardId, Term, Timestamp};
use crate::report::Report;
use crate::server::Reach;

/// So often the best one may fail to lead before the others are looked at without it.
const FAILURES: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) namespace: Arc<str>,
    pub(super) id: ShardId,
    /// The greatest term that any replica has reported.
    pub(super) seen: Term,
    /// Between attempts to elect.
    pub(super) backoff: Backoff,
    /// When the last election succeeded.
    pub(super) elected: Timestamp,
    /// When the present, or last, election attempt began.
    pub(super) began: Timestamp,
    /// Replicas that were found to have what is committed up to here in their databases, but no log.
    pub(super) fed: BTreeMap<ServerId, i64>,
    /// Up to where the present, or last, leader was seen to have committed. Whoever is to lead after
    /// it has to have that much, whatever the voters say: one of them may have lost the end of its
    /// log, or all of it.
    pub(super) committed: i64,
    /// With what logs leaders were made, and were told to lead.
    pub(super) led: Led,
    /// Anybody was made leader in this tenure.
    pub(super) has_made_a_leader: bool,
    /// Who is known to have led last, and in which term.
    leader: Option<(Term, ServerId)>,
    /// The last one who has led, or may have.
    last: Option<(Term, EntryId)>,
    /// Who is known to have lacked, when it was fenced later, the end of the log of one who was told to
    /// lead and was not heard of.
    lacking: BTreeMap<Term, BTreeSet<ServerId>>,
    /// Where the log of the present leader ended when it was looked at last.
    pub(super) ends_at: i64,
    /// Where it ended when that one was made leader, or was first seen to lead.
    pub(super) ended_at_first: i64,
    /// The last term in which somebody was made leader, or seen to lead.
    pub(super) led_in: Term,
    /// The last term in which this tenure told anybody to lead.
    pub(super) promoted: Term,
    /// The voters of a round in which nobody could be chosen: another one is of use only with
    /// others, or once something may have changed that nobody has told of.
    pub(super) undecided: BTreeSet<ServerId>,
    pub(super) unexplained: Unexplained,
    /// Who was chosen since somebody led, and what has become of it.
    pub(super) failed: BTreeMap<ServerId, Failures>,
    /// The followers of which was told that only an election without them could bring them back.
    pub(super) stuck: BTreeSet<ServerId>,
    /// Those of which was told that their logs can't become a part of their leader's.
    pub(super) left_out: BTreeSet<ServerId>,
    /// One has come in the place of another with the last term, or was to, and nobody has led since: with
    /// the next one it goes back.
    pub(super) goes_back: bool,
    /// `GetStatus` asked only to learn a replica's term.
    learning: BTreeSet<RequestId>,
    /// Who was to come last and has data of it.
    declined: Option<ServerId>,
    /// Who may have an empty replica, as it was asked whether it has anything.
    pub(super) opened: Opened,
}

/// How often one that was chosen could not lead.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    times: usize,
    /// In which term the last time.
    term: Term,
    tried: Tried,
    /// With which followers, one time or another.
    told: BTreeSet<ServerId>,
}

impl Default for Failures {
    fn default() -> Self {
        Self {
            times: 0,
            term: Term::NEVER,
            tried: Tried::default(),
            told: BTreeSet::new(),
        }
    }
}

impl Memory {
    pub(super) fn new(namespace: Arc<str>, id: ShardId) -> Self {
        Self {
            namespace,
            id,
            seen: Term::NEVER,
            backoff: Backoff::default(),
            elected: Timestamp::default(),
            began: Timestamp::default(),
            fed: BTreeMap::new(),
            committed: EntryId::NONE.offset,
            led: Led::default(),
            has_made_a_leader: false,
            leader: None,
            last: None,
            lacking: BTreeMap::new(),
            ends_at: EntryId::NONE.offset,
            ended_at_first: EntryId::NONE.offset,
            led_in: Term::NEVER,
            promoted: Term::NEVER,
            undecided: BTreeSet::new(),
            unexplained: Unexplained::default(),
            failed: BTreeMap::new(),
            stuck: BTreeSet::new(),
            left_out: BTreeSet::new(),
            goes_back: false,
            learning: BTreeSet::new(),
            declined: None,
            opened: Opened::default(),
        }
    }

    /// Nobody takes anybody's place.
    pub(super) fn not_exchanged(&mut self, unfit: &Unfit, cx: &mut ShardContext<'_>) {
        self.declined = unfit.declined().cloned();
        cx.context.report(Report::ExchangeRefused {
            namespace: self.namespace.clone(),
            shard: self.id,
            reason: unfit.to_string(),
        });
    }

    /// Who was to come last and has data of it; told once.
    pub(super) fn take_declined(&mut self) -> Option<ServerId> {
        self.declined.take()
    }

    /// The shard as the ledger has it, with every change made so far.
    pub(super) fn metadata(&self, cx: &ShardContext<'_>) -> Option<Arc<ShardMetadata>> {
        cx.ledger.shard(&self.namespace, self.id).cloned()
    }

    /// Whether this server is the stored leader.
    pub(super) fn is_led_by(&self, server: &ServerId, cx: &ShardContext<'_>) -> bool {
        let shard = self.metadata(cx);
        let leader = shard.as_ref().and_then(|shard| shard.leader.as_ref());
        leader.is_some_and(|leader| leader.id() == *server)
    }

    /// Whether a majority of the ensemble runs without this server.
    pub(super) fn is_spared(&self, server: &ServerId, cx: &ShardContext<'_>) -> bool {
        self.runs_without(cx, |id| id == server)
    }

    /// The same, where those that are left out don't count either.
    pub(super) fn is_spared_beside(&self, server: &ServerId, cx: &ShardContext<'_>) -> bool {
        self.runs_without(cx, |id| id == server || self.left_out.contains(id))
    }

    fn runs_without(&self, cx: &ShardContext<'_>, is_out: impl Fn(&ServerId) -> bool) -> bool {
        let Some(shard) = self.metadata(cx) else {
            return false;
        };
        let others = shard.ensemble.iter();
        let others = others.filter(|member| !is_out(&member.id()));
        let running = others.filter(|member| cx.reach(member) == Reach::Running);
        running.count() > shard.ensemble.len() / 2
    }

    /// Whether a member is stored with another address than the configured one.
    pub(super) fn is_misaddressed(&self, cx: &ShardContext<'_>) -> bool {
        let Some(shard) = self.metadata(cx) else {
            return false;
        };
        shard.ensemble.iter().any(|member| {
            cx.configured(member)
                .is_some_and(|server| !server.same_addresses(member))
        })
    }

    pub(super) fn call(
        &self,
        server: &DataServerIdentity,
        call: Call,
        cx: &mut ShardContext<'_>,
    ) -> RequestId {
        cx.context.call(Owner::Shard(self.id), server, call)
    }

    pub(super) fn ask_status(
        &self,
        server: &DataServerIdentity,
        cx: &mut ShardContext<'_>,
    ) -> RequestId {
        self.call(server, Call::GetStatus { shard: self.id }, cx)
    }

    pub(super) fn send_new_term(
        &self,
        term: Term,
        server: &DataServerIdentity,
        cx: &mut ShardContext<'_>,
    ) -> RequestId {
        let namespace = cx.namespace(&self.namespace);
        let call = Call::NewTerm(NewTerm {
            namespace: self.namespace.clone(),
            shard: self.id,
            term,
            enable_notifications: namespace
                .and_then(|namespace| namespace.notifications_enabled)
                .unwrap_or(true),
            key_sorting: namespace.map_or(KeySorting::Unknown, |namespace| namespace.key_sorting),
        });
        self.call(server, call, cx)
    }

    pub(super) fn send_truncate(
        &self,
        (term, head): (Term, EntryId),
        server: &DataServerIdentity,
        cx: &mut ShardContext<'_>,
    ) -> RequestId {
        let call = Call::Truncate(Truncate {
            namespace: self.namespace.clone(),
            shard: self.id,
            term,
            head,
        });
        self.call(server, call, cx)
    }

    pub(super) fn send_delete(
        &self,
        term: Term,
        server: &DataServerIdentity,
        cx: &mut ShardContext<'_>,
    ) -> RequestId {
        let call = Call::DeleteShard(DeleteShard {
            namespace: self.namespace.clone(),
            shard: self.id,
            term,
        });
        self.call(server, call, cx)
    }

    /// Asks a replica that is in a higher term for that term.
    pub(super) fn learn(&mut self, server: &DataServerIdentity, cx: &mut ShardContext<'_>) {
        let request = self.ask_status(server, cx);
        self.learning.insert(request);
    }

    /// Whether this request was made by [`Memory::learn`]; it no longer counts as one.
    pub(super) fn asked_to_learn(&mut self, request: RequestId) -> bool {
        self.learning.remove(&request)
    }

    /// Takes in what was learned. Returns whether a replica is in a greater term than the stored
    /// one.
    pub(super) fn learned(
        &mut self,
        result: Result<Answer, CallError>,
        cx: &ShardContext<'_>,
    ) -> bool {
        if let Ok(Answer::Status(status)) = result {
            self.note(status.term, cx);
        }
        self.metadata(cx)
            .is_some_and(|shard| self.seen > shard.term)
    }

    /// Notes a term that a replica has reported, unless it is not plausible: that replica is
    /// broken, and must not keep the shard from ever being elected. Returns whether it is plausible.
    pub(super) fn note(&mut self, term: Term, cx: &ShardContext<'_>) -> bool {
        let stored = self.metadata(cx).map_or(Term::NEVER, |shard| shard.term);
        let is_plausible = self.is_plausible(term, stored, cx.context);
        if is_plausible {
            self.seen = self.seen.max(term);
        }
        is_plausible
    }

    /// Whether a replica may really be in this term.
    pub(super) fn is_plausible(&self, term: Term, stored: Term, context: &Context) -> bool {
        term.0.saturating_sub(stored.0) <= context.timing.term_jump
    }

    /// Somebody leads in this term, with a log that ends here now.
    pub(super) fn leads(&mut self, term: Term, ends_at: i64) {
        if std::mem::replace(&mut self.led_in, term) != term {
            self.ended_at_first = ends_at;
        }
        self.ends_at = ends_at;
    }

    /// What the document tells of those who have led.
    pub(super) fn find(&mut self, shard: &ShardMetadata) {
        self.led = Led::found(shard);
        self.knows_the_last();
        let leader = shard.leader.as_ref().map(DataServerIdentity::id);
        let leader = leader.map(|leader| (shard.term, leader));
        if let Some(last) = &shard.last_leader {
            self.committed = self.committed.max(last.committed);
        }
        let last = shard.last_leader.clone();
        self.leader = leader.or(last.and_then(|it| Some((it.term, it.server?))));
        if !shard.beginnings.is_empty() {
            self.promoted = shard.term;
        }
    }

    /// The last one who is known to have led has committed all that it began with, as it had to before
    /// it led.
    fn knows_the_last(&mut self) {
        self.last = self.led.last();
        if let Some((_, began)) = self.last {
            self.committed = self.committed.max(began.offset);
        }
    }

    /// Somebody is told to lead, with a log that ends like this.
    pub(super) fn tells(&mut self, term: Term, head: EntryId) {
        self.promoted = term;
        self.led.tell(term, head);
    }

    /// That one leads.
    pub(super) fn has_led(&mut self, term: Term, leader: ServerId, head: EntryId) {
        self.left_out.remove(&leader);
        self.leader = Some((term, leader));
        self.led.record(term, head);
        self.has_made_a_leader = true;
        self.last = Some((term, head));
        self.lacking.clear();
        self.leads(term, head.offset);
    }

    /// Who has led last, for a coordinator that comes after.
    pub(super) fn last_leader(&self) -> Option<LastLeader> {
        let (term, server) = match &self.leader {
            Some((term, server)) => (*term, Some(server.clone())),
            // It has lost what it had.
            None if self.committed >= 0 => (self.last_led(), None),
            None => return None,
        };
        // Not what is only supposed: it would be taken for known.
        let committed = self.committed;
        Some(LastLeader {
            term,
            server,
            committed,
        })
    }

    /// What a voter has, by its status before it was fenced with this head.
    pub(super) fn position(
        &self,
        server: &ServerId,
        status: ReplicaStatus,
        head: EntryId,
    ) -> Position {
        let fed = self.fed.get(server).copied();
        let led = self.leader.as_ref().filter(|(_, leader)| leader == server);
        let led = led
            .map(|(term, _)| *term)
            .filter(|term| *term <= status.term);
        Position::new(status, head, fed, led, &self.led)
    }

    /// A server has lost its data.
    pub(super) fn server_emptied(&mut self, server: &ServerId) {
        self.fed.remove(server);
        self.leader.take_if(|(_, leader)| leader == server);
    }

    /// Whoever was told to lead, and was not heard of, may have led, committed its log, and had it
    /// read: unless so many lack the end of it that no majority can have it.
    pub(super) fn suppose(&mut self, quorum: &Quorum, votes: &[(ServerId, Position)]) {
        for (term, head) in votes.iter().filter_map(|(_, position)| position.began()) {
            self.led.learn(term, head);
        }
        self.knows_the_last();
        let told: BTreeMap<_, _> = self.led.told_since().collect();
        self.lacking.retain(|term, _| told.contains_key(term));
        for (term, head) in told {
            let lacks = |position: &Position| {
                let has_it = position.has_committed(head.offset)
                    || !self.led.lacks(position.head(), (term, head));
                !position.is_untold() && !has_it
            };
            let lack = votes.iter().filter(|(_, position)| lacks(position));
            let lack: Vec<_> = lack.map(|(server, _)| server.clone()).collect();
            let lacking = self.lacking.entry(term).or_default();
            lacking.extend(lack);
            if quorum.may_have(lacking) {
                self.last = Some((term, head));
            }
        }
    }

    /// The term of the last one who has led, or may have.
    pub(super) fn last_led(&self) -> Term {
        let supposed = self.last.map_or(Term::NEVER, |(term, _)| term);
        supposed.max(self.led_in)
    }

    /// Whether somebody may have led in this term with a log of which nothing is known, after the last
    /// one who is known to have led, or may have.
    pub(super) fn was_led_by_others(&self, term: Term) -> bool {
        let is_later = term > self.last_led();
        is_later && (term > self.led_in.max(self.promoted) || self.led.is_unknown(term))
    }

    /// Whether a log that ends like this, of a replica that is known to have what is committed up to
    /// `commit`, lacks what the last leader has committed, or began with. What it has more was never
    /// acknowledged: else that leader would have had it.
    pub(super) fn is_left(&self, head: EntryId, commit: i64) -> bool {
        let lacks = head.term < self.led_in && head.offset.max(commit) < self.committed;
        // If that leader led, then all that it began with is committed.
        let last = self.last.filter(|(_, began)| commit < began.offset);
        lacks || last.is_some_and(|last| self.led.is_left_by(head, last))
    }

    /// Whether a log that ends like this becomes a part of the present leader's, if that takes it in
    /// as it was elected, or is elected again.
    pub(super) fn fit(&self, term: Term, head: EntryId) -> Fit {
        let Some(began) = self.led.of(term) else {
            return Fit::Unknown;
        };
        let has_written = self.led_in == term && self.ends_at > began.offset;
        let leader = if has_written {
            let offset = self.ends_at;
            EntryId { term, offset }
        } else {
            began
        };
        self.led.fit(leader, head)
    }

    /// Whether a log that ends like this is part of the present leader's as it is: nothing is cut off.
    pub(super) fn is_part(&self, term: Term, head: EntryId) -> bool {
        let began = self.led.of(term);
        let is_of_beginning =
            began.is_some_and(|it| head.term == it.term && head.offset <= it.offset);
        head.term == term || is_of_beginning
    }

    /// In which term this one was chosen last, and could not lead, since somebody led.
    pub(super) fn failed_in(&self, server: &ServerId) -> Term {
        let failures = self.failed.get(server);
        failures.map_or(Term::NEVER, |failures| failures.term)
    }

    /// Whether this one has failed so often that the others are looked at without it.
    pub(super) fn has_failed(&self, server: &ServerId) -> bool {
        let failures = self.failed.get(server);
        failures.is_some_and(|failures| failures.times >= FAILURES)
    }

    /// With whom this one was to lead.
    pub(super) fn tried(&mut self, server: &ServerId) -> &mut Tried {
        &mut self.failed.entry(server.clone()).or_default().tried
    }

    /// Whether this one was told of that follower when it was to lead.
    pub(super) fn was_told(&self, server: &ServerId, follower: &ServerId) -> bool {
        let failures = self.failed.get(server);
        failures.is_some_and(|failures| failures.told.contains(follower))
    }

    /// This one is to lead, and is told of these followers.
    pub(super) fn is_to_lead(
        &mut self,
        server: &ServerId,
        followers: impl Iterator<Item = ServerId>,
    ) {
        let failures = self.failed.entry(server.clone()).or_default();
        failures.told.extend(followers);
    }

    /// The chosen one could not lead.
    pub(super) fn could_not_lead(&mut self, server: &ServerId) {
        let failures = self.failed.entry(server.clone()).or_default();
        failures.times += 1;
        failures.term = self.promoted;
    }

    /// A follower has lost its disk, and nobody could be elected without it. It is told of once.
    pub(super) fn stuck_with(&mut self, follower: &ServerId, cx: &mut ShardContext<'_>) {
        let Some(shard) = self.metadata(cx).filter(|_| !self.stuck.contains(follower)) else {
            return;
        };
        let away = shard
            .ensemble
            .iter()
            .filter(|member| member.id() != *follower && cx.reach(member) != Reach::Running);
        let away: Vec<_> = away.map(|member| member.id().to_string()).collect();
        let leader = shard.leader.as_ref().map(DataServerIdentity::id);
        let leader = leader.map(|id| format!("{id} leads")).unwrap_or_default();
        let waits = if away.is_empty() {
            String::new()
        } else {
            format!("; it waits for {}", away.join(", "))
        };
        let of = shard.ensemble.len();
        self.stuck.insert(follower.clone());
        let reason = format!(
            "{leader}, but nothing can be written: {follower} of its {of} replicas lost all data, and \
             is fed only after an election, which takes a majority that remembers{waits}; where they \
             never come back, `stepdown accept-loss` lets it be elected without"
        );
        self.blocked(&reason, cx);
    }

    /// A replica's log can't become a part of its leader's. It is told of once.
    pub(super) fn leave_out(&mut self, follower: &ServerId, fit: Fit, cx: &mut ShardContext<'_>) {
        if self.left_out.insert(follower.clone()) {
            cx.context.report(Report::ReplicaLeftOut {
                namespace: self.namespace.clone(),
                shard: self.id,
                server: follower.clone(),
                given_up: fit == Fit::GivenUp,
            });
        }
    }

    /// Says that somebody should look.
    pub(super) fn blocked(&self, reason: &str, cx: &mut ShardContext<'_>) {
        cx.context.report(Report::ShardBlocked {
            namespace: self.namespace.clone(),
            shard: self.id,
            reason: reason.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(term: i64, beginnings: &str) -> Memory {
        let mut memory = Memory::new("default".into(), ShardId(0));
        memory.find(&ShardMetadata {
            term: Term(term),
            beginnings: beginnings.parse().unwrap(),
            ..ShardMetadata::default()
        });
        memory
    }

    #[test]
    fn who_led_in_a_term_of_which_the_document_need_not_tell_was_made_by_a_coordinator_like_this_one()
     {
        let memory = found(4, "0@none 2@1/20 3@1/30");
        for term in 0..=4 {
            assert!(!memory.was_led_by_others(Term(term)), "{term}");
        }
        assert!(memory.was_led_by_others(Term(5)));
    }

    #[test]
    fn what_the_stored_leader_began_with_is_committed() {
        let mut memory = Memory::new("default".into(), ShardId(0));
        memory.find(&ShardMetadata {
            term: Term(3),
            leader: Some(DataServerIdentity {
                name: None,
                public: "s1:6648".into(),
                internal: "s1:6649".into(),
            }),
            beginnings: "0@none 3@0/20".parse().unwrap(),
            ..ShardMetadata::default()
        });
        assert_eq!(memory.committed, 20);
        // Nobody is known to have led with what was told.
        assert_eq!(found(3, "0@none 3@0/20").committed, -1);
    }

    fn led_by(committed: i64) -> Memory {
        let mut memory = Memory::new("default".into(), ShardId(0));
        memory.has_led(Term(1), ServerId("s1".into()), EntryId::NONE);
        memory.committed = committed;
        memory
    }

    #[test]
    fn what_is_only_supposed_to_be_committed_is_not_handed_on_as_known() {
        let mut memory = led_by(100);
        let head = EntryId {
            term: Term(1),
            offset: 120,
        };
        memory.tells(Term(2), head);
        let server = |name: &str| DataServerIdentity {
            name: Some(name.into()),
            public: "s:1".into(),
            internal: name.into(),
        };
        let three = Quorum::of(&ShardMetadata {
            ensemble: ["s1", "s2", "s3"].map(server).into(),
            ..ShardMetadata::default()
        });
        memory.suppose(&three, &[]);
        assert_eq!(memory.last.map(|(_, began)| began), Some(head));
        assert_eq!(memory.last_leader().unwrap().committed, 100);
    }

    #[test]
    fn what_was_committed_is_handed_on_though_who_led_last_has_lost_it() {
        let mut memory = led_by(30);
        memory.server_emptied(&ServerId("s1".into()));
        let last_leader = memory.last_leader();
        assert_eq!(last_leader.as_ref().unwrap().server, None);
        let mut next = Memory::new("default".into(), ShardId(0));
        next.find(&ShardMetadata {
            last_leader,
            ..ShardMetadata::default()
        });
        assert_eq!((next.committed, next.leader), (30, None));
    }

    #[test]
    fn who_led_in_a_term_that_somebody_else_may_have_used_was_made_by_others() {
        let memory = found(6, "0@none 2@1/20 3-5@unknown");
        let others = (0..8).filter(|term| memory.was_led_by_others(Term(*term)));
        assert_eq!(Vec::from_iter(others), [3, 4, 5, 7]);
        // Nothing is known of any.
        let memory = found(6, "");
        assert!((0..8).all(|term| memory.was_led_by_others(Term(term))));
    }
}
