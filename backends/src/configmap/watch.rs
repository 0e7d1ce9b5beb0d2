//! Follows one object: looks at it, and then watches it from there on. A watch ends for many
//! reasons, or falls silent; then it looks again. Where watching is not allowed it looks now and
//! then.

use std::time::Duration;

use futures_util::TryStreamExt;
use kube::Client;
use kube::api::{GetParams, ListParams, WatchParams};
use kube::core::{ObjectList, Resource, WatchEvent};
use serde::de::DeserializeOwned;
use stepdown_wire::Flood;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::classify::{Ask, FailureClass, classify};
use super::object_name::ObjectName;
use super::pace::{Delays, Pace};
use super::request::{Failure, LIMIT, ask, read};

/// So many events are taken in a second. An object that is followed changes a few times a second at most.
const TAKEN: u32 = 50;

/// An object as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen<K> {
    /// There is none.
    Absent,
    /// It is there.
    Present(K),
}

/// How an object is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// By a get, which any role allows. The object's own version may be too old to watch from,
    /// where it has not changed for long, and an absent object has none: then it is watched from
    /// now on. If it is deleted just between the two, only the next look tells.
    Get,
    /// By a list of one. It has a version that can always be watched from. Where the role does not
    /// allow it, a get has to do.
    List,
}

/// The version that a watch begins with the object as it is from; servers show it first.
const NOW: &str = "";

/// Follows one object for ever.
pub(crate) struct Follower {
    pub(crate) client: Client,
    pub(crate) place: ObjectName,
    pub(crate) looks: Looks,
    pub(crate) pace: Pace,
    /// Whether it is looked at now and then where watching is not allowed.
    pub(crate) polls: bool,
    /// Whether a watch is established.
    pub(crate) alive: watch::Sender<bool>,
}

/// How a watch ended.
enum End {
    /// As it was meant to.
    TimedOut,
    /// The version was too old.
    Expired,
    /// It is not allowed.
    Forbidden(Failure),
    Failed(Failure),
}

impl Follower {
    /// Tells of the object as it is now, and of every change; changes in quick succession may be
    /// told of as one, and one change twice.
    pub(crate) async fn run<K>(mut self, mut see: impl FnMut(Seen<K>))
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned,
    {
        let mut delays = Delays::new(&self.pace);
        let mut log = Log::default();
        let mut too_old = None;
        let mut watch_from = Instant::now();
        loop {
            let from = match self.look(&mut see).await {
                Ok(from) => from,
                Err(failure) => {
                    self.alive.send_replace(false);
                    log.cannot::<K>("read", &self.place, &failure);
                    sleep(delays.after(&failure)).await;
                    continue;
                }
            };
            if watch_from > Instant::now() {
                self.alive.send_replace(false);
                let wait = self.unwatched(watch_from, &mut delays);
                sleep(wait).await;
                continue;
            }
            let from = from.filter(|from| too_old.as_ref() != Some(from));
            let from = from.unwrap_or_else(|| NOW.to_owned());
            let begun = Instant::now();
            let end = self.watch(&from, &mut see, &mut log).await;
            let was_long = begun.elapsed() >= self.pace.least_watch;
            if was_long {
                delays.reset();
            }
            let wait = match end {
                // It goes on at once.
                End::TimedOut if was_long => continue,
                End::TimedOut => delays.next(),
                End::Expired if from != NOW => {
                    too_old = Some(from);
                    continue;
                }
                End::Expired => delays.next(),
                End::Forbidden(failure) => {
                    log.cannot::<K>("watch", &self.place, &failure);
                    watch_from = Instant::now() + self.pace.ask_again;
                    self.unwatched(watch_from, &mut delays)
                }
                End::Failed(failure) => {
                    log.cannot::<K>("watch", &self.place, &failure);
                    delays.after(&failure)
                }
            };
            self.alive.send_replace(false);
            sleep(wait).await;
        }
    }

    /// When to look again where there is no watch.
    fn unwatched(&self, watch_from: Instant, delays: &mut Delays) -> Duration {
        let forbidden = watch_from.saturating_duration_since(Instant::now());
        if self.polls || forbidden.is_zero() {
            delays.poll()
        } else {
            forbidden
        }
    }

