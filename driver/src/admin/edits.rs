//! Changes of the configuration: read, changed, judged as any configuration is, written down, and stored
//! if nobody else has written in between; else all of it again.

use std::sync::Arc;
use std::time::Duration;

use stepdown_backends::configuration::judge;
use stepdown_backends::{ConfigurationStore, ConfigurationStoreError, StoredConfiguration};
use stepdown_core::cluster::{ClusterConfiguration, EditError};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::Status;
use tracing::info;

use super::Parts;
use super::checks::{check_are_anew, check_replicas, coming_in};
use super::lasting::to_its_end;
use super::latest::{Latest, said};
use super::method::Method;
use super::office::Office;
use super::refusals::{HELD_BACK, REFUSED, not_changed, not_edited, not_stored, not_written_down};
use super::target::Target;
use crate::audit::{Audit, Change, Outcome};
use crate::auth::Caller;
use crate::event_loop::{Operator, View};

/// Changes that are under way at once.
const AT_ONCE: usize = 8;
/// How often one is tried where others write as well.
const TRIES: u32 = 5;
/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a change may wait for a document to come into force. A call has a little longer.
const PATIENCE: Duration = Duration::from_secs(7);
/// How long a change may wait where that may take longer: for what was taken out to be deleted, and for what
/// others have written to be put into force.
const MOMENT: Duration = Duration::from_secs(2);
/// How long all of a change may take, whoever still waits for it.
const LONGEST: Duration = Duration::from_secs(60);

/// Changes are made one after the other. Clones are one.
#[derive(Clone)]
pub(super) struct Edits {
    store: Arc<dyn ConfigurationStore>,
    latest: Latest,
    operator: Operator,
    audit: Audit,
    /// Where they are made.
    runtime: Handle,
    places: Arc<Semaphore>,
    /// Those of one coordinator don't get into each other's way.
    turn: Arc<Mutex<()>>,
}

/// What somebody asks for.
pub(super) struct Wish<E> {
    pub(super) caller: Caller,
    pub(super) method: Method,
    pub(super) target: Target,
    /// What it does to the configuration.
    pub(super) edit: E,
}

impl Edits {
    pub(super) fn new(parts: &Parts, latest: Latest) -> Self {
        Self {
            store: parts.store.clone(),
            latest,
            operator: parts.operator.clone(),
            audit: parts.audit.clone(),
            runtime: parts.runtime.clone(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            turn: Arc::default(),
        }
    }

    /// Makes a change, and answers what it answers once it is stored.
    pub(super) async fn make<T, E>(&self, office: Office, wish: Wish<E>) -> Result<T, Status>
    where
        T: Send + 'static,
        E: Fn(&mut ClusterConfiguration) -> Result<T, EditError> + Send + Sync + 'static,
    {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let refused =
                Status::resource_exhausted(format!("{AT_ONCE} changes are under way; try again"));
            wish.say(Some(&refused));
            return Err(refused);
        };
        let edits = self.clone();
        let made = async move {
            let _place = place;
            let made = timeout(LONGEST, edits.make_in_turn(&office, &wish)).await;
            let made = made.unwrap_or_else(|_| {
                Err(Status::unavailable(format!(
                    "it is not known whether the configuration was changed, after {LONGEST:?}; look before you \
                     try again"
                )))
            });
            wish.say(made.as_ref().err());
            made
        };
        to_its_end(&self.runtime, "the configuration was changed", made).await
    }

    async fn make_in_turn<T, E>(&self, office: &Office, wish: &Wish<E>) -> Result<T, Status>
    where
        E: Fn(&mut ClusterConfiguration) -> Result<T, EditError> + Sync,
        T: Send,
    {
        let until = Instant::now() + PATIENCE;
        let turn = timeout_at(until, self.turn.lock()).await;
        let Ok(_turn) = turn else {
            return Err(Status::unavailable(
                "other changes take their time, and this one was not made; try again",
            ));
        };
        let mut tries = 0;
        loop {
            office.open()?;
            let (stored, before) = self.accepted(office, until).await?;
            let mut after = before.clone();
            let answer = (wish.edit)(&mut after).map_err(|error| not_edited(&error))?;
            if after == before {
                return Ok(answer);
            }
            check_replicas(&before, &after)?;
            are_anew(office, until, &coming_in(&before, &after)).await?;
            let text = judged(&after).await?;
            let stored = self.written_down(office, wish, (&before, &after), async || {
                self.store(&stored, text, &after).await
            });
            match stored.await? {
                Ok(()) => {
                    self.latest.wrote(Arc::new(after));
                    return Ok(answer);
                }
                Err(ConfigurationStoreError::Conflict(_)) if tries < TRIES => {
                    tries += 1;
                    sleep(PAUSE * tries).await;
                }
                Err(error) => return Err(not_stored(&error)),
            }
        }
    }

