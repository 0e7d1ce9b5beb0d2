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
use crate::id::{ServerId, Term};

/// So many choices of followers are looked at; of more than eleven replicas those that leave out fewest.
const CHOICES: usize = 1_000;

/// How often in a row the chosen one could not lead, for a reason that it did not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Unexplained {
    pub(super) times: usize,
    /// Of whom the first of those was told.
    told_first: BTreeSet<ServerId>,
    /// Of whom any of the others was told, and in which term last.
    told: BTreeMap<BTreeSet<ServerId>, Term>,
    /// The last one was told of none that is not known to fit.
    was_without_doubtful: bool,
}

/// With which followers one was to lead, and could not.
#[derive(Clone, Debug, Default)]
pub(super) struct Tried {
    /// In which term last.
    with: BTreeMap<BTreeSet<ServerId>, Term>,
    /// Whether all that are not known to fit were left out, the last time that they could be where these were
    /// there.
    without_doubtful: BTreeMap<BTreeSet<ServerId>, bool>,
}

/// A follower, and with what head a leader is told of it.
pub(super) type Told<'a> = (&'a Vote, EntryId);

/// The followers that the chosen one is told of: all, unless it could not lead before for a reason
/// that it did not tell. Then some are left out, where the others are enough.
pub(super) fn told_of<'a>(
    leader: &Vote,
    mut told: Vec<Told<'a>>,
    quorum: usize,
    term: Term,
    memory: &mut Memory,
) -> Vec<Told<'a>> {
    let ids = |told: &[Told<'_>]| -> BTreeSet<ServerId> {
        let servers = told.iter().map(|(vote, _)| vote.server.id());
        servers.collect()
    };
    if memory.unexplained.times == 0 {
        memory.unexplained.told_first = ids(&told);
        return told;
    }
    let is_suspect = |server: &ServerId| memory.unexplained.told_first.contains(server);
    told.sort_by_cached_key(|(vote, head)| {
        let server = vote.server.id();
        (!is_suspect(&server), *head, server)
    });
    let fits = |head| memory.led.fit(leader.position.head(), head) == Fit::Fits;
    let doubtful: Vec<_> = told.iter().filter(|it| !fits(it.1)).copied().collect();
    // A broken document may have one name twice.
    let mut seen = BTreeSet::new();
    let all = told.iter().map(|(vote, _)| vote.server.id());
    let all: Vec<_> = all.filter(|it| seen.insert(it.clone())).collect();
    let mut unexplained = std::mem::take(&mut memory.unexplained);
    let tried = memory.tried(&leader.server.id());
    let next = tried.next(&all, &ids(&doubtful), quorum, term, &mut unexplained);
    memory.unexplained = unexplained;
    told.retain(|(vote, _)| next.contains(&vote.server.id()));
    told
}

impl Tried {
    /// With whom it is tried next: without those that are not known to fit every other time that this can be,
    /// since who is there may have changed; else with those with whom it was never tried, or longest ago: at
    /// first with whom anybody was so, and without one, whoever is listed first before others, then without two,
    /// and so on.
    fn next(
        &mut self,
        all: &[ServerId],
        doubtful: &BTreeSet<ServerId>,
        quorum: usize,
        term: Term,
        others: &mut Unexplained,
    ) -> BTreeSet<ServerId> {
        let most = (all.len() + 1).saturating_sub(quorum);
        let without = |spared: &dyn Fn(&ServerId) -> bool| -> BTreeSet<ServerId> {
            let others = all.iter().filter(|it| !spared(it));
            others.cloned().collect()
        };
        let can_be_without_doubtful = (1..=most).contains(&doubtful.len());
        // Each time with the same ones there: where some come and go, every choice comes all the same.
        let is_without_doubtful = can_be_without_doubtful && {
            let here = self.without_doubtful.entry(without(&|_| false));
            let last = here.or_insert(others.was_without_doubtful);
            *last = !*last;
            *last
        };
        let next = if is_without_doubtful {
            without(&|it| doubtful.contains(it))
        } else {
            let spared = (1..=most).flat_map(|count| each(all, count));
            let choices = spared.map(|spared| without(&|it| spared.contains(&it)));
            let last_tried = |it: &_| (self.with.get(it).copied(), others.told.get(it).copied());
            let next = choices.take(CHOICES).min_by_key(last_tried);
            next.unwrap_or_else(|| without(&|_| false))
        };
        others.was_without_doubtful = is_without_doubtful;
        others.told.insert(next.clone(), term);
        self.with.insert(next.clone(), term);
        next
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

    #[derive(Default)]
    struct World {
        tried: Tried,
        others: Unexplained,
        term: Term,
    }

    impl World {
        /// Who of so many is left out next, with those that are doubtful.
        fn spared(&mut self, count: usize, doubtful: &[usize], quorum: usize) -> Vec<usize> {
            let all: Vec<ServerId> = (0..count).map(server).collect();
            let doubtful = doubtful.iter().copied().map(server).collect();
            self.term = self.term.next();
            let (tried, others) = (&mut self.tried, &mut self.others);
            let next = tried.next(&all, &doubtful, quorum, self.term, others);
            let spared = (0..count).filter(|it| !next.contains(&server(*it)));
            spared.collect()
        }
    }

    fn turns(turns: usize, count: usize, doubtful: &[usize], quorum: usize) -> Vec<Vec<usize>> {
        let mut world = World::default();
        let each = (0..turns).map(|_| world.spared(count, doubtful, quorum));
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
            let nobody: [Vec<usize>; 2] = [vec![], vec![]];
            assert_eq!(all, nobody, "{count} {quorum}");
        }
    }

    #[test]
    fn every_choice_comes_though_some_are_there_only_now_and_then() {
        for counts in [vec![4, 3], vec![3, 4], vec![4, 3, 2], vec![4, 2, 3, 3]] {
            for doubtful in [vec![], vec![0], vec![0, 1], vec![3], vec![1, 3]] {
                let mut world = World::default();
                for count in counts.iter().cycle().take(100) {
                    let doubtful = doubtful.iter().copied().filter(|it| it < count);
                    world.spared(*count, &doubtful.collect::<Vec<_>>(), 3);
                }
                // Three of four, and two.
                let told = world.tried.with.len();
                assert_eq!(told, 4 + 6, "{counts:?}, {doubtful:?}");
            }
        }
    }

    #[test]
    fn who_was_told_of_again_and_again_is_soon_told_of_alone_once_another_one_is_there() {
        let mut world = World::default();
        for _ in 0..100 {
            assert!(world.spared(1, &[], 2).is_empty());
        }
        assert_eq!(
            [0; 4].map(|_| world.spared(2, &[], 2)),
            [[0], [1], [0], [1]]
        );
    }

    #[test]
    fn another_choice_than_the_last_ones_comes_first_for_each() {
        let mut world = World::default();
        assert_eq!(world.spared(2, &[], 2), [0]);
        world.tried = Tried::default();
        assert_eq!(world.spared(2, &[], 2), [1]);
        world.tried = Tried::default();
        assert_eq!(world.spared(2, &[1], 2), [1]);
        world.tried = Tried::default();
        assert_eq!(world.spared(2, &[1], 2), [0]);
    }

    #[test]
    fn of_a_large_ensemble_no_more_choices_are_looked_at_than_can_be() {
        assert_eq!(turns(31, 30, &[], 16)[30], [0, 1]);
    }
}