    /// Looks at the object, and returns the version to watch from, if there is one.
    async fn look<K>(&mut self, see: &mut impl FnMut(Seen<K>)) -> Result<Option<String>, Failure>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned,
    {
        if self.looks == Looks::List {
            match self.list::<K>().await {
                Err(failure) if classify(Ask::Read, &failure) == FailureClass::Forbidden => {
                    self.looks = Looks::Get;
                }
                Err(failure) => return Err(failure),
                Ok(list) => {
                    let object = list.items.into_iter().next();
                    see(object.map_or(Seen::Absent, Seen::Present));
                    return Ok(list.metadata.resource_version);
                }
            }
        }
        match self.get::<K>().await {
            Ok(object) => {
                let version = object.meta().resource_version.clone();
                see(Seen::Present(object));
                Ok(version)
            }
            Err(failure) if classify(Ask::Read, &failure) == FailureClass::Absent => {
                see(Seen::Absent);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn get<K>(&self) -> Result<K, Failure>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let requests = self.place.requests::<K>();
        let params = GetParams::default();
        let request = if K::metadata_api() {
            requests.get_metadata(&self.place.name, &params)
        } else {
            requests.get(&self.place.name, &params)
        };
        read(&ask(&self.client, request).await?)
    }

    async fn list<K>(&self) -> Result<ObjectList<K>, Failure>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned,
    {
        let requests = self.place.requests::<K>();
        let params = ListParams::default().fields(&self.selector());
        let request = if K::metadata_api() {
            requests.list_metadata(&params)
        } else {
            requests.list(&params)
        };
        read(&ask(&self.client, request).await?)
    }

    /// Watches until the watch ends.
    async fn watch<K>(&self, from: &str, see: &mut impl FnMut(Seen<K>), log: &mut Log) -> End
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned,
    {
        let requests = self.place.requests::<K>();
        let params = WatchParams::default()
            .fields(&self.selector())
            .timeout(self.pace.watch_seconds);
        let request = if K::metadata_api() {
            requests.watch_metadata(&params, from)
        } else {
            requests.watch(&params, from)
        };
        let request = match request {
            Ok(request) => request,
            Err(error) => return End::Failed(Failure::NotSent(error.to_string())),
        };
        let events = match timeout(LIMIT, self.client.request_events::<K>(request)).await {
            Ok(Ok(events)) => events,
            Ok(Err(error)) => return End::of(error.into()),
            Err(_) => return End::Failed(Failure::Unanswered("no answer".to_owned())),
        };
        let mut events = std::pin::pin!(events);
        self.alive.send_replace(true);
        log.works(&self.place);
        let mut flood = Flood::of(TAKEN);
        loop {
            flood.free().await;
            let event = match timeout(self.pace.silence, events.try_next()).await {
                Ok(Ok(Some(event))) => event,
                Ok(Ok(None)) => return End::TimedOut,
                Ok(Err(error)) => return End::of(error.into()),
                Err(_) => return End::Failed(Failure::Unanswered("it fell silent".to_owned())),
            };
            flood.taken();
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    see(Seen::Present(object));
                }
                WatchEvent::Deleted(_) => see(Seen::Absent),
                // It is news only of the connection.
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => return End::of((*status).into()),
            }
        }
    }

    fn selector(&self) -> String {
        format!("metadata.name={}", self.place.name)
    }
}

impl End {
    fn of(failure: Failure) -> Self {
        match classify(Ask::Watch, &failure) {
            FailureClass::Expired => Self::Expired,
            FailureClass::Forbidden => Self::Forbidden(failure),
            FailureClass::Absent
            | FailureClass::Ambiguous
            | FailureClass::Invalid
            | FailureClass::TooLarge
            | FailureClass::Unavailable { .. } => Self::Failed(failure),
        }
    }
}

/// Says what is wrong once, and once that it is right again.
#[derive(Default)]
struct Log {
    said: Option<String>,
}

impl Log {
    fn cannot<K: Resource<DynamicType = ()>>(
        &mut self,
        what: &'static str,
        place: &ObjectName,
        failure: &Failure,
    ) {
        let failure = failure.to_string();
        let text = format!("{what}: {failure}");
        if self.said.as_ref() != Some(&text) {
            let kind = K::kind(&());
            tracing::warn!(%kind, %place, %failure, "Changes are noticed late: can't {what} the object");
            self.said = Some(text);
        }
    }

    fn works(&mut self, place: &ObjectName) {
        if self.said.take().is_some() {
            tracing::info!(%place, "Changes are noticed at once again");
        }
    }
}

#[cfg(test)]
mod tests;
