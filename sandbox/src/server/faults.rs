//! Misbehaviour on demand.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

/// What happens to calls of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// They are handled late.
    Delay(Duration),
    /// They are not handled before the fault ends.
    Hang,
}

/// How a data server misbehaves; by default it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultSet {
    /// What happens to calls, by the method's name: those of `OxiaCoordination`, `Check` and
    /// `Watch` of health, `Append` and `Read`, and `Replicate`, which stands for the messages of
    /// leaders.
    pub calls: BTreeMap<String, CallFault>,
    /// Health says NOT_SERVING.
    pub not_serving: bool,
    /// New connections are left waiting.
    pub stop_accepting: bool,
}

/// The knobs of one data server.
#[derive(Clone, Debug)]
pub struct Faults {
    set: watch::Sender<FaultSet>,
    watches_broken: watch::Sender<u64>,
}

impl Faults {
    pub(super) fn none() -> Self {
        Self {
            set: watch::Sender::new(FaultSet::default()),
            watches_broken: watch::Sender::new(0),
        }
    }

    /// Takes the place of all faults set before.
    pub fn set(&self, faults: FaultSet) {
        self.set.send_replace(faults);
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.set(FaultSet::default());
    }

    /// Ends every health watch that is open now.
    pub fn break_health_watches(&self) {
        self.watches_broken
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn watch(&self) -> watch::Receiver<FaultSet> {
        self.set.subscribe()
    }

    pub(super) fn watch_breaks(&self) -> watch::Receiver<u64> {
        self.watches_broken.subscribe()
    }

    /// Waits as long as calls of `method` have to.
    pub(super) async fn pass(&self, method: &str) {
        let fault = self.set.borrow().calls.get(method).copied();
        match fault {
            None => {}
            Some(CallFault::Delay(delay)) => tokio::time::sleep(delay).await,
            Some(CallFault::Hang) => {
                let hangs = |set: &FaultSet| set.calls.get(method) == Some(&CallFault::Hang);
                // The sender is ours, so it can't be gone.
                let _ = self.watch().wait_for(|set| !hangs(set)).await;
            }
        }
    }
}
