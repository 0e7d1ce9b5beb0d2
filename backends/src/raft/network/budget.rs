//! How many bytes may be kept at once, and whose they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// There is no room for more. Whoever has less than others has some, and what is smaller than others of
/// the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much of other requests is on its way")]
pub(super) struct Full;

/// The bytes that may be kept. Clones are one.
#[derive(Clone)]
pub(super) struct Budget {
    most: usize,
    spent: Arc<Mutex<Spent>>,
}

#[derive(Default)]
struct Spent {
    next: u64,
    /// Of all holders.
    bytes: usize,
    // Those that have none yet are not among them.
    holders: BTreeMap<u64, Holder>,
    owners: BTreeMap<IpAddr, Owner>,
}

struct Holder {
    address: IpAddr,
    bytes: usize,
    /// What has come is given up when this is dropped.
    _keeps: oneshot::Sender<()>,
}

/// What holders of one address have. Nobody is looked for among all holders: there may be very many, and
/// everybody waits meanwhile.
#[derive(Default)]
struct Owner {
    bytes: usize,
    /// Each with its number, the smallest first.
    holders: BTreeSet<(usize, u64)>,
}

/// What is kept of one request. It counts no more once this is dropped.
pub(super) struct Share {
    budget: Budget,
    address: IpAddr,
    /// Its number, and what says that it was given up.
    held: Option<(u64, oneshot::Receiver<()>)>,
    is_lost: bool,
}

