//! The properties, each a small function that gives a violation under its name. What a tenure has
//! heard is kept as [`Facts`]; what holds over all tenures as [`History`].

mod answers;
mod assignments;
mod calls;
mod calm;
mod chain;
mod election;
mod facts;
mod fit;
mod followers;
mod heard;
mod reads;
mod sends;
mod servers;
mod stepdown;
mod stores;
mod useless;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::answers::fences;
use stepdown_core::assign::ShardAssignment;
use stepdown_core::call::{Call, EntryId};
use stepdown_core::cluster::ShardMetadata;
use stepdown_core::{Effect, Event, ProcessId, Report, ServerId, ShardId, Tenure, Term};

use stepdown_sandbox::replica::Log;

use super::clock::At;
use super::world::World;

pub use calm::Overdue;
pub use facts::Facts;
use reads::Readable;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its id.
    pub property: &'static str,
    /// When.
    pub at: At,
    /// What happened instead.
    pub text: String,
}

pub type Check = Result<(), Violation>;

/// The shards of a version as they are to be published, by namespace.
pub type Published = BTreeMap<Arc<str>, Vec<ShardAssignment>>;

/// What holds over all tenures.
#[derive(Debug, Default)]
pub struct History {
    pub voters: BTreeMap<(ShardId, Term), Voting>,
    /// Who was told to lead in each term, and where its log ended.
    pub promoted: BTreeMap<(ShardId, Term), (ServerId, EntryId)>,
    pub shards: BTreeMap<ShardId, Arc<str>>,
    pub instance_id: Option<Arc<str>>,
    pub epochs: BTreeMap<u64, (ProcessId, Tenure)>,
    pub published: BTreeMap<usize, Arc<Published>>,
    /// When each tenure's office was closed.
    pub closed: BTreeMap<(usize, u32, Tenure), At>,
    pub readable: BTreeMap<ShardId, Readable>,
    /// Who has ever been told to hold a part of a shard, by what was stored, and has not said since that it
    /// has nothing of it.
    pub held: BTreeMap<ShardId, BTreeSet<ServerId>>,
    /// Servers that were lost with all that they had, and of which a person has said so.
    pub given_up: BTreeSet<ServerId>,
    /// Shards that were elected so that somebody else leads them.
    pub handed: BTreeSet<ShardId>,
    /// Up to these terms the document may not tell any more with what logs leaders began.
    pub untold: BTreeMap<ShardId, Term>,
}

impl History {
    /// Whether the last one who was told to lead before this term was told later than the leader of
    /// this head's, and with a log that ends earlier: what is in that one's term was not committed
    /// then, and can't be any more.
    pub fn is_passed(&self, id: ShardId, head: EntryId, before: Term) -> bool {
        let mut told = self.promoted.range((id, Term::NEVER)..(id, before));
        let last = told.next_back();
        last.is_some_and(|((_, term), (_, began))| began.term < head.term && head.term < *term)
    }

    /// Whether anybody was told so, where the document does not tell with what the leader of this head's
    /// term began: then it is taken to lack something.
    pub fn is_passed_unawares(
        &self,
        id: ShardId,
        head: EntryId,
        shard: &ShardMetadata,
        before: Term,
    ) -> bool {
        let is_told = shard
            .beginnings
            .iter()
            .any(|told| told.first <= head.term && head.term <= told.last && told.head.is_some());
        let mut later = self.promoted.range((id, head.term.next())..(id, before));
        !is_told && later.any(|(_, (_, began))| began.term < head.term)
    }

    /// Whether one with this log may have been voted for whatever is known of others who were told to
    /// lead after its own last leader: so many of the ensemble may have the end of their logs.
    pub fn may_be_voted_for(
        &self,
        id: ShardId,
        log: &Log,
        may_have: impl Fn(EntryId) -> bool,
    ) -> bool {
        let later = (id, log.head().term.next())..(id, Term(i64::MAX));
        let mut told = self.promoted.range(later);
        told.all(|(_, (_, began))| log.contains(*began) || !may_have(*began))
    }
}

/// Who collects the votes of a term, and how many it has.
#[derive(Clone, Copy, Debug)]
pub struct Voting {
    by: (ProcessId, Tenure),
    votes: usize,
}

/// The tenure of an event, if it has one.
pub fn tenure_of(event: &Event) -> Option<Tenure> {
    match event {
        Event::AuthorityExtended { tenure, .. }
        | Event::CallAnswered { tenure, .. }
        | Event::ConfigurationFound { tenure, .. }
        | Event::Drained { tenure }
        | Event::HeadRead { tenure, .. }
        | Event::HealthObserved { tenure, .. }
        | Event::HealthWatchEnded { tenure, .. }
        | Event::LeadershipLost { tenure, .. }
        | Event::LeadershipWon { tenure, .. }
        | Event::Loaded { tenure, .. }
        | Event::PushEnded { tenure, .. }
        | Event::StoreEnded { tenure, .. } => Some(*tenure),
        Event::ConfigurationRead(_)
        | Event::ConfigurationRefused { .. }
        | Event::ServerGivenUp { .. }
        | Event::ShutdownRequested
        | Event::StatusHinted
        | Event::TimePassed => None,
    }
}

