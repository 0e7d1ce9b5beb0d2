//! Leadership is the lock on the lock file. The kernel gives it back when its holder dies.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::disk::{Disk, Taken};
use super::notes::Holder;
use crate::backend::{Leadership, LeadershipReport};
use crate::public_address::PublicAddress;
use crate::under_way::UnderWay;

/// How often a candidate tries the lock.
const TRY: Duration = Duration::from_millis(50);
/// In how many tries it asks once who has it.
const ASK: u64 = 20;
/// How often a leader looks whether its lock is still the one that others try.
const LOOK: Duration = Duration::from_millis(500);

pub(crate) struct FileLeadership {
    disk: Arc<Disk>,
    name: Arc<str>,
    /// Where people reach us, if that is known.
    public_address: Option<PublicAddress>,
    /// How many stores are under way.
    stores: watch::Sender<usize>,
    /// Whether the lock is ours.
    leads: watch::Sender<bool>,
    /// Who had the lock when that was asked last, if it was another who says so.
    other: watch::Sender<Option<Holder>>,
    /// Why the lock can't be tried.
    obstacle: watch::Sender<Option<Arc<str>>>,
}

impl FileLeadership {
    pub(crate) fn new(disk: Arc<Disk>, name: &str, stores: watch::Sender<usize>) -> Self {
        Self {
            disk,
            name: name.into(),
            public_address: None,
            stores,
            leads: watch::Sender::new(false),
            other: watch::Sender::new(None),
            obstacle: watch::Sender::new(None),
        }
    }

    /// The same, and says in the lock file where people reach us while it is ours.
    pub(crate) fn reached_at(self, public_address: Option<PublicAddress>) -> Self {
        Self {
            public_address,
            ..self
        }
    }

    /// Campaigns until the lock is ours. Between taking it over and the report nothing can be
    /// cancelled, so the lock is never kept without being reported.
    async fn campaign(&self, reports: &mpsc::Sender<LeadershipReport>) -> bool {
        let mut waits_for = None;
        for tries in 0_u64.. {
            let Ok(permit) = reports.reserve().await else {
                return false;
            };
            if *self.leads.borrow() {
                permit.send(LeadershipReport::Won { authority: None });
                return true;
            }
            let asks = tries.is_multiple_of(ASK);
            let found = match self.try_lock(asks).await {
                Ok((Taken::Held(held), _)) if !reports.is_closed() => {
                    self.disk.hold(held);
                    self.other.send_replace(None);
                    self.leads.send_replace(true);
                    self.obstacle.send_replace(None);
                    permit.send(LeadershipReport::Won { authority: None });
                    return true;
                }
                Ok((Taken::Held(_), _)) => return false,
                Ok((Taken::ByAnother, holder)) => WaitsFor::Coordinator(holder),
                Ok((Taken::ByOxia, _)) => WaitsFor::Oxia,
                Err(error) => WaitsFor::Person(not_tried(&error)),
            };
            // Who has the lock is only asked now and then.
            if asks || !matches!(found, WaitsFor::Coordinator(_)) {
                self.other.send_replace(found.coordinator());
                self.tell(&mut waits_for, found);
            }
            drop(permit);
            tokio::select! {
                () = reports.closed() => return false,
                () = sleep(TRY) => {}
            }
        }
        false
    }

    /// Tries the lock, and leaves our name in it; asks who has it where it is another's.
    async fn try_lock(&self, asks: bool) -> io::Result<(Taken, Option<Holder>)> {
        let disk = self.disk.clone();
        let us = Holder {
            name: self.name.to_string(),
            process: std::process::id(),
            public_address: self.public_address.as_ref().map(ToString::to_string),
        };
        let tried = spawn_blocking(move || {
            let mut taken = disk.try_lock()?;
            let holder = match &mut taken {
                Taken::Held(held) => {
                    held.introduce(&disk.place.lock, us);
                    None
                }
                Taken::ByAnother if asks => disk.holder(),
                Taken::ByAnother | Taken::ByOxia => None,
            };
            Ok((taken, holder))
        });
        tried
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Says once what the campaign waits for. What only a person can change is an obstacle as well.
    fn tell(&self, known: &mut Option<WaitsFor>, found: WaitsFor) {
        if known.as_ref() == Some(&found) {
            return;
        }
        let path = self.disk.place.lock.display();
        let obstacle = match &found {
            WaitsFor::Coordinator(holder) => {
                let holder = holder.as_ref().map(ToString::to_string);
                tracing::info!(%path, holder, "Waiting for the lock");
                None
            }
            WaitsFor::Oxia => {
                tracing::warn!(
                    path = %self.disk.place.document.display(),
                    "Waiting for an Oxia coordinator that has locked the status file; never run both"
                );
                None
            }
            WaitsFor::Person(error) => {
                tracing::error!(%path, %error, "The lock can't be tried");
                Some(format!("{path} can't be locked: {error}").into())
            }
        };
        self.obstacle.send_replace(obstacle);
        *known = Some(found);
    }

    /// Returns when the lock file is not the one that we have locked.
    async fn lose(&self) -> String {
        loop {
            sleep(LOOK).await;
            let disk = self.disk.clone();
            let held = spawn_blocking(move || disk.is_held()).await;
            // A disk that doesn't answer has not given our lock to anybody.
            if matches!(held, Ok(Ok(false))) {
                let lock = self.disk.place.lock.display();
                return format!("{lock} was removed or replaced by another file");
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum WaitsFor {
    Coordinator(Option<Holder>),
    Oxia,
    Person(String),
}

impl WaitsFor {
    /// The coordinator that has the lock, if it says so.
    fn coordinator(&self) -> Option<Holder> {
        match self {
            Self::Coordinator(holder) => holder.clone(),
            Self::Oxia | Self::Person(_) => None,
        }
    }
}

fn not_tried(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return format!("{error}; let the coordinator's user write to the directory that it is in");
    }
    error.to_string()
}

#[async_trait]
impl Leadership for FileLeadership {
    async fn lead(&self, reports: mpsc::Sender<LeadershipReport>) {
        if !self.campaign(&reports).await {
            return;
        }
        let mut leads = self.leads.subscribe();
        let reason = tokio::select! {
            () = reports.closed() => return,
            _ = leads.wait_for(|leads| !leads) => "leadership was released".to_owned(),
            reason = self.lose() => reason,
        };
        // Nobody listens any more: then it needs no telling.
        let _ = reports.send(LeadershipReport::Lost { reason }).await;
    }

    async fn release(&self) {
        UnderWay::none(&self.stores).await;
        // First, so that no campaign takes a lock for its own that is being given back. The rest
        // happens even if this future is dropped.
        self.leads.send_replace(false);
        let disk = self.disk.clone();
        // Only a panic there could fail this, and there is nothing to do about it here.
        let _ = spawn_blocking(move || disk.let_go()).await;
    }

    fn leader(&self) -> Option<Arc<str>> {
        if *self.leads.borrow() {
            return Some(self.name.clone());
        }
        let other = self.other.borrow();
        other.as_ref().map(|it| it.name.as_str().into())
    }

    fn leader_address(&self, leader: &str) -> Option<PublicAddress> {
        let other = self.other.borrow();
        let leader = other.as_ref().filter(|it| it.name == leader)?;
        PublicAddress::parse(leader.public_address.as_deref()?)
    }

    fn obstacle(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.obstacle.subscribe()
    }
}