    /// The document as it is stored, once it is one that this coordinator goes by. What somebody is
    /// writing may lack what he is about to add; what is refused has to be mended by whoever wrote it.
    async fn accepted(
        &self,
        office: &Office,
        mut until: Instant,
    ) -> Result<(StoredConfiguration, ClusterConfiguration), Status> {
        let soon = Instant::now() + MOMENT;
        loop {
            let stored = self
                .store
                .load()
                .await
                .map_err(|error| not_stored(&error))?;
            let wait = match said(stored.text.as_deref()) {
                Ok(None) => {
                    if self.latest.is_accepted(None) && office.open()?.status.namespaces.is_empty()
                    {
                        return Ok((stored, ClusterConfiguration::default()));
                    }
                    "there is no configuration, though the cluster has one: put it back first"
                        .to_owned()
                }
                Ok(Some(configuration)) if self.latest.is_accepted(Some(&configuration)) => {
                    // A person can do without what he has written by mistake, as long as nothing is built on it.
                    if self.latest.is_own() || !self.operator.holds_back().await {
                        return Ok((stored, configuration));
                    }
                    // Who does not lead holds nothing back.
                    office.open()?;
                    until = until.min(soon);
                    HELD_BACK.to_owned()
                }
                Ok(Some(_)) => REFUSED.to_owned(),
                Err(error) => format!("it can't be read: {error}"),
            };
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Err(not_changed(&wait));
            }
            // It may have come into force before this waits for that.
            self.latest
                .changed(rest.min(Duration::from_millis(500)))
                .await;
        }
    }

    /// Writes down that it is about to be stored, stores it, and writes down what came of that.
    async fn written_down<E>(
        &self,
        office: &Office,
        wish: &Wish<E>,
        (before, after): (&ClusterConfiguration, &ClusterConfiguration),
        store: impl AsyncFnOnce() -> Result<(), ConfigurationStoreError>,
    ) -> Result<Result<(), ConfigurationStoreError>, Status> {
        let change = Change {
            caller: &wish.caller,
            action: wish.method.name(),
            target: &wish.target.to_string(),
            before: wish.target.said_in(before),
            after: wish.target.said_in(after),
            epoch: office.open()?.epoch.map(|it| it.0),
        };
        let record = self.audit.begin(change).await;
        let record = record.map_err(|error| not_written_down(&error))?;
        // The machine may have left office in the meantime.
        if let Err(elsewhere) = office.open() {
            let outcome = Outcome::Failed("this coordinator does not lead any more".to_owned());
            // The log says if that can't be written; nothing was changed.
            let _ = record.end(outcome).await;
            return Err(elsewhere);
        }
        let stored = store().await;
        let outcome = match &stored {
            Ok(()) => Outcome::Done,
            Err(ConfigurationStoreError::Unknown(_)) => Outcome::Unknown,
            Err(error) => Outcome::Failed(error.to_string()),
        };
        // The log says if that can't be written. What is done is done, and whoever asked is told so.
        let _ = record.end(outcome).await;
        Ok(stored)
    }

    async fn store(
        &self,
        stored: &StoredConfiguration,
        text: String,
        after: &ClusterConfiguration,
    ) -> Result<(), ConfigurationStoreError> {
        match self.store.store(&stored.version, text).await {
            Ok(_) => Ok(()),
            Err(ConfigurationStoreError::Unknown(reason)) => match self.store.load().await {
                Ok(StoredConfiguration {
                    text: Some(text), ..
                }) if ClusterConfiguration::decode(&text).as_ref() == Ok(after) => Ok(()),
                Ok(_) | Err(_) => Err(ConfigurationStoreError::Unknown(reason)),
            },
            Err(error) => Err(error),
        }
    }
}

impl<E> Wish<E> {
    /// Says in the log what came of it.
    fn say(&self, refused: Option<&Status>) {
        let (caller, method) = (&self.caller, self.method.name());
        let subject = caller.subject.as_deref();
        let from = caller.peer.remote.map(|it| it.to_string());
        match refused {
            None => info!(
                component = "admin",
                method, subject, from, "Changed the configuration"
            ),
            Some(status) => info!(
                component = "admin",
                method,
                subject,
                from,
                reason = status.message(),
                "Did not change the configuration"
            ),
        }
    }
}

/// Looks whether what comes in has nothing of what was taken out, once that is being deleted: it may have
/// been a moment ago.
async fn are_anew(office: &Office, until: Instant, coming_in: &[&Arc<str>]) -> Result<(), Status> {
    let until = until.min(Instant::now() + MOMENT);
    let mut view = office.view.clone();
    let are_anew = |view: &View| {
        view.status
            .as_ref()
            .is_none_or(|status| check_are_anew(coming_in, status).is_ok())
    };
    // Then it is told so.
    let _ = timeout_at(until, view.wait_for(are_anew)).await;
    check_are_anew(coming_in, &office.open()?.status)
}

/// The text of a configuration that can be put in force.
async fn judged(configuration: &ClusterConfiguration) -> Result<String, Status> {
    let expected = configuration.clone();
    // A large document takes its time.
    let judged = spawn_blocking(move || {
        let text = expected.encode();
        match judge(Some(&text)).verdict {
            Ok(read) if read == expected => Ok(text),
            Ok(_) => Err(Status::internal(
                "the configuration would be read otherwise than it is meant; nothing was changed",
            )),
            Err(problems) => Err(Status::invalid_argument(problems)),
        }
    });
    judged
        .await
        .unwrap_or_else(|error| Err(Status::internal(error.to_string())))
}
