//! Reads the document: all of it, or its head.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::PartialObjectMeta;
use stepdown_core::Epoch;
use stepdown_core::cluster::ClusterStatus;
use stepdown_core::store::{Head, HeadOutcome, LoadOutcome, LoadedStatus};
use tokio::task::spawn_blocking;

use super::access::Access;
use super::classify::{Ask, FailureClass, classify};
use super::content::{Content, Sight, decode, judge, lacking};
use super::corrupt::Corrupt;
use super::lease_epoch::remembered_epoch;
use super::object_name::ObjectName;
use super::outcome::{no_head, not_loaded};
use super::record::Record;
use super::request::{Failure, read};
use super::version::ObjectVersion;

impl Access {
    /// Reads the whole document, and beside it what the Lease remembers.
    pub(crate) async fn load(&self) -> LoadOutcome {
        let place = &self.place;
        let (body, remembered) = tokio::join!(self.get(), remembered_epoch(&self.client, place));
        let remembered = match remembered {
            Ok(epoch) => epoch.max(*self.epochs.borrow()),
            Err(failure) => return not_loaded(format_args!("lease {place}"), &failure),
        };
        let look = match body {
            Ok(body) => self.look(body, remembered, true).await,
            Err(failure) => Err(failure),
        };
        match look {
            Ok(Look::Corrupt(corrupt)) => LoadOutcome::Corrupt(corrupt.to_string()),
            Ok(Look::Found(found)) => LoadOutcome::Found(self.loaded(*found, remembered)),
            Err(failure) if !is_absent(&failure) => {
                not_loaded(format_args!("configmap {place}"), &failure)
            }
            Err(_) if remembered > Epoch::default() => {
                LoadOutcome::Corrupt(Corrupt::Gone(place.clone()).to_string())
            }
            Err(_) => LoadOutcome::Absent { epoch: remembered },
        }
    }

    fn loaded(&self, found: Found, remembered: Epoch) -> LoadedStatus {
        let sight = found.sight;
        let epoch = remembered.max(sight.record.epoch.unwrap_or_default());
        let loaded = LoadedStatus {
            version: sight.version(),
            epoch: self.raise_epoch(epoch),
            write_id: sight.record.write_id,
            intact: sight.intact,
            status: Arc::new(found.status),
            bytes: found.bytes,
        };
        self.see(sight);
        loaded
    }

    /// Asks for the metadata alone, and for the rest only where the document is not the one that
    /// was seen last.
    pub(crate) async fn head(&self) -> HeadOutcome {
        let look = match self.get_metadata().await {
            Ok(object) => match self.unchanged(&object) {
                Some(head) => return head,
                None => self.look_at_head().await,
            },
            Err(failure) => Err(failure),
        };
        match look {
            Ok(Look::Corrupt(corrupt)) => HeadOutcome::Corrupt(corrupt.to_string()),
            Ok(Look::Found(found)) => {
                let head = head_of(&found.sight);
                // A store whose answer was lost is known by its head alone.
                if found.sight.intact {
                    self.raise_epoch(found.sight.record.epoch.unwrap_or_default());
                }
                self.see(found.sight);
                head
            }
            Err(failure) if is_absent(&failure) => HeadOutcome::Absent,
            Err(failure) => no_head(&self.place, &failure),
        }
    }

    /// The answer that is known without the document.
    fn unchanged(&self, object: &PartialObjectMeta<ConfigMap>) -> Option<HeadOutcome> {
        let version = ObjectVersion::of(&object.metadata)?;
        let seen = self.seen().filter(|seen| seen.version == version)?;
        // A restored etcd may come to the same number again.
        (seen.record == Record::of(&object.metadata)).then(|| head_of(&seen))
    }

    async fn look_at_head(&self) -> Result<Look, Failure> {
        let body = self.get().await?;
        let known = *self.epochs.borrow();
        self.look(body, known, false).await
    }

    async fn look(&self, body: Vec<u8>, known: Epoch, decodes: bool) -> Result<Look, Failure> {
        let looking = Looking {
            place: self.place.clone(),
            initialize_empty: self.initialize_empty,
            known,
            decodes,
        };
        // A large document takes its time.
        spawn_blocking(move || looking.at(&body))
            .await
            .unwrap_or_else(|error| Err(Failure::Unanswered(error.to_string())))
    }
}

/// What there is.
enum Look {
    Corrupt(Corrupt),
    Found(Box<Found>),
}

struct Found {
    sight: Sight,
    /// The default, where it is as we wrote it and was not asked for.
    status: ClusterStatus,
    /// The length of the text.
    bytes: u64,
}

impl Look {
    fn found(sight: Sight, status: ClusterStatus, bytes: u64) -> Self {
        Self::Found(Box::new(Found {
            sight,
            status,
            bytes,
        }))
    }
}

struct Looking {
    place: ObjectName,
    initialize_empty: bool,
    /// The greatest epoch known from elsewhere.
    known: Epoch,
    /// Whether the status is wanted, or only whether there is one.
    decodes: bool,
}

impl Looking {
    fn at(&self, body: &[u8]) -> Result<Look, Failure> {
        let object: ConfigMap = read(body)?;
        if self.decodes && object.immutable == Some(true) {
            return Ok(Look::Corrupt(Corrupt::Immutable(self.place.clone())));
        }
        Ok(match judge(&self.place, object) {
            Content::Corrupt(corrupt) => Look::Corrupt(corrupt),
            Content::Empty(sight, others) => self.at_nothing(sight, others),
            Content::Document {
                sight,
                text,
                accepted,
            } => {
                let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
                let status = if self.decodes || !sight.intact {
                    decode(&self.place, &text)
                } else {
                    Ok(ClusterStatus::default())
                };
                match status {
                    Err(corrupt) => Look::Corrupt(corrupt),
                    Ok(status) if !sight.intact => match lacking(&self.place, &status, &accepted) {
                        Some(corrupt) => Look::Corrupt(corrupt),
                        None => Look::found(sight, status, bytes),
                    },
                    Ok(status) => Look::found(sight, status, bytes),
                }
            }
        })
    }

    fn at_nothing(&self, sight: Sight, others: Vec<String>) -> Look {
        let known = self.known.max(sight.record.epoch.unwrap_or_default());
        if known > Epoch::default() {
            Look::Corrupt(Corrupt::Gone(self.place.clone()))
        } else if self.initialize_empty {
            Look::found(sight, ClusterStatus::default(), 0)
        } else {
            let place = self.place.clone();
            Look::Corrupt(Corrupt::Empty { place, others })
        }
    }
}

fn is_absent(failure: &Failure) -> bool {
    classify(Ask::Read, failure) == FailureClass::Absent
}

fn head_of(sight: &Sight) -> HeadOutcome {
    HeadOutcome::Found(Head {
        version: sight.version(),
        write_id: sight.record.write_id,
        intact: sight.intact,
    })
}
