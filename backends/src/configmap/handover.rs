//! The last words of a leader that leaves: one annotation of the status ConfigMap, since a role may
//! allow to watch ConfigMaps and not Leases.

use std::time::Duration;

use kube::Client;
use stepdown_core::Version;

use super::draft::annotate;
use super::object_name::ObjectName;
use super::record::HANDOVER;
use super::request::ask_within;
use super::version::ObjectVersion;

/// Whoever leaves does not wait for long.
const LIMIT: Duration = Duration::from_secs(1);

pub(crate) async fn touch(client: &Client, place: &ObjectName, expected: &Version, by: &str) {
    let Some(version) = ObjectVersion::parse(expected) else {
        return;
    };
    // Another value each time, without asking any clock.
    let value = format!("{by} at {}", version.resource_version);
    let request = annotate(place, &version, HANDOVER, value);
    if let Err(failure) = ask_within(LIMIT, client, request).await {
        tracing::debug!(%place, %failure, "The hand-over is not announced");
    }
}
