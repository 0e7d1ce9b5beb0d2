//! What people ask of the machine while it runs.

use stepdown_core::ServerId;
use stepdown_core::balance::Survey;
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
    GiveUp(ServerId),
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

    /// Has it give up on a data server. What comes of it can be seen.
    pub async fn give_up(&self, server: ServerId) {
        // One that has ended does nothing.
        let _ = self.requests.send(Request::GiveUp(server)).await;
    }
}
