//! What people ask of the machine while it runs.

use stepdown_core::ServerId;
use stepdown_core::balance::{HeldBack, Survey};
use tokio::sync::{mpsc, oneshot, watch};

use super::View;

/// Requests that may wait.
const QUEUE: usize = 16;

/// A way to look at a coordinator, and to ask it.
pub struct Asked {
    /// What it is, as it changes.
    pub view: watch::Receiver<View>,
    /// Whoever operates it.
    pub operator: Operator,
}

/// Asks a running coordinator. Clones ask the same.
#[derive(Clone, Debug)]
pub struct Operator {
    requests: mpsc::Sender<Request>,
}

/// One request.
pub(crate) enum Request {
    /// Answered once it is given up, and never where it is not.
    GiveUp(ServerId, oneshot::Sender<()>),
    HeldBack(oneshot::Sender<Option<HeldBack>>),
    Survey(oneshot::Sender<Option<Survey>>),
}

/// One to ask, and where what is asked comes in.
pub(crate) fn operator() -> (Operator, mpsc::Receiver<Request>) {
    let (requests, receiver) = mpsc::channel(QUEUE);
    (Operator { requests }, receiver)
}

impl Operator {
    /// What its next plan follows from; `None` where it does not lead, or knows of no configuration.
    pub async fn survey(&self) -> Option<Survey> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Survey(answer)).await.ok()?;
        answered.await.ok()?
    }

    /// What it is yet to put into force, if it leads and there is such a thing.
    pub async fn held_back(&self) -> Option<HeldBack> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::HeldBack(answer)).await.ok()?;
        answered.await.ok()?
    }

    /// Whether it leads and has not put into force yet what it has read: that would delete more than it keeps.
    pub(crate) async fn holds_back(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = self.requests.send(Request::Survey(answer)).await;
        let survey = match asked {
            Ok(()) => answered.await,
            // One that has ended does nothing.
            Err(_) => return false,
        };
        survey.is_ok_and(|it| it.is_none_or(|it| it.held.is_some()))
    }

    /// Has it give up on a data server; returns whether it does. One that leads does, where the server
    /// is not configured and away.
    pub async fn give_up(&self, server: ServerId) -> bool {
        let (answer, answered) = oneshot::channel();
        // One that has ended does nothing.
        let asked = self.requests.send(Request::GiveUp(server, answer)).await;
        asked.is_ok() && answered.await.is_ok()
    }
}
