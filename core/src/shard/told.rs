//! Of whom a leader is told, once one could not lead for a reason that it did not tell.
//!
//! A log that can't be truncated to fit its own, or a server that it can't reach, is such a reason, and
//! may remain one in every term.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::once;

use super::fencing::Vote;
use super::led::Fit;
use super::memory::Memory;
use crate::call::EntryId;
use crate::id::ServerId;

/// So many choices of followers are looked at; of more than eleven replicas those that leave out fewest.
const CHOICES: usize = 1_000;

/// How often in a row the chosen one could not lead, for a reason that it did not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Unexplained {
    pub(super) times: usize,
    /// Of whom the first of those was told.
    told_first: BTreeSet<ServerId>,
    tried: Tried,
}

/// With which followers one was to lead, or all who were to one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    /// How often with these.
    with: BTreeMap<BTreeSet<ServerId>, u64>,
    /// Whether all that are not known to fit were left out, the last time that they could be where these were
    /// there.
    were_without_doubtful: BTreeMap<BTreeSet<ServerId>, bool>,
    /// The same of the last time.
    was_without_doubtful: bool,
}

/// A follower, and with what head a leader is told of it.
pub(super) type Told<'a> = (&'a Vote, EntryId);

/// The followers that the chosen one is told of: all, unless it could not lead before for a reason
/// that it did not tell. Then some are left out, where the others are enough.
pub(super) fn told_of<'a>(
    leader: &Vote,
    mut told: Vec<Told<'a>>,
    quorum: usize,
    memory: &mut Memory,
) -> Vec<Told<'a>> {
    let ids = |told: &[Told<'_>]| -> Vec<ServerId> {
        let servers = told.iter().map(|(vote, _)| vote.server.id());
        servers.collect()
    };
    let leader_id = leader.server.id();
    if memory.unexplained.times == 0 {
        let all: BTreeSet<_> = ids(&told).into_iter().collect();
        memory.unexplained.tried.note(&all);
        memory.tried(&leader_id).note(&all);
        memory.unexplained.told_first = all;
        return told;
    }
    let is_suspect = |server: &ServerId| memory.unexplained.told_first.contains(server);
    told.sort_by_cached_key(|(vote, head)| {
        let server = vote.server.id();
        (!is_suspect(&server), *head, server)
    });
    let fits = |head| memory.led.fit(leader.position.head(), head) == Fit::Fits;
    let doubtful: Vec<_> = told.iter().filter(|it| !fits(it.1)).copied().collect();
    let doubtful: BTreeSet<_> = ids(&doubtful).into_iter().collect();
    let mut by_all = std::mem::take(&mut memory.unexplained.tried);
    let tried = memory.tried(&leader_id);
    let next = tried.next(&ids(&told), &doubtful, quorum, &by_all);
    by_all.note(&next);
    by_all.was_without_doubtful = tried.was_without_doubtful;
    memory.unexplained.tried = by_all;
    told.retain(|(vote, _)| next.contains(&vote.server.id()));
    told
}

impl Tried {
    /// With whom it is tried next: without those that are not known to fit every other time that this can be,
    /// since who is there may have changed; else with those with whom it was tried least often, and of these
    /// with whom anybody was: without one, whoever is listed first before others, then without two, and so on.
    fn next(
        &mut self,
        all: &[ServerId],
        doubtful: &BTreeSet<ServerId>,
        quorum: usize,
        by_all: &Self,
    ) -> BTreeSet<ServerId> {
        let most = (all.len() + 1).saturating_sub(quorum);
        let without = |spared: &dyn Fn(&ServerId) -> bool| -> BTreeSet<ServerId> {
            let others = all.iter().filter(|it| !spared(it));
            others.cloned().collect()
        };
        // Whoever is there, there are turns: though some come and go, all choices come.
        let can_be_without_doubtful = (1..=most).contains(&doubtful.len());
        self.was_without_doubtful = can_be_without_doubtful && {
            let here = self.were_without_doubtful.entry(without(&|_| false));
            let last = here.or_insert(by_all.was_without_doubtful);
            *last = !*last;
            *last
        };
        let next = if self.was_without_doubtful {
            without(&|it| doubtful.contains(it))
        } else {
            let spared = (1..=most).flat_map(|count| each(all, count));
            let choices = spared.map(|spared| without(&|it| spared.contains(&it)));
            let next = choices
                .take(CHOICES)
                .min_by_key(|it| (self.with.get(it).copied(), by_all.with.get(it).copied()));
            next.unwrap_or_else(|| without(&|_| false))
        };
        self.note(&next);
        next
    }