impl Budget {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            spent: Arc::default(),
        }
    }

    /// Nothing yet, of somebody at this address.
    pub fn share(&self, address: IpAddr) -> Share {
        Share {
            budget: self.clone(),
            address,
            held: None,
            is_lost: false,
        }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spent {
    /// Gives up the largest of what those have kept who have more than this address comes to with so
    /// many bytes more, and after that what is larger of its own than this holder comes to, until these
    /// fit in. Where they can't, nothing is given up.
    fn make_room(
        &mut self,
        address: IpAddr,
        held: Option<u64>,
        bytes: usize,
        most: usize,
    ) -> Result<(), Full> {
        let too_many = self.bytes.saturating_add(bytes).saturating_sub(most);
        if too_many > 0 {
            for id in self.largest(address, held, bytes, too_many)? {
                self.remove(id);
            }
        }
        Ok(())
    }

    fn largest(
        &self,
        address: IpAddr,
        held: Option<u64>,
        bytes: usize,
        too_many: usize,
    ) -> Result<Vec<u64>, Full> {
        let own = self.owners.get(&address);
        let comes_to = own.map_or(0, |it| it.bytes).saturating_add(bytes);
        // What would be left to each, and its holders, the largest first.
        let others = self.owners.values().filter(|it| it.bytes > comes_to);
        let mut others: Vec<_> = others.map(|it| (it.bytes, it.holders.iter())).collect();
        let held = held.and_then(|id| self.holders.get(&id));
        let holds = held.map_or(0, |it| it.bytes).saturating_add(bytes);
        let mut own = own.into_iter().flat_map(|it| it.holders.iter().rev());
        let (mut freed, mut given_up) = (0_usize, Vec::new());
        while freed < too_many {
            let richest = others.iter_mut().max_by_key(|(left, _)| *left);
            let (size, id) = match richest.filter(|it| it.0 > comes_to) {
                Some((left, holders)) => {
                    let given_up = holders.next_back().ok_or(Full)?;
                    *left = left.saturating_sub(given_up.0);
                    given_up
                }
                None => own.next().filter(|(size, _)| *size > holds).ok_or(Full)?,
            };
            freed = freed.saturating_add(*size);
            given_up.push(*id);
        }
        Ok(given_up)
    }

    fn insert(&mut self, id: u64, holder: Holder) {
        let Holder { address, bytes, .. } = holder;
        self.bytes = self.bytes.saturating_add(bytes);
        let owner = self.owners.entry(address).or_default();
        owner.bytes = owner.bytes.saturating_add(bytes);
        owner.holders.insert((bytes, id));
        self.holders.insert(id, holder);
    }

    fn remove(&mut self, id: u64) -> Option<Holder> {
        let holder = self.holders.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(holder.bytes);
        if let Some(owner) = self.owners.get_mut(&holder.address) {
            owner.bytes = owner.bytes.saturating_sub(holder.bytes);
            owner.holders.remove(&(holder.bytes, id));
            if owner.holders.is_empty() {
                self.owners.remove(&holder.address);
            }
        }
        Some(holder)
    }
}

impl Share {
    /// Keeps so many bytes more. Once it has failed it is given up.
    pub fn add(&mut self, bytes: usize) -> Result<(), Full> {
        let added = self.try_add(bytes);
        if added.is_err() {
            self.release();
            self.is_lost = true;
        }
        added
    }

    fn try_add(&mut self, bytes: usize) -> Result<(), Full> {
        let mut spent = self.budget.spent();
        if self.is_lost {
            return Err(Full);
        }
        if let Some((id, _)) = &self.held
            && !spent.holders.contains_key(id)
        {
            return Err(Full);
        }
        let held = self.held.as_ref().map(|(id, _)| *id);
        spent.make_room(self.address, held, bytes, self.budget.most)?;
        if let Some((id, _)) = &self.held {
            let mut holder = spent.remove(*id).ok_or(Full)?;
            holder.bytes = holder.bytes.saturating_add(bytes);
            spent.insert(*id, holder);
            return Ok(());
        }
        let id = spent.next;
        spent.next = id.wrapping_add(1);
        let (keeps, kept) = oneshot::channel();
        let holder = Holder {
            address: self.address,
            bytes,
            _keeps: keeps,
        };
        spent.insert(id, holder);
        self.held = Some((id, kept));
        Ok(())
    }

    /// Fails once it was given up, and wakes whoever asks when that is so.
    pub fn poll_kept(&mut self, context: &mut Context<'_>) -> Result<(), Full> {
        if let Some((_, kept)) = &mut self.held
            && Pin::new(kept).poll(context) != Poll::Pending
        {
            self.held = None;
            self.is_lost = true;
        }
        if self.is_lost { Err(Full) } else { Ok(()) }
    }

    fn release(&mut self) {
        if let Some((id, _)) = self.held.take() {
            self.budget.spent().remove(id);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn is_kept(share: &mut Share) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        share.poll_kept(&mut context).is_ok()
    }

    fn shares<const N: usize>(budget: &Budget, last: u8, bytes: [usize; N]) -> [Share; N] {
        bytes.map(|bytes| {
            let mut share = budget.share(at(last));
            share.add(bytes).unwrap();
            share
        })
    }

    #[test]
    fn nothing_is_given_up_for_what_finds_no_room_all_the_same() {
        let budget = Budget::new(100);
        let mut many = shares(&budget, 1, [45, 10]);
        let mut few = shares(&budget, 2, [40]);
        // The larger one would not be enough, and the smaller ones are not of somebody who has more.
        assert_eq!(budget.share(at(3)).add(51), Err(Full));
        assert_eq!(budget.share(at(1)).add(45), Err(Full));
        assert!(many.iter_mut().chain(&mut few).all(is_kept));
        budget.share(at(3)).add(45).unwrap();
        let kept: Vec<_> = many.iter_mut().map(is_kept).collect();
        assert_eq!((kept, is_kept(&mut few[0])), (vec![false, true], true));
    }

    #[test]
    fn the_largest_of_an_address_gives_way_to_what_is_smaller_of_the_same() {
        let budget = Budget::new(100);
        let [mut first, mut second] = shares(&budget, 1, [48, 47]);
        let [mut small] = shares(&budget, 1, [6]);
        assert!(!is_kept(&mut first) && is_kept(&mut second));
        let [mut next] = shares(&budget, 1, [47]);
        // It grows until it is as large as any.
        assert_eq!(next.add(1), Err(Full));
        small.add(40).unwrap();
        small.add(7).unwrap();
        assert_eq!(small.add(1), Err(Full));
        assert!(is_kept(&mut second) && !is_kept(&mut small));
    }

    #[test]
    fn what_others_have_too_much_of_goes_before_what_an_address_has_itself() {
        let budget = Budget::new(100);
        let [mut other] = shares(&budget, 1, [60]);
        let [mut own] = shares(&budget, 2, [40]);
        budget.share(at(2)).add(10).unwrap();
        assert!(!is_kept(&mut other) && is_kept(&mut own));
    }

    #[test]
    fn what_is_kept_is_counted_for_all_and_for_each_address() {
        let budget = Budget::new(100);
        let mut one = shares(&budget, 1, [10, 20]);
        let two = shares(&budget, 2, [30]);
        one[0].add(15).unwrap();
        let counted = || {
            let spent = budget.spent();
            let owners = spent.owners.values();
            let owners: Vec<_> = owners.map(|it| (it.bytes, it.holders.len())).collect();
            (spent.bytes, owners)
        };
        assert_eq!(counted(), (75, vec![(45, 2), (30, 1)]));
        drop(one);
        assert_eq!(counted(), (30, vec![(30, 1)]));
        drop(two);
        assert_eq!(counted(), (0, vec![]));
    }
}
