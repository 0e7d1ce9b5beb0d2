//! Writes the document, once.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::PartialObjectMeta;
use stepdown_core::Version;
use stepdown_core::store::{StatusDocument, StoreOutcome};
use tokio::task::spawn_blocking;

use super::access::Access;
use super::classify::Ask;
use super::content::Sight;
use super::draft::{Replaced, draft};
use super::outcome::not_stored;
use super::request::{Failure, ask, read};
use super::version::ObjectVersion;

impl Access {
    /// Writes the document, if its version is still `expected`.
    pub(crate) async fn write(
        &self,
        expected: Option<&Version>,
        document: StatusDocument,
    ) -> StoreOutcome {
        let place = &self.place;
        let replaced = match expected {
            None => Replaced::Nothing,
            Some(expected) => match ObjectVersion::parse(expected) {
                Some(version) => self.replaced(version),
                None => {
                    return StoreOutcome::Conflict(format!(
                        "configmap {place} never was at version '{expected}'"
                    ));
                }
            },
        };
        let (epoch, admits) = (document.epoch, document.admits);
        let (to, layout) = (place.clone(), self.layout);
        // A large document takes its time.
        let drafted = spawn_blocking(move || draft(&to, layout, &document, &replaced)).await;
        let draft = match drafted {
            Ok(Ok(draft)) => draft,
            Ok(Err(too_large)) => {
                self.gauge.measured(too_large.bytes);
                return StoreOutcome::TooLarge(format!("configmap {place}: {}", too_large.reason));
            }
            Err(error) => {
                return not_stored(place, Ask::Write, &Failure::NotSent(error.to_string()));
            }
        };
        let own = self.own.begin();
        let answer = ask(&self.client, draft.request).await;
        match answer.and_then(|body| version(&body)) {
            Err(failure) => {
                let outcome = not_stored(place, draft.ask, &failure);
                self.refusals.slowed(outcome, admits)
            }
            Ok(version) => {
                let stored = version.version();
                self.see(Sight {
                    version,
                    record: draft.record,
                    intact: true,
                    layouts: vec![layout],
                    bytes: draft.bytes,
                    foreign_bytes: draft.foreign_bytes,
                });
                self.raise_epoch(epoch);
                own.accepted(stored.clone());
                StoreOutcome::Stored(stored)
            }
        }
    }

    fn replaced(&self, version: ObjectVersion) -> Replaced {
        let sight = self.seen().filter(|seen| seen.version == version);
        Replaced::Object(version, sight)
    }
}

fn version(body: &[u8]) -> Result<ObjectVersion, Failure> {
    let object: PartialObjectMeta<ConfigMap> = read(body)?;
    ObjectVersion::of(&object.metadata)
        .ok_or_else(|| Failure::Unanswered("the answer has no version".to_owned()))
}
