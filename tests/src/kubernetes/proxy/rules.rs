//! Which faults strike whom, how often, and what a test hears of it.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::time::timeout;

use super::handle::Held;
use super::requests::Asked;
use super::{Fault, Requests};
use crate::kubernetes::LIMIT;

/// The faults that are in force, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<Vec<Rule>>);

/// A fault that was injected.
#[derive(Debug)]
pub struct Injected {
    strikes: watch::Receiver<u64>,
    held: AsyncMutex<mpsc::UnboundedReceiver<Held>>,
}

/// A fault that strikes one request.
#[derive(Debug)]
pub(super) struct Strike {
    pub(super) fault: Fault,
    pub(super) held: mpsc::UnboundedSender<Held>,
    strikes: watch::Sender<u64>,
}

/// What the server said to a request that was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The status code.
    pub code: u16,
    /// The body, as text.
    pub body: String,
}

impl Injected {
    /// How many requests it has struck.
    pub(crate) fn strikes(&self) -> u64 {
        *self.strikes.borrow()
    }

    /// Waits until it has struck a request.
    pub async fn hit(&self) {
        self.hits(1).await;
    }

    /// Waits until it has struck so many requests.
    pub(crate) async fn hits(&self, times: u64) {
        let mut strikes = self.strikes.clone();
        let struck = strikes.wait_for(|&strikes| strikes >= times);
        let struck = within(struck, "a fault did not strike").await;
        assert!(
            struck.is_ok(),
            "a fault was cleared before it struck {times} times"
        );
    }

    /// Delivers the request that has been held longest to the server, waiting for one if need
    /// be, and returns the server's answer; the client learns nothing of it.
    pub async fn deliver(&self) -> Delivered {
        let mut held = self.held.lock().await;
        let held = within(held.recv(), "no request was held").await;
        let held = held.expect("the fault still holds requests");
        within(held.deliver(), "the server did not answer").await
    }
}

impl Rules {
    pub(super) fn inject(&self, requests: Requests, times: Option<u64>, fault: Fault) -> Injected {
        let (strikes, seen) = watch::channel(0);
        let (held, queue) = mpsc::unbounded_channel();
        let rule = Rule {
            requests,
            left: times,
            fault,
            held,
            strikes,
        };
        self.with(|rules| rules.push(rule));
        Injected {
            strikes: seen,
            held: AsyncMutex::new(queue),
        }
    }

    pub(super) fn clear(&self) {
        self.with(Vec::clear);
    }

    /// The fault, if any, that strikes this new request.
    pub(super) fn strike(&self, asked: Asked) -> Option<Strike> {
        self.strike_by(asked, |fault| !matches!(fault, Fault::Silence))
    }

    /// Whether an answer falls silent here.
    pub(super) fn silences(&self, asked: Asked) -> bool {
        let strike = self.strike_by(asked, |fault| matches!(fault, Fault::Silence));
        strike.inspect(Strike::has_struck).is_some()
    }

    fn strike_by(&self, asked: Asked, is_meant: impl Fn(&Fault) -> bool) -> Option<Strike> {
        self.with(|rules| {
            let rule = rules
                .iter_mut()
                .find(|rule| is_meant(&rule.fault) && rule.requests.include(asked))?;
            let strike = Strike {
                fault: rule.fault.clone(),
                held: rule.held.clone(),
                strikes: rule.strikes.clone(),
            };
            rule.left = rule.left.map(|left| left.saturating_sub(1));
            rules.retain(|rule| rule.left != Some(0));
            Some(strike)
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Vec<Rule>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Strike {
    pub(super) fn has_struck(&self) {
        self.strikes.send_modify(|strikes| *strikes += 1);
    }
}

#[derive(Debug)]
struct Rule {
    requests: Requests,
    left: Option<u64>,
    fault: Fault,
    held: mpsc::UnboundedSender<Held>,
    strikes: watch::Sender<u64>,
}

async fn within<T>(future: impl Future<Output = T>, otherwise: &str) -> T {
    match timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("{otherwise} within {} s", LIMIT.as_secs()),
    }
}
