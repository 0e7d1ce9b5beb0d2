//! One request on the Lease, and what its answer means for the election.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease as Object;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{GetParams, PostParams};
use stepdown_core::lease::{LeaseReading, LeaseRecord, LeaseWriting, WallTime};

use super::object::{Introduction, decode, encode};
use crate::configmap::classify::{Ask, FailureClass, classify};
use crate::configmap::object_name::ObjectName;
use crate::configmap::request::{Failure, ask, read};

/// The Lease of one namespace and name, which is also that of the status document.
#[derive(Clone)]
pub(crate) struct LeaseClient {
    client: Client,
    place: ObjectName,
    /// Who writes it, if they say where people reach them.
    introduction: Option<Introduction>,
}

impl LeaseClient {
    pub(crate) fn new(client: Client, place: ObjectName) -> Self {
        Self {
            client,
            place,
            introduction: None,
        }
    }

    /// The same for whoever says in the object that people reach them there, while it is theirs.
    pub(crate) fn introducing(self, introduction: Option<Introduction>) -> Self {
        Self {
            introduction,
            ..self
        }
    }

    /// The object, by its full name, for people.
    pub(super) fn lease(&self) -> String {
        format!("Lease {}", self.place)
    }

    /// Reads the object; there may be none.
    pub(crate) async fn get(&self) -> Result<Option<Object>, Failure> {
        let parameters = GetParams::default();
        let request = self.place.requests::<Object>();
        let request = request.get(&self.place.name, &parameters);
        match ask(&self.client, request).await {
            Ok(body) => read(&body).map(Some),
            Err(failure) if classify(Ask::Read, &failure) == FailureClass::Absent => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Makes or replaces the object, at the version that it carries.
    pub(crate) async fn put(&self, object: &Object) -> Result<Object, Failure> {
        let body = serde_json::to_vec(object)
            .map_err(|error| Failure::NotSent(format!("the Lease can't be written: {error}")))?;
        let (requests, parameters) = (self.place.requests::<Object>(), PostParams::default());
        let request = if object.metadata.resource_version.is_some() {
            requests.replace(&self.place.name, &parameters, body)
        } else {
            requests.create(&parameters, body)
        };
        read(&ask(&self.client, request).await?)
    }

    /// Reads for the election.
    pub(super) async fn read(&self) -> (LeaseReading, Option<Object>) {
        match self.get().await {
            Ok(Some(object)) => (LeaseReading::Found(decode(&object)), Some(object)),
            Ok(None) => {
                let beside_a_document = self.has_document().await;
                (LeaseReading::Absent { beside_a_document }, None)
            }
            Err(failure) => {
                let reason = format!("{}: {failure}", self.lease());
                let reading = match classify(Ask::Read, &failure) {
                    FailureClass::Forbidden => LeaseReading::Forbidden(reason),
                    FailureClass::Unavailable { after } => {
                        LeaseReading::Unavailable { after, reason }
                    }
                    FailureClass::Absent
                    | FailureClass::Ambiguous
                    | FailureClass::Expired
                    | FailureClass::Invalid
                    | FailureClass::TooLarge => LeaseReading::Unavailable {
                        after: Duration::ZERO,
                        reason,
                    },
                };
                (reading, None)
            }
        }
    }

    /// Writes for the election, in place of the object `before`.
    pub(super) async fn write(
        &self,
        before: Option<&Object>,
        record: &LeaseRecord,
        wall: WallTime,
    ) -> (LeaseWriting, Option<Object>) {
        let ObjectName { namespace, name } = &self.place;
        let object = encode(
            before,
            name,
            namespace,
            record,
            self.introduction.as_ref(),
            wall,
        );
        let failure = match self.put(&object).await {
            Ok(object) => {
                let version = decode(&object).version;
                return (LeaseWriting::Written(version), Some(object));
            }
            Err(failure) => failure,
        };
        let reason = format!("{}: {failure}", self.lease());
        let asked = match before {
            Some(_) => Ask::Write,
            None => Ask::Create,
        };
        let writing = match classify(asked, &failure) {
            FailureClass::Forbidden | FailureClass::Invalid | FailureClass::TooLarge => {
                LeaseWriting::Refused(reason)
            }
            FailureClass::Unavailable { after } => LeaseWriting::Unavailable { after, reason },
            FailureClass::Absent | FailureClass::Ambiguous | FailureClass::Expired => {
                LeaseWriting::Ambiguous(reason)
            }
        };
        (writing, None)
    }

    /// Whether there is a status document, or may be one.
    async fn has_document(&self) -> bool {
        let requests = self.place.requests::<ConfigMap>();
        let request = requests.get_metadata(&self.place.name, &GetParams::default());
        match ask(&self.client, request).await {
            Ok(_) => true,
            Err(failure) => classify(Ask::Read, &failure) != FailureClass::Absent,
        }
    }
}
