//! The choice: who has all that a majority has, and can be followed by one.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Fencing, Round, Vote};
use crate::cluster::ShardMetadata;
use crate::id::ServerId;
use crate::server::Reach;
use crate::shard::context::ShardContext;
use crate::shard::exchange::go_back;
use crate::shard::memory::Memory;

impl Fencing {
    /// Chooses a member that has all that a majority has, and all that is in any log that was seen,
    /// those of removed nodes included; best, one that has all that everybody has. Among equals one
    /// with a log, then one that serves, then one that failed to lead longer ago, or never, and then who leads
    /// the fewest shards.
    pub(in crate::shard) fn choose(
        &mut self,
        memory: &mut Memory,
        cx: &mut ShardContext<'_>,
    ) -> Round {
        self.grace = None;
        let Some(shard) = memory.metadata(cx) else {
            return Round::Open;
        };
        let positions = self.votes.iter();
        let positions: Vec<_> = positions
            .map(|vote| (vote.server.id(), vote.position))
            .collect();
        memory.suppose(&self.quorum, &positions);
        let is_waiting = self.is_open();
        let votes: Vec<&Vote> = self.votes.iter().collect();
        if !self.are_enough(&votes, cx) {
            if self.turn_to_spared(memory, cx) {
                return Round::Open;
            }
            // Whoever leads would wait for them.
            self.report_end(memory, cx);
            return Round::Failed(self.no_more_there(cx));
        }
        let winner = self.best_of_all(&shard, memory, cx);
        match winner {
            Some(winner) => {
                self.report_end(memory, cx);
                Round::Won(winner)
            }
            None if is_waiting || self.turn_to_spared(memory, cx) => Round::Open,
            None => {
                let reason = self.no_leader(memory);
                self.report_end(memory, cx);
                // Whoever was removed may have what no member has: it comes back, with the next term, if anybody
                // could lead then.
                let mut back = ShardMetadata::clone(&shard);
                let can_go_back = go_back(&mut back.ensemble, &mut back.removed_nodes);
                let votes: Vec<&Vote> = self.votes.iter().collect();
                memory.goes_back = can_go_back && self.best(&votes, &back, memory, cx).is_some();
                if !memory.goes_back {
                    memory.undecided = self.votes.iter().map(|vote| vote.server.id()).collect();
                    memory.blocked(&reason, cx);
                }
                Round::Failed(reason)
            }
        }
    }

    /// The best one. Where that has failed again and again, maybe since it alone can't reach the others,
    /// and they are a majority, the best of them: what it has more was never acknowledged. But who has failed
    /// with others alone than are there now may lead with these. Where that best one of the others has failed
    /// with these as well, the best of the rest may lead, and so on; and those who have failed take turns.
    fn best_of_all(
        &mut self,
        shard: &ShardMetadata,
        memory: &Memory,
        cx: &ShardContext<'_>,
    ) -> Option<Vote> {
        self.passed_over.clear();
        let all: Vec<&Vote> = self.votes.iter().collect();
        let best = self.best(&all, shard, memory, cx)?;
        if self.recall.is_new() {
            return Some(best.clone());
        }
        let failed_in = |vote: &Vote| memory.failed_in(&vote.server.id());
        let (mut chosen, mut beside) = (best, all.clone());
        let (mut left, mut at) = (all.clone(), best);
        while self.has_failed_with(&left, at, shard, memory) {
            let others = left.iter().copied();
            let others = others.filter(|it| !self.has_failed_with(&left, it, shard, memory));
            left = others.collect();
            if !self.are_enough(&left, cx) {
                break;
            }
            let Some(other) = self.best(&left, shard, memory, cx) else {
                break;
            };
            at = other;
            if failed_in(other) < failed_in(chosen) {
                (chosen, beside) = (other, left.clone());
            }
        }
        let is_beside = |vote: &Vote| beside.iter().any(|it| it.server == vote.server);
        let passed_over = all.iter().filter(|vote| !is_beside(vote));
        let passed_over = passed_over.map(|vote| vote.server.id()).collect();
        let chosen = chosen.clone();
        self.passed_over = passed_over;
        Some(chosen)
    }

