//! How many bytes may be kept at once, and whose they are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// There is no room for more. Whoever has less than others has some.
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
    // Oldest first. Those that have none yet are not among them.
    holders: BTreeMap<u64, Holder>,
}

struct Holder {
    address: IpAddr,
    bytes: usize,
    /// What has come is given up when this is dropped.
    _keeps: oneshot::Sender<()>,
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
    /// many bytes more, until these fit in.
    fn make_room(&mut self, address: IpAddr, bytes: usize, most: usize) -> Result<(), Full> {
        while self.bytes.saturating_add(bytes) > most {
            let mut by = BTreeMap::<IpAddr, usize>::new();
            for holder in self.holders.values() {
                *by.entry(holder.address).or_default() += holder.bytes;
            }
            let has = by.get(&address).copied().unwrap_or_default();
            let richest = by.iter().max_by_key(|(_, bytes)| **bytes);
            let (richest, has_most) = richest.ok_or(Full)?;
            if has.saturating_add(bytes) >= *has_most {
                return Err(Full);
            }
            let theirs = self.holders.iter().filter(|(_, it)| it.address == *richest);
            let largest = theirs.max_by_key(|(_, it)| it.bytes).map(|(id, _)| *id);
            self.remove(largest.ok_or(Full)?);
        }
        Ok(())
    }

    fn remove(&mut self, id: u64) {
        if let Some(holder) = self.holders.remove(&id) {
            self.bytes = self.bytes.saturating_sub(holder.bytes);
        }
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
        spent.make_room(self.address, bytes, self.budget.most)?;
        if let Some((id, _)) = &self.held {
            let holder = spent.holders.get_mut(id).ok_or(Full)?;
            holder.bytes = holder.bytes.saturating_add(bytes);
            spent.bytes = spent.bytes.saturating_add(bytes);
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
        spent.holders.insert(id, holder);
        spent.bytes = spent.bytes.saturating_add(bytes);
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
