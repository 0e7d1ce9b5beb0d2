//! Which versions of the document are this process's own, also where the watch knows of a write
//! before its answer has come.

use std::collections::{BTreeSet, VecDeque};

use stepdown_core::Version;
use tokio::sync::watch;

/// How many own versions are remembered: a watch lags behind by less.
const REMEMBERED: usize = 256;

/// The stores of this process. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct OwnStores(watch::Sender<State>);

#[derive(Default)]
struct State {
    next: u64,
    under_way: BTreeSet<u64>,
    accepted: VecDeque<Version>,
}

/// A store that is under way, for as long as this lives.
pub(crate) struct OwnStore {
    stores: OwnStores,
    number: u64,
}

impl OwnStores {
    pub(crate) fn begin(&self) -> OwnStore {
        let mut number = 0;
        self.0.send_modify(|state| {
            number = state.next;
            state.next += 1;
            state.under_way.insert(number);
        });
        OwnStore {
            stores: self.clone(),
            number,
        }
    }

    /// The version that this process wrote last.
    pub(crate) fn last(&self) -> Option<Version> {
        self.0.borrow().accepted.back().cloned()
    }

    /// Whether this process has written a version. Where that is not known yet it waits for the
    /// answers of the stores that are under way now.
    pub(crate) async fn made(&self, version: &Version) -> bool {
        let begun = self.0.borrow().next;
        let is_known = |state: &State| {
            let oldest = state.under_way.first();
            state.accepted.contains(version) || oldest.is_none_or(|oldest| *oldest >= begun)
        };
        let mut watch = self.0.subscribe();
        // The sender is borrowed, so this can't fail.
        let state = watch.wait_for(is_known).await;
        state.is_ok_and(|state| state.accepted.contains(version))
    }
}

impl OwnStore {
    pub(crate) fn accepted(self, version: Version) {
        self.stores.0.send_modify(|state| {
            if state.accepted.len() >= REMEMBERED {
                state.accepted.pop_front();
            }
            state.accepted.push_back(version);
        });
    }
}

impl Drop for OwnStore {
    fn drop(&mut self) {
        let number = self.number;
        self.stores.0.send_modify(|state| {
            state.under_way.remove(&number);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_version_is_own_once_it_is_accepted() {
        let (stores, version) = (OwnStores::default(), Version::new("1@u"));
        assert_eq!(poll(pin!(stores.made(&version))), Poll::Ready(false));
        stores.begin().accepted(version.clone());
        assert_eq!(poll(pin!(stores.made(&version))), Poll::Ready(true));
        let other = Version::new("2@u");
        assert_eq!(poll(pin!(stores.made(&other))), Poll::Ready(false));
    }

    #[test]
    fn a_version_that_is_seen_before_the_answer_is_judged_by_the_answer() {
        for is_own in [true, false] {
            let (stores, version) = (OwnStores::default(), Version::new("1@u"));
            let store = stores.begin();
            let mut made = pin!(stores.made(&version));
            assert_eq!(poll(made.as_mut()), Poll::Pending);
            if is_own {
                store.accepted(version.clone());
            } else {
                drop(store);
            }
            assert_eq!(poll(made), Poll::Ready(is_own));
        }
    }

    #[test]
    fn stores_that_began_later_are_not_waited_for() {
        let (stores, version) = (OwnStores::default(), Version::new("1@u"));
        let first = stores.begin();
        let mut made = pin!(stores.made(&version));
        assert_eq!(poll(made.as_mut()), Poll::Pending);
        let _second = stores.begin();
        drop(first);
        assert_eq!(poll(made), Poll::Ready(false));
    }

    #[test]
    fn the_oldest_versions_are_forgotten() {
        let stores = OwnStores::default();
        for number in 0..=REMEMBERED {
            stores.begin().accepted(Version::new(number.to_string()));
        }
        let made = |text: &str| poll(pin!(stores.made(&Version::new(text))));
        assert_eq!(
            (made("0"), made("1")),
            (Poll::Ready(false), Poll::Ready(true))
        );
    }
}
