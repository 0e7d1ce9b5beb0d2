//! One task owns the backend's leadership: it campaigns, holds and releases, in the order asked.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use stepdown_backends::{Leadership, LeadershipReport};
use stepdown_core::{Event, Tenure};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

enum Order {
    Campaign(Tenure),
    /// Extend leadership no more, so that it ends by itself should the office never be empty.
    Close,
    Release,
}

/// The handle of that task.
pub(super) struct LeadershipTask {
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
}

impl LeadershipTask {
    pub(super) fn start(leadership: Arc<dyn Leadership>, events: mpsc::Sender<Event>) -> Self {
        // The machine asks for at most one campaign, its close and its release at a time, so this
        // queue stays short.
        let (orders, queue) = mpsc::unbounded_channel();
        let task = tokio::spawn(obey(leadership, queue, events));
        Self { orders, task }
    }

    pub(super) fn campaign(&self, tenure: Tenure) {
        // It ends only with this handle, or with the process.
        let _ = self.orders.send(Order::Campaign(tenure));
    }

    pub(super) fn close_office(&self) {
        let _ = self.orders.send(Order::Close);
    }

    pub(super) fn release(&self) {
        let _ = self.orders.send(Order::Release);
    }

    /// Waits until everything asked for is done.
    pub(super) async fn close(&mut self) {
        let (orders, _) = mpsc::unbounded_channel();
        self.orders = orders;
        // A task that panicked has nothing left to wait for.
        let _ = (&mut self.task).await;
    }
}

async fn obey(
    leadership: Arc<dyn Leadership>,
    mut queue: mpsc::UnboundedReceiver<Order>,
    events: mpsc::Sender<Event>,
) {
    let mut order = queue.recv().await;
    while let Some(current) = order {
        order = match current {
            Order::Campaign(tenure) => tokio::select! {
                biased;
                next = queue.recv() => next,
                () = lead(&*leadership, tenure, &events) => queue.recv().await,
            },
            // Whatever was led is no longer: its future is dropped.
            Order::Close => queue.recv().await,
            Order::Release => {
                leadership.release().await;
                queue.recv().await
            }
        };
    }
}

/// Leads until leadership is lost; whatever way it ends, the machine hears of it.
async fn lead(leadership: &dyn Leadership, tenure: Tenure, events: &mpsc::Sender<Event>) {
    let (reports, mut heard) = mpsc::channel(16);
    let report = async {
        while let Some(report) = heard.recv().await {
            let (event, over) = match report {
                LeadershipReport::Won { authority } => {
                    (Event::LeadershipWon { tenure, authority }, false)
                }
                LeadershipReport::Extended { authority } => {
                    (Event::AuthorityExtended { tenure, authority }, false)
                }
                LeadershipReport::Lost { reason } => {
                    (Event::LeadershipLost { tenure, reason }, true)
                }
            };
            if events.send(event).await.is_err() || over {
                return;
            }
        }
        let reason = "the backend has stopped campaigning".to_owned();
        // Nobody listens only when the process ends.
        let _ = events.send(Event::LeadershipLost { tenure, reason }).await;
    };
    // A panic ends the reports, which says that leadership is lost.
    let leading = AssertUnwindSafe(leadership.lead(reports)).catch_unwind();
    let (_, ()) = tokio::join!(leading, report);
}