impl World<'_> {
    /// What is to be made of a check whose property may be overlooked.
    pub(super) fn heed(&self, check: Check) -> Check {
        check.or_else(|violation| {
            if self.factory.overlooks(violation.property) {
                Ok(())
            } else {
                Err(violation)
            }
        })
    }

    /// Looks at an effect as the machine issues it.
    pub(super) fn issued(&mut self, host: usize, effect: &Effect) -> Check {
        match effect {
            Effect::Call {
                tenure,
                request,
                server,
                call,
            } => {
                self.check_may_act(host, *tenure)?;
                self.check_call(host, *request, server, call)
            }
            Effect::PushAssignments {
                tenure,
                request,
                server,
                assignments,
            } => {
                self.check_may_act(host, *tenure)?;
                self.check_is_ours(host, server)?;
                self.check_push(host, *request, assignments)
            }
            Effect::WatchHealth {
                tenure,
                request,
                server,
            } => {
                self.check_may_act(host, *tenure)?;
                self.note_watch(host, *request, server.id());
                Ok(())
            }
            Effect::Store {
                tenure,
                request,
                expected,
                document,
            } => {
                self.check_not_closing(host, *tenure)?;
                self.check_authority(host)?;
                self.check_store(host, *request, expected.as_ref(), document)
            }
            Effect::Load { tenure, .. } | Effect::ReadConfiguration { tenure, .. } => {
                self.check_not_closing(host, *tenure)?;
                self.check_won(host)
            }
            Effect::ReadHead { tenure, request } => {
                self.check_not_closing(host, *tenure)?;
                let facts = &mut self.hosts[host].facts;
                facts.looks.insert(*request, facts.stores);
                self.check_won(host)
            }
            Effect::Campaign { tenure } => self.check_campaign(host, *tenure),
            Effect::OpenOffice { tenure, .. } => {
                self.check_not_closing(host, *tenure)?;
                // Whoever takes office was not told so.
                self.history.given_up.clear();
                self.check_office(host)
            }
            Effect::CloseOffice { tenure } => {
                // A candidate that waits before it campaigns has not named its tenure yet.
                if *tenure > self.hosts[host].facts.tenure {
                    self.check_campaign(host, *tenure)?;
                }
                self.check_first_close(host, *tenure)?;
                self.hosts[host].facts.closing = true;
                Ok(())
            }
            Effect::Release { tenure } => self.check_release(host, *tenure),
            Effect::Exit => self.check_exit(host),
            Effect::Cancel { request, .. } => {
                let facts = &mut self.hosts[host].facts;
                if let Some((server, call, _)) = facts.calls.remove(request) {
                    if let Some(shard) = fences(&call) {
                        facts.not_fenced(&server.id(), shard);
                    }
                    match call {
                        Call::BecomeLeader(call) => {
                            facts.could_not_lead(call.shard, server.id());
                        }
                        Call::Truncate(call) => {
                            facts.uncut.insert((call.shard, call.term, server.id()));
                        }
                        Call::AddFollower(_)
                        | Call::CheckHealth
                        | Call::DeleteShard(_)
                        | Call::GetStatus { .. }
                        | Call::Handshake
                        | Call::NewTerm(_) => {}
                    }
                }
                self.hosts[host].facts.watches.remove(request);
                Ok(())
            }
            Effect::Report(Report::ShardInSync { shard, in_sync, .. }) => {
                let in_sync = self.check_in_sync(host, *shard, *in_sync);
                self.heed(in_sync)
            }
            Effect::Report(Report::LeaderHanded { shard, .. }) => {
                self.hosts[host].facts.handed.insert(*shard);
                self.history.handed.insert(*shard);
                self.sometimes.hit("leader_handed");
                Ok(())
            }
            Effect::Report(Report::ServerGivenUp { .. }) => {
                self.sometimes.hit("server_given_up");
                Ok(())
            }
            Effect::Report(Report::ShardMoved { .. }) => {
                self.sometimes.hit("shard_moved");
                Ok(())
            }
            Effect::Report(Report::NamespaceDeleted { .. }) => {
                self.sometimes.hit("namespace_deleted");
                Ok(())
            }
            Effect::Report(Report::ReplicaLeftOut { shard, server, .. }) => {
                let left_out = self.check_left_out(host, *shard, server);
                self.heed(left_out)
            }
            Effect::Report(Report::ServerEmptied { server, .. }) => {
                // How it voted before does not count.
                for heads in self.hosts[host].facts.heads.values_mut() {
                    heads.remove(server);
                }
                Ok(())
            }
            Effect::Report(Report::ElectionFailed { shard, term, .. }) => {
                let facts = &mut self.hosts[host].facts;
                // It was made the leader, and lost before it was told of.
                if let Some(leader) = facts.led.get(&(*shard, *term)).cloned() {
                    facts.could_not_lead(*shard, leader);
                }
                Ok(())
            }
            Effect::Report(Report::StatusAdopted { .. }) => {
                self.hosts[host].facts.untold = false;
                Ok(())
            }
            Effect::Report(report) => self.check_report(host, report),
            Effect::ForgetServer { .. } => Ok(()),
        }
    }
}
