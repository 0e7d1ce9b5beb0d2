//! What will happen, by time and then by order of planning.
//!
//! Most of what is planned happens within milliseconds, while time-outs wait for seconds. So there
//! are two heaps, for what comes soon and for the rest, and both only say where a thing is kept.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::clock::At;

/// So much of the future is soon.
const SOON: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub struct Queue<T> {
    now: At,
    planned: u64,
    /// What happens before `horizon`.
    soon: BinaryHeap<Reverse<Entry>>,
    later: BinaryHeap<Reverse<Entry>>,
    horizon: At,
    kept: Vec<Option<T>>,
    free: Vec<u32>,
}

/// When something happens, in its lower half in which order it was planned, and in the lowest bits where it
/// is kept: one number is compared faster than three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u128);

const PLACE_BITS: u32 = 24;

impl Entry {
    fn new(at: At, order: u64, place: u32) -> Self {
        Self(u128::from(at.0) << 64 | u128::from(order << PLACE_BITS | u64::from(place)))
    }

    fn at(self) -> At {
        At((self.0 >> 64) as u64)
    }

    fn place(self) -> u32 {
        let place = self.0 % (1 << PLACE_BITS);
        u32::try_from(place).unwrap_or(u32::MAX)
    }
}

impl<T> Queue<T> {
    pub fn new() -> Self {
        Self {
            now: At(0),
            planned: 0,
            soon: BinaryHeap::new(),
            later: BinaryHeap::new(),
            horizon: At(0),
            kept: Vec::new(),
            free: Vec::new(),
        }
    }

    pub fn now(&self) -> At {
        self.now
    }

    pub fn planned(&self) -> u64 {
        self.planned
    }

    pub fn at(&mut self, at: At, what: T) {
        self.planned += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.kept.push(None);
            u32::try_from(self.kept.len() - 1).unwrap_or(u32::MAX)
        });
        assert!(place < 1 << PLACE_BITS, "too much is planned at once");
        self.kept[place as usize] = Some(what);
        let at = at.max(self.now);
        let entry = Entry::new(at, self.planned, place);
        if at < self.horizon {
            self.soon.push(Reverse(entry));
        } else {
            self.later.push(Reverse(entry));
        }
    }

    pub fn after(&mut self, delay: Duration, what: T) {
        self.at(self.now.plus(delay), what);
    }

    /// The next thing to happen, unless that is later than `end`.
    pub fn pop(&mut self, end: At) -> Option<T> {
        if self.soon.is_empty() {
            self.look_ahead();
        }
        if self.soon.peek().is_none_or(|Reverse(next)| next.at() > end) {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(next) = self.soon.pop()?;
        self.now = next.at();
        self.free.push(next.place());
        self.kept[next.place() as usize].take()
    }

    /// Nothing happens before the horizon any more: it moves on.
    fn look_ahead(&mut self) {
        if let Some(Reverse(next)) = self.later.peek() {
            self.horizon = next.at().plus(SOON);
        }
        while let Some(Reverse(next)) = self.later.peek()
            && next.at() < self.horizon
        {
            self.soon.extend(self.later.pop());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_happens_by_time_and_then_by_order() {
        let mut queue = Queue::new();
        let mut chance = fastrand::Rng::with_seed(7);
        let mut planned = Vec::new();
        let mut happened = Vec::new();
        for number in 0..2_000_u64 {
            let wait = chance.u64(0..3) * chance.u64(0..20_000_000);
            let at = At(queue.now().0 + wait);
            queue.at(at, number);
            planned.push((at, number));
            if chance.bool() {
                let end = At(queue.now().0 + chance.u64(0..30_000_000));
                let next = queue.pop(end);
                happened.extend(next.map(|number| (queue.now(), number)));
            }
        }
        while let Some(number) = queue.pop(At(u64::MAX / 2)) {
            happened.push((queue.now(), number));
        }
        assert_eq!(happened.len(), planned.len());
        assert!(happened.is_sorted_by_key(|(at, _)| *at));
        for (at, number) in planned {
            let place = happened.iter().position(|it| it.1 == number).unwrap();
            assert_eq!(happened[place].0, at);
            let before = place.checked_sub(1).map(|before| happened[before]);
            assert!(before.is_none_or(|before| before.0 < at || before.1 < number));
        }
    }
}
