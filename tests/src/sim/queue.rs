//! What will happen, by time and then by order of planning.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::clock::At;

#[derive(Debug)]
pub struct Queue<T> {
    now: At,
    planned: u64,
    heap: BinaryHeap<Reverse<Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    at: At,
    order: u64,
    what: T,
}

impl<T> Queue<T> {
    pub fn new() -> Self {
        Self {
            now: At(0),
            planned: 0,
            heap: BinaryHeap::new(),
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
        self.heap.push(Reverse(Entry {
            at: at.max(self.now),
            order: self.planned,
            what,
        }));
    }

    pub fn after(&mut self, delay: Duration, what: T) {
        self.at(self.now.plus(delay), what);
    }

    /// The next thing to happen, unless that is later than `end`.
    pub fn pop(&mut self, end: At) -> Option<T> {
        if self.heap.peek().is_none_or(|Reverse(next)| next.at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(next) = self.heap.pop()?;
        self.now = next.at;
        Some(next.what)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