    /// Whether those of these that are there are enough to elect one of them.
    fn are_enough(&self, votes: &[&Vote], cx: &ShardContext<'_>) -> bool {
        let there = votes.iter().filter(|vote| !cx.is_away(&vote.server));
        let there: BTreeSet<ServerId> = there.map(|vote| vote.server.id()).collect();
        self.quorum.is_met(|id| there.contains(id))
    }

    /// Whether one of these has failed to lead again and again, and was told of all others of them that
    /// can follow it.
    fn has_failed_with(
        &self,
        votes: &[&Vote],
        leader: &Vote,
        shard: &ShardMetadata,
        memory: &Memory,
    ) -> bool {
        let id = leader.server.id();
        let others = votes.iter().filter(|vote| vote.server.id() != id);
        let others = others.filter(|vote| shard.ensemble.contains(&vote.server));
        let followers = others.filter(|vote| self.can_follow(leader, vote, memory));
        let mut followers = followers.map(|vote| vote.server.id());
        memory.has_failed(&id) && followers.all(|follower| memory.was_told(&id, &follower))
    }

    fn best<'a>(
        &self,
        votes: &[&'a Vote],
        shard: &ShardMetadata,
        memory: &Memory,
        cx: &ShardContext<'_>,
    ) -> Option<&'a Vote> {
        let members = votes.iter().copied();
        let members = members.filter(|vote| shard.ensemble.contains(&vote.server));
        members
            .filter(|vote| {
                let has_committed =
                    vote.position.offset() >= memory.committed && !self.has_left(vote, memory);
                self.recall.is_new() || has_committed && vote.position.may_lead()
            })
            .filter_map(|vote| Some((vote, self.covered_by(vote, votes, shard, memory)?)))
            .filter(|(_, covered)| *covered == votes.len() || !self.is_open())
            .min_by_key(|(vote, covered)| {
                let is_unavailable = cx.reach(&vote.server) == Reach::Unavailable;
                let leads = cx.leaders.count(&vote.server.id());
                let has_log = vote.position.has_log();
                let failed_in = memory.failed_in(&vote.server.id());
                (
                    Reverse(*covered),
                    !has_log,
                    is_unavailable,
                    failed_in,
                    leads,
                )
            })
            .map(|(winner, _)| winner)
    }

    fn no_leader(&self, memory: &Memory) -> String {
        let without_log = self.votes.iter().filter(|vote| !vote.position.may_lead());
        let without_log: Vec<_> = without_log
            .map(|vote| vote.server.id().to_string())
            .collect();
        let why = if without_log.is_empty() {
            String::new()
        } else {
            let without_log = without_log.join(", ");
            format!(": {without_log} has more in its database than in its log")
        };
        let (left, others): (Vec<&Vote>, Vec<&Vote>) = self
            .votes
            .iter()
            .partition(|vote| self.has_left(vote, memory));
        let best = others.iter().max_by_key(|vote| vote.position.head());
        let apart = others
            .iter()
            .filter(|vote| best.is_some_and(|best| !self.can_follow(best, vote, memory)));
        let left: Vec<_> = left
            .iter()
            .chain(apart)
            .map(|vote| vote.server.id().to_string())
            .collect();
        let why = if left.is_empty() {
            why
        } else {
            let (left, term) = (left.join(", "), memory.last_led());
            format!("{why}; {left} has another log than the leader of term {term} had")
        };
        let untold = self.votes.iter().filter(|vote| vote.position.is_untold());
        let untold: Vec<_> = untold.map(|vote| vote.server.id().to_string()).collect();
        let why = if untold.is_empty() {
            why
        } else {
            let untold = untold.join(", ");
            format!("{why}; {untold} may have more in its database than any log")
        };
        let latest = self.votes.iter().max_by_key(|vote| vote.position.head());
        let latest = latest.filter(|vote| vote.position.offset() < memory.committed);
        let lost = latest.map(|vote| {
            let (id, head) = (vote.server.id(), vote.position.head());
            let committed = memory.committed;
            format!(
                "; what is committed up to {committed} is not in the latest log, which is the one of \
                 {id} and ends with offset {} of term {}",
                head.offset, head.term
            )
        });
        let lost = lost.unwrap_or_default();
        let missing = if self.recall.is_short() {
            format!("; {}", self.recall.shortage())
        } else if self.recall.is_new() {
            String::new()
        } else {
            "; `stepdown accept-loss` lets it be elected with what there is".to_owned()
        };
        format!(
            "no member that may lead is known to have all that a majority of its replicas has{why}\
             {lost}{missing}"
        )
    }

    /// Whether the chosen one has to show that it has nothing beyond its log.
    pub(in crate::shard) fn is_unproved(&self, winner: &Vote) -> bool {
        !winner.position.is_proved() && !self.recall.is_new()
    }

    /// Whether a voter's log is known to lack what the last leader began with, or has committed.
    /// Nothing is known of that where somebody else has made another one since.
    pub(in crate::shard) fn has_left(&self, vote: &Vote, memory: &Memory) -> bool {
        let mut led_in = self.votes.iter().filter_map(|vote| vote.position.led_in());
        let is_latest = !led_in.any(|led_in| memory.was_led_by_others(led_in));
        let is_left = memory.is_left(vote.position.head(), vote.position.commit());
        // It may have been fed by that very one.
        let is_untold = vote.position.is_untold();
        is_left && is_latest && !is_untold && !self.recall.is_new()
    }

    /// How many votes this one covers, if these are a majority of each ensemble and all that have a log, and a
    /// majority of those that are to be replicas can follow. One that has left the last leader's log has
    /// nothing more that counts, and can't follow while its log ends later.
    fn covered_by(
        &self,
        vote: &Vote,
        votes: &[&Vote],
        shard: &ShardMetadata,
        memory: &Memory,
    ) -> Option<usize> {
        // Where all vote, one of them has fed it; where it was never led, nobody has.
        let is_fed_by_a_voter = self.recall.is_new() || votes.len() == self.recall.len();
        let (covered, beyond): (Vec<&Vote>, Vec<&Vote>) = votes.iter().partition(|other| {
            vote.position.covers(&other.position)
                || is_fed_by_a_voter && vote.position.has_log() && other.position.is_untold()
        });
        let (left, beyond): (Vec<&Vote>, Vec<&Vote>) = beyond
            .into_iter()
            .partition(|other| self.has_left(other, memory));
        let is_least = beyond.iter().any(|other| other.position.has_log());
        // Those that are to be replicas, itself among them.
        let members = covered
            .iter()
            .filter(|it| shard.ensemble.contains(&it.server));
        let follow = members.filter(|it| self.can_follow(vote, it, memory));
        let can_be_followed = follow.count() > shard.ensemble.len() / 2;
        let all = covered.iter().chain(&left);
        let all: BTreeSet<ServerId> = all.map(|it| it.server.id()).collect();
        let has_all = !is_least && self.quorum.is_met(|id| all.contains(id));
        (has_all && can_be_followed).then_some(all.len())
    }

    /// Whether this one's log may become a part of the leader's.
    pub(in crate::shard) fn can_follow(&self, leader: &Vote, vote: &Vote, memory: &Memory) -> bool {
        let is_out = self.passed_over.contains(&vote.server.id());
        let (leader, follower) = (&leader.position, &vote.position);
        let told = leader.told_of(follower);
        (leader.covers(follower) || follower.is_untold() || !self.has_left(vote, memory))
            && !is_out
            && memory.led.fit(leader.head(), told).is_possible()
    }
}
