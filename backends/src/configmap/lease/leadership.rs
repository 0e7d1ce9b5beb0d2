//! Leadership, as whoever asked for it sees the election.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use k8s_openapi::api::coordination::v1::Lease as Object;
use stepdown_core::lease::{LeaseOptions, LeaseState};
use tokio::sync::{mpsc, oneshot, watch};

use super::client::LeaseClient;
use super::object::Introduction;
use super::task::{Election, Order, Standing, Task};
use super::vacancy::Vacancy;
use crate::backend::{Leadership, LeadershipReport};
use crate::clock::boottime;
use crate::configmap::documents::ConfigMapDocuments;
use crate::configmap::watch::{Follower, Seen};
use crate::public_address::PublicAddress;
use crate::under_way::UnderWay;

/// One coordinator's part in the election.
pub(crate) struct LeaseLeadership {
    orders: mpsc::UnboundedSender<Order>,
    campaigns: AtomicU64,
    election: watch::Receiver<Election>,
    /// How many stores are under way.
    stores: watch::Sender<usize>,
    /// Our name.
    name: Arc<str>,
    obstacle: watch::Receiver<Option<Arc<str>>>,
    /// Who held the lease when it was seen last, if they say where people reach them.
    introduced: watch::Receiver<Option<Introduction>>,
}

/// What the election works with.
pub(crate) struct Parts {
    pub(crate) client: LeaseClient,
    /// Watches the Lease, where that is allowed.
    pub(crate) follower: Follower,
    pub(crate) documents: Arc<ConfigMapDocuments>,
}

impl LeaseLeadership {
    /// Begins to take part; must be called within a runtime, where it leaves a task that ends with
    /// this.
    pub(crate) fn new(options: LeaseOptions, parts: Parts) -> Self {
        let (election, elections) = watch::channel(Election::default());
        let (see, seen) = watch::channel(None);
        let (complaint, obstacle) = watch::channel(None);
        let (introduce, introduced) = watch::channel(None);
        let documents = parts.documents;
        let stores = documents.stores();
        let name = options.name.clone();
        // A campaign, its end and a release are all that one asks for at a time.
        let (orders, queue) = mpsc::unbounded_channel();
        let task = Task {
            seen,
            alive: parts.follower.alive.subscribe(),
            hints: documents.handovers(),
            epochs: documents.epochs(),
            vacancy: Vacancy {
                documents,
                name: name.clone(),
            },
            machine: LeaseState::new(options, boottime()),
            client: parts.client,
            orders: queue,
            election,
            introduced: introduce,
            objects: VecDeque::new(),
            released: Vec::new(),
            complaint,
            may_not_write: false,
        };
        let follow = parts.follower.run(move |seen: Seen<Object>| {
            see.send_replace(Some(seen));
        });
        tokio::spawn(async move {
            tokio::select! {
                () = task.run() => {}
                () = follow => {}
            }
        });
        Self {
            orders,
            campaigns: AtomicU64::new(0),
            election: elections,
            stores,
            name,
            obstacle,
            introduced,
        }
    }

    /// Returns once somebody else was seen to hold the lease.
    async fn is_taken(&self) {
        let is_other = |election: &Election| {
            let holder = election.holder.as_ref();
            holder.is_some_and(|holder| *holder != self.name)
        };
        // An error says that the task has ended: then nothing is held any more for long.
        let _ = self.election.clone().wait_for(is_other).await;
    }

    fn order(&self, order: Order) {
        // The task ends only with this, or by a panic, which ends its channel as well.
        let _ = self.orders.send(order);
    }
}

/// A campaign, for as long as somebody wants it.
struct Campaign<'a>(&'a LeaseLeadership);

impl Drop for Campaign<'_> {
    fn drop(&mut self) {
        self.0.order(Order::Close);
    }
}

#[async_trait]
impl Leadership for LeaseLeadership {
    async fn lead(&self, reports: mpsc::Sender<LeadershipReport>) {
        let mut election = self.election.clone();
        let number = self.campaigns.fetch_add(1, Ordering::Relaxed) + 1;
        self.order(Order::Campaign(number));
        let _campaign = Campaign(self);
        let mut has_won = false;
        loop {
            tokio::select! {
                () = reports.closed() => return,
                changed = election.changed() => if changed.is_err() {
                    return;
                },
            }
            let now = election.borrow_and_update().clone();
            if now.campaign != number {
                continue;
            }
            let report = match now.standing {
                Standing::None => continue,
                Standing::Held { authority } if has_won => LeadershipReport::Extended { authority },
                Standing::Held { authority } => LeadershipReport::Won {
                    authority: Some(authority),
                },
                Standing::Lost { reason } => LeadershipReport::Lost { reason },
            };
            has_won = true;
            let is_over = matches!(report, LeadershipReport::Lost { .. });
            // Nobody listens any more: then it needs no telling.
            if reports.send(report).await.is_err() || is_over {
                return;
            }
        }
    }

    async fn release(&self) {
        // What another has taken is not given back: nothing needs to be waited for.
        tokio::select! {
            () = UnderWay::none(&self.stores) => {}
            () = self.is_taken() => {}
        }
        let (done, released) = oneshot::channel();
        self.order(Order::Release(done));
        // An error says that the task has ended: then nothing is held any more for long.
        let _ = released.await;
    }

    fn leader(&self) -> Option<Arc<str>> {
        self.election.borrow().holder.clone()
    }

    fn leader_address(&self, leader: &str) -> Option<PublicAddress> {
        let introduced = self.introduced.borrow();
        let leader = introduced.as_ref().filter(|it| *it.holder == *leader);
        leader.map(|it| it.address.clone())
    }

    fn obstacle(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.obstacle.clone()
    }
}
