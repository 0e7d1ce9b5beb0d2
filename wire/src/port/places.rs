//! Who may be connected, where more want to be than may.
//!
//! Nobody is kept out by one who has many: whoever has fewer connections than somebody else gets a place
//! of theirs. But nobody is put out by those who are many: a handful of places are kept by whoever has
//! them.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tracing::warn;

/// The last 64 bits of an IPv6 address are a host's to choose.
const NETWORK: u128 = !(u64::MAX as u128);

/// So many places nobody gives up to anybody else, or a third of them where there are few. Nodes,
/// programs and people need no more each.
const HANDFUL: usize = 8;

/// The places of one port. Clones are one.
#[derive(Clone)]
pub(super) struct Places {
    most: usize,
    handful: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    // Oldest first.
    places: BTreeMap<u64, Holder>,
    is_told: bool,
}

struct Holder {
    address: IpAddr,
    /// The connection ends when this is dropped.
    _keeps: oneshot::Sender<()>,
}

/// The place of one connection, which is free again when this is dropped.
pub(super) struct Place {
    id: u64,
    /// Until it has ended.
    kept: Option<oneshot::Receiver<()>>,
    places: Places,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self::keeping(HANDFUL.min(most / 3).max(1), most)
    }

    /// The same, where nobody gives up one of so many.
    pub(super) fn keeping(handful: usize, most: usize) -> Self {
        Self {
            most,
            handful,
            taken: Arc::default(),
        }
    }

    /// A place for somebody at this address, if there is one, or somebody else has more than they,
    /// and more than a handful.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let (keeps, kept) = oneshot::channel();
        let mut taken = self.taken();
        if taken.places.len() >= self.most && !self.make_room(&mut taken, address) {
            return None;
        }
        let id = taken.next;
        taken.next = id.wrapping_add(1);
        let holder = Holder {
            address,
            _keeps: keeps,
        };
        taken.places.insert(id, holder);
        Some(Place {
            id,
            kept: Some(kept),
            places: self.clone(),
        })
    }

    fn make_room(&self, taken: &mut Taken, address: IpAddr) -> bool {
        let counts = counted(taken.places.values().map(|it| it.address));
        let most = counts.values().copied().max().unwrap_or_default();
        if !std::mem::replace(&mut taken.is_told, true) {
            let by = taken.places.values().map(|it| it.address);
            let by = by.max_by_key(|it| counts.get(it)).map(|it| it.to_string());
            warn!(
                open = self.most,
                by,
                most,
                "No more connections may be open: those of whoever has most go first, and nobody's where each \
                 has a handful"
            );
        }
        let has = counts.get(&address).copied().unwrap_or_default();
        if has >= most || most <= self.handful {
            return false;
        }
        let has_most = |holder: &Holder| counts.get(&holder.address) == Some(&most);
        let oldest = taken.places.iter().find(|(_, holder)| has_most(holder));
        let oldest = oldest.map(|(id, _)| *id);
        oldest.is_some_and(|id| taken.places.remove(&id).is_some())
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Fails once it was given to somebody else, and wakes whoever asks when that is so.
    pub(super) fn poll_kept(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let is_kept = self
            .kept
            .as_mut()
            .is_some_and(|kept| Pin::new(kept).poll(context) == Poll::Pending);
        if is_kept {
            return Ok(());
        }
        self.kept = None;
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.places.remove(&self.id);
        // Not where the next one fills it again.
        if taken.places.len() <= self.places.most / 2 {
            taken.is_told = false;
        }
    }
}

/// How often each is among them.
pub(super) fn counted(addresses: impl Iterator<Item = IpAddr>) -> BTreeMap<IpAddr, usize> {
    let mut counts = BTreeMap::new();
    for address in addresses {
        *counts.entry(address).or_default() += 1;
    }
    counts
}

/// Whose an address is, as far as it tells: all of an IPv6 network of 64 bits are one, and so are both
/// forms of an IPv4 address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn is_kept(place: &mut Place) -> bool {
        place
            .poll_kept(&mut Context::from_waker(std::task::Waker::noop()))
            .is_ok()
    }

    fn take(places: &Places, address: &str, count: usize) -> Vec<Place> {
        let taken: Vec<_> = (0..count).map_while(|_| places.take(at(address))).collect();
        assert_eq!(taken.len(), count);
        taken
    }

    #[test]
    fn whoever_has_most_gives_up_the_oldest_until_others_have_as_many() {
        let places = Places::keeping(1, 4);
        let mut many = take(&places, "10.0.0.1", 4);
        let mut few = take(&places, "10.0.0.2", 2);
        assert!(places.take(at("10.0.0.2")).is_none());
        assert!(places.take(at("10.0.0.1")).is_none());
        let kept: Vec<_> = many.iter_mut().map(is_kept).collect();
        assert_eq!(kept, [false, false, true, true]);
        assert!(few.iter_mut().all(is_kept));
        assert!(places.take(at("10.0.0.3")).is_some());
    }

    #[test]
    fn nobody_gives_up_one_of_a_handful_however_many_others_want_it() {
        let places = Places::new(3 * HANDFUL);
        let mut peer = take(&places, "10.0.0.1", HANDFUL);
        let mut many = take(&places, "10.0.0.2", 2 * HANDFUL);
        let strangers: Vec<_> = (0..256)
            .filter_map(|network| places.take(at(&format!("2001:db8:0:{network:x}::1"))))
            .collect();
        assert_eq!(strangers.len(), HANDFUL);
        assert!(peer.iter_mut().all(is_kept));
        assert_eq!(
            many.iter_mut().map(is_kept).filter(|it| *it).count(),
            HANDFUL
        );
        drop(peer.pop());
        let _newcomer = take(&places, "10.0.0.3", 1);
        assert!(places.take(at("10.0.0.1")).is_none());
    }

    #[test]
    fn a_place_that_was_given_away_frees_none_when_it_is_dropped() {
        let places = Places::keeping(1, 2);
        let many = take(&places, "10.0.0.1", 2);
        let _other = take(&places, "10.0.0.2", 1);
        drop(many);
        let _more = take(&places, "10.0.0.1", 1);
        assert!(places.take(at("10.0.0.1")).is_none());
    }

    #[test]
    fn the_addresses_of_one_network_are_one_and_so_are_both_forms_of_one() {
        let places = Places::keeping(1, 2);
        let _many = take(&places, "2001:db8::1", 2);
        assert!(places.take(at("2001:db8::2:1")).is_none());
        let places = Places::keeping(1, 2);
        let _many = take(&places, "::ffff:10.0.0.1", 2);
        assert!(places.take(at("10.0.0.1")).is_none());
        assert!(places.take(at("::ffff:10.0.0.2")).is_some());
    }

    #[test]
    fn a_port_is_said_to_be_full_once_until_half_of_it_is_free_again() {
        let places = Places::keeping(1, 2);
        let is_told = || places.taken().is_told;
        let mut taken = take(&places, "10.0.0.1", 2);
        assert!(!is_told());
        assert!(places.take(at("10.0.0.1")).is_none() && is_told());
        taken.pop();
        assert!(!is_told());
    }
}