    fn note(&mut self, with: &BTreeSet<ServerId>) {
        *self.with.entry(with.clone()).or_default() += 1;
    }
}

/// Each choice of so many of these.
fn each(of: &[ServerId], count: usize) -> Box<dyn Iterator<Item = Vec<&ServerId>> + '_> {
    if count == 0 {
        return Box::new(once(Vec::new()));
    }
    let first = of.iter().enumerate();
    Box::new(first.flat_map(move |(at, first)| {
        let rest = of.get(at + 1..).unwrap_or_default();
        each(rest, count - 1).map(move |mut others| {
            others.insert(0, first);
            others
        })
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn server(number: usize) -> ServerId {
        ServerId(Arc::from(number.to_string()))
    }

    /// Who of so many is left out in the next turn, with those that are doubtful.
    fn spared(tried: &mut Tried, count: usize, doubtful: &[usize], quorum: usize) -> Vec<usize> {
        let all: Vec<ServerId> = (0..count).map(server).collect();
        let doubtful = doubtful.iter().copied().map(server).collect();
        let next = tried.next(&all, &doubtful, quorum, &Tried::default());
        let spared = (0..count).filter(|it| !next.contains(&server(*it)));
        spared.collect()
    }

    fn turns(turns: usize, count: usize, doubtful: &[usize], quorum: usize) -> Vec<Vec<usize>> {
        let mut tried = Tried::default();
        let each = (0..turns).map(|_| spared(&mut tried, count, doubtful, quorum));
        each.collect()
    }

    #[test]
    fn each_is_left_out_in_turn_and_then_each_two_where_the_others_are_enough() {
        assert_eq!(turns(4, 2, &[], 2), [[0], [1], [0], [1]]);
        let of_five = turns(11, 4, &[], 3);
        assert_eq!(of_five[..4], [[0], [1], [2], [3]]);
        let pairs = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];
        assert_eq!(of_five[4..10], pairs);
        assert_eq!(of_five[10], [0]);
    }

    #[test]
    fn a_half_that_can_not_reach_the_other_is_left_out_of_seven_as_well() {
        let of_seven = turns(6 + 15 + 20, 6, &[], 4);
        assert!(of_seven.contains(&vec![1, 3, 5]));
        assert_eq!(of_seven.iter().collect::<BTreeSet<_>>().len(), 41);
    }

    #[test]
    fn those_that_are_not_known_to_fit_are_left_out_every_other_time() {
        assert_eq!(
            turns(6, 4, &[0, 1], 3),
            [
                vec![0, 1],
                vec![0],
                vec![0, 1],
                vec![1],
                vec![0, 1],
                vec![2]
            ]
        );
        // The others are not enough.
        assert_eq!(turns(1, 4, &[0, 1, 2], 3), [[0]]);
    }

    #[test]
    fn nobody_is_left_out_where_all_are_needed() {
        for (count, quorum) in [(2, 3), (1, 2), (0, 1), (0, 2), (1, 3)] {
            let all = turns(2, count, &[], quorum);
            assert_eq!(all, [vec![], vec![]] as [Vec<usize>; 2], "{count} {quorum}");
        }
    }

    #[test]
    fn every_choice_comes_though_some_are_there_only_now_and_then() {
        for counts in [vec![4, 3], vec![3, 4], vec![4, 3, 2], vec![4, 2, 3, 3]] {
            for doubtful in [vec![], vec![0], vec![0, 1], vec![3], vec![1, 3]] {
                let mut tried = Tried::default();
                for count in counts.iter().cycle().take(100) {
                    let doubtful: Vec<_> =
                        doubtful.iter().copied().filter(|it| it < count).collect();
                    spared(&mut tried, *count, &doubtful, 3);
                }
                // Three of four, and two.
                let told = tried.with.keys();
                assert_eq!(told.count(), 4 + 6, "{counts:?}, {doubtful:?}");
            }
        }
    }

    #[test]
    fn of_a_large_ensemble_no_more_choices_are_looked_at_than_can_be() {
        assert_eq!(turns(31, 30, &[], 16)[30], [0, 1]);
    }
}
