//! Of whom a leader is not told, once one could not lead for a reason that it did not tell.
//!
//! A log that can't be truncated to fit its own, or a server that it can't reach, is such a reason, and
//! may remain one in every term.

use std::collections::BTreeSet;

use super::fencing::Vote;
use super::led::Fit;
use super::memory::Memory;
use crate::call::EntryId;
use crate::id::ServerId;

/// How often in a row the chosen one could not lead, for a reason that it did not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Unexplained {
    pub(super) times: usize,
    /// Of whom the first of those was told.
    told_first: BTreeSet<ServerId>,
    /// The last one's, where somebody could be left out.
    turn: Turn,
}

/// How far somebody has come with those it is tried without.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// So many single ones and pairs were left out.
    taken: usize,
    /// All that are not known to fit were left out the last time.
    was_without_doubtful: bool,
}

impl Turn {
    /// All that are not known to fit are left out every other time, since who is there may have changed.
    fn next(self, is_doubtful: bool) -> Self {
        let was_without_doubtful = is_doubtful && !self.was_without_doubtful;
        let taken = if was_without_doubtful {
            self.taken
        } else {
            self.taken + 1
        };
        Self {
            taken,
            was_without_doubtful,
        }
    }
}

/// A follower, and with what head a leader is told of it.
pub(super) type Told<'a> = (&'a Vote, EntryId);

/// The followers that the chosen one is told of: all, unless it could not lead before for a reason
/// that it did not tell. Then those that are not known to fit are left out, every other time that this
/// one is tried so; else one of all, another one each time, first those of which the first one that could
/// not lead was told, the least head first; and then two of them. Always where the others are enough: a
/// time when nobody can be left out is none of its times.
pub(super) fn told_of<'a>(
    leader: &Vote,
    mut told: Vec<Told<'a>>,
    quorum: usize,
    memory: &mut Memory,
) -> Vec<Told<'a>> {
    if memory.unexplained.times == 0 {
        let first = told.iter().map(|(vote, _)| vote.server.id());
        memory.unexplained.told_first = first.collect();
        return told;
    }
    let is_suspect = |server: &ServerId| memory.unexplained.told_first.contains(server);
    told.sort_by_key(|(vote, head)| (!is_suspect(&vote.server.id()), *head));
    let fits = |head| memory.led.fit(leader.position.head(), head) == Fit::Fits;
    let heads = told.iter().map(|(_, head)| *head).enumerate();
    let doubtful: Vec<usize> = heads.filter(|it| !fits(it.1)).map(|it| it.0).collect();
    let spared = spared(told.len(), doubtful, quorum, |is_doubtful| {
        memory.next_turn(&leader.server.id(), is_doubtful)
    });
    let told = told.into_iter().enumerate();
    told.filter(|(it, _)| !spared.contains(it))
        .map(|(_, it)| it)
        .collect()
}

/// Which of so many followers are left out, if some can be.
fn spared(
    count: usize,
    doubtful: Vec<usize>,
    quorum: usize,
    next_turn: impl FnOnce(bool) -> Turn,
) -> Vec<usize> {
    let is_enough = |spared: &Vec<usize>| count - spared.len() + 1 >= quorum;
    let one = (0..count).map(|it| vec![it]);
    let two = (0..count).flat_map(|it| (it + 1..count).map(move |other| vec![it, other]));
    let choices: Vec<_> = one.chain(two).filter(is_enough).collect();
    if choices.is_empty() {
        return Vec::new();
    }
    let turn = next_turn(!doubtful.is_empty() && is_enough(&doubtful));
    if turn.was_without_doubtful {
        return doubtful;
    }
    let choice = choices.into_iter().cycle().nth(turn.taken - 1);
    choice.unwrap_or_default()
}

impl Memory {
    /// The next turn of this one: at first another than the last one's, and then each of its own,
    /// whoever is tried in between.
    fn next_turn(&mut self, server: &ServerId, is_doubtful: bool) -> Turn {
        let last = self.unexplained.turn;
        let own = self.turn_of(server);
        let turn = own.unwrap_or(last).next(is_doubtful);
        *own = Some(turn);
        self.unexplained.turn = turn;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is left out in each of so many turns.
    fn each(turns: usize, count: usize, doubtful: &[usize], quorum: usize) -> Vec<Vec<usize>> {
        let mut turn = Turn::default();
        let each = (0..turns).map(|_| {
            spared(count, doubtful.to_vec(), quorum, |is_doubtful| {
                turn = turn.next(is_doubtful);
                turn
            })
        });
        each.collect()
    }

    #[test]
    fn those_that_are_not_known_to_fit_are_left_out_every_other_time() {
        assert_eq!(
            each(5, 4, &[0, 1], 3),
            [vec![0, 1], vec![0], vec![0, 1], vec![1], vec![0, 1]]
        );
        // The others are not enough.
        assert_eq!(each(1, 4, &[0, 1, 2], 3), [[0]]);
    }

    #[test]
    fn those_that_are_not_known_to_fit_any_more_are_left_out_the_next_time() {
        let mut turn = Turn::default().next(false);
        let spared = spared(3, vec![2], 3, |is_doubtful| {
            turn = turn.next(is_doubtful);
            turn
        });
        assert_eq!(spared, [2]);
    }

    #[test]
    fn nobody_is_left_out_where_all_are_needed_and_that_is_no_turn() {
        for (count, quorum) in [(2, 3), (1, 2), (0, 1), (0, 2), (1, 3)] {
            let left_out = spared(count, Vec::new(), quorum, |_| panic!("a turn"));
            assert!(left_out.is_empty(), "{count} {quorum}");
        }
    }

    #[test]
    fn each_is_left_out_in_turn_and_then_each_two_where_the_others_are_enough() {
        assert_eq!(each(4, 2, &[], 2), [[0], [1], [0], [1]]);
        let of_five = each(11, 4, &[], 3);
        assert_eq!(of_five[..4], [[0], [1], [2], [3]]);
        let pairs = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];
        assert_eq!(of_five[4..10], pairs);
        assert_eq!(of_five[10], [0]);
    }
}
