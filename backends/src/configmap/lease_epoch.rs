//! The Lease remembers the epoch, too: somebody may replace or delete the status ConfigMap.

use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::GetParams;
use kube::core::PartialObjectMeta;
use stepdown_core::Epoch;

use super::classify::{Ask, FailureClass, classify};
use super::object_name::ObjectName;
use super::record::epoch;
use super::request::{Failure, ask, read};

/// The epoch on the Lease of the status ConfigMap's name; zero where there is none.
pub(crate) async fn remembered_epoch(
    client: &Client,
    place: &ObjectName,
) -> Result<Epoch, Failure> {
    let requests = place.requests::<Lease>();
    let request = requests.get_metadata(&place.name, &GetParams::default());
    match ask(client, request).await {
        Ok(body) => {
            let lease: PartialObjectMeta<Lease> = read(&body)?;
            Ok(epoch(&lease.metadata).unwrap_or_default())
        }
        Err(failure) if classify(Ask::Read, &failure) == FailureClass::Absent => {
            Ok(Epoch::default())
        }
        Err(failure) => Err(failure),
    }
}
