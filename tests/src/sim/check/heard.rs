//! What a tenure makes of what it is told.

use stepdown_core::call::{Answer, Call, CallError, CallErrorKind};
use stepdown_core::cluster::ClusterConfiguration;
use stepdown_core::store::LoadOutcome;
use stepdown_core::{Event, ShardId, Term, WriteId};

use super::Check;
use super::answers::Known;
use crate::sim::world::World;

impl World<'_> {
    /// Takes note of what the machine is about to be told.
    pub(in crate::sim) fn heard(&mut self, host: usize, event: &Event) -> Check {
        let latest_is = self.store.chain.len();
        let mut position = latest_is;
        if let Event::Loaded {
            outcome: LoadOutcome::Found(found),
            ..
        } = event
        {
            position = self.store.position(&found.version).unwrap_or(latest_is);
        }
        if let Event::ConfigurationRead(read) = event
            && let Ok(good) = ClusterConfiguration::read(read.text.as_deref())
        {
            let addresses = good.servers.iter().map(|server| server.internal.clone());
            let addresses = addresses.collect();
            let now = self.queue.now();
            let place = &mut self.hosts[host];
            if place.addresses != addresses {
                (place.addresses, place.readdressed) = (addresses, now);
            }
        }
        if let Event::CallAnswered {
            request,
            result: Ok(Answer::Fenced(_)),
            ..
        } = event
            && let facts = &self.hosts[host].facts
            && let Some((server, Call::NewTerm(vote), _)) = facts.calls.get(request)
        {
            let (shard, term) = (vote.shard, vote.term);
            let heads = facts.heads.get(&(shard, term));
            // It may be fenced again in the same round.
            if heads.is_none_or(|heads| !heads.contains_key(&server.id())) {
                self.note_vote(host, shard, term);
            }
        }
        let now = self.queue.now();
        let shown = self.hosts[host].clock.read(now);
        let facts = &mut self.hosts[host].facts;
        if let Some(since) = facts.storing_since {
            facts.stored_in = Some((since, now));
        }
        let sometimes = &mut self.sometimes;
        if super::tenure_of(event).is_some_and(|tenure| tenure != facts.tenure) {
            return Ok(());
        }
        match event {
            Event::Drained { .. } => facts.drained = true,
            Event::LeadershipWon { authority, .. } => {
                facts.won = true;
                facts.authority = *authority;
            }
            Event::AuthorityExtended { authority, .. } => {
                facts.authority = facts.authority.max(Some(*authority));
            }
            Event::Loaded { outcome, .. } => match outcome {
                LoadOutcome::Found(found) => {
                    facts.absent = false;
                    facts.loaded_at = position;
                    facts.accepted = Some((found.version.clone(), found.status.clone()));
                    let is_old = |id: WriteId| found.intact && id.epoch < found.epoch;
                    facts.untold = found.write_id.is_some_and(is_old);
                    if !found.intact {
                        sometimes.hit("foreign_document_loaded");
                    }
                }
                LoadOutcome::Absent { .. } => {
                    facts.absent = true;
                    facts.accepted = None;
                }
                LoadOutcome::Corrupt(_) => sometimes.hit("corrupt_document_loaded"),
                LoadOutcome::Forbidden(_) | LoadOutcome::Unavailable { .. } => {}
            },
            Event::StoreEnded {
                request, outcome, ..
            } => {
                if facts
                    .store
                    .as_ref()
                    .is_some_and(|store| store.request == *request)
                {
                    let store = facts.store.take();
                    facts.store_ended(store, outcome);
                }
            }
            Event::HeadRead {
                request, outcome, ..
            } => {
                // One begun before a store ended says nothing of it.
                let stores = facts.looks.remove(request);
                if stores == Some(facts.stores)
                    && let Some(name) = facts.head_read(outcome)
                {
                    sometimes.hit(name);
                }
            }
            Event::CallAnswered {
                request, result, ..
            } => {
                if let Some((server, call, committed)) = facts.calls.remove(request) {
                    if let Call::DeleteShard(request) = &call
                        && has_nothing(result)
                    {
                        // One that was sent before and comes late opens another.
                        facts.probed.remove(&(request.shard, server.id()));
                        if let Some(held) = self.history.held.get_mut(&request.shard) {
                            held.remove(&server.id());
                        }
                    }
                    if let Some(shard) = tells_of_data(&call, result) {
                        facts.probed.remove(&(shard, server.id()));
                    }
                    match result {
                        Ok(answer) => {
                            let known = Known {
                                now,
                                shown,
                                committed,
                            };
                            facts.answered(&server, &call, answer, known);
                        }
                        Err(error) => {
                            // As after a broken watch, one failed check is enough then.
                            let of_a_shard = !matches!(call, Call::CheckHealth | Call::Handshake);
                            if of_a_shard && error.kind == CallErrorKind::Unreachable {
                                facts.hard.insert(server.id());
                            }
                            facts.failed(&server, &call, error.kind, shown);
                        }
                    }
                }
            }
            Event::HealthObserved {
                request, serving, ..
            } => {
                if let Some(server) = facts.watches.get(request).cloned() {
                    if *serving {
                        facts.failures.remove(&server);
                    } else {
                        facts.hard.insert(server);
                    }
                }
            }
            Event::HealthWatchEnded { request, .. } => {
                if let Some(server) = facts.watches.remove(request) {
                    facts.hard.insert(server);
                }
            }
            Event::LeadershipLost { .. } => {
                if facts.won {
                    facts.must_close.get_or_insert("D");
                }
            }
            Event::ConfigurationFound { .. }
            | Event::ConfigurationRead(_)
            | Event::ConfigurationRefused { .. }
            | Event::PushEnded { .. }
            | Event::ServerGivenUp { .. }
            | Event::ShutdownRequested
            | Event::StatusHinted
            | Event::TimePassed => {}
        }
        Ok(())
    }
}

/// Of which shard one that may be no member turns out to have something of an earlier time.
fn tells_of_data(call: &Call, result: &Result<Answer, CallError>) -> Option<ShardId> {
    match (call, result) {
        (Call::GetStatus { shard }, Ok(Answer::Status(status))) if !status.has_forgotten() => {
            Some(*shard)
        }
        (Call::NewTerm(call), Err(error))
            if call.term == Term::NEVER && error.kind == CallErrorKind::InvalidTerm =>
        {
            Some(call.shard)
        }
        _ => None,
    }
}

/// Whether a server that was asked to delete a shard has nothing of it any more.
fn has_nothing(result: &Result<Answer, CallError>) -> bool {
    match result {
        Ok(answer) => *answer == Answer::ShardDeleted,
        Err(error) => error.kind == CallErrorKind::NotMember,
    }
}
