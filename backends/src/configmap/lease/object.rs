//! The Lease object: client-go's fields, and our annotations beside them.
//!
//! Whoever else writes the Lease keeps annotations that he does not know of. So what belongs to one
//! record alone is believed only where `oxia.io/renewed` repeats the record's own `renewTime`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp as WallClock;
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use stepdown_core::lease::{Lease, LeaseRecord, WallTime};
use stepdown_core::{Epoch, ProcessId, Version};

use crate::configmap::record::{EPOCH, annotation};
use crate::public_address::PublicAddress;

/// Whom the holder is asked to give the Lease to.
pub(crate) const TRANSFER_REQUESTED: &str = "oxia.io/transfer-requested";
const POD: &str = "oxia.io/pod-uid";
const PROCESS: &str = "oxia.io/process";
/// Where people reach the holder.
const PUBLIC_ADDRESS: &str = "oxia.io/public-address";
const RENEWED: &str = "oxia.io/renewed";
const TRANSFER_TO: &str = "oxia.io/transfer-to";

/// A holder of the Lease, and where people reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) holder: Arc<str>,
    pub(crate) address: PublicAddress,
}

/// Who holds the Lease, if they say where people reach them.
pub(super) fn introduction(object: &Object) -> Option<Introduction> {
    let holder = object.spec.as_ref()?.holder_identity.as_deref()?;
    let renewed = object.spec.as_ref()?.renew_time.as_ref().map(wall)?;
    let is_of_this_record = annotation(&object.metadata, RENEWED) == Some(&*renewed.0.to_string());
    let address = PublicAddress::parse(annotation(&object.metadata, PUBLIC_ADDRESS)?)?;
    (is_of_this_record && !holder.is_empty()).then(|| Introduction {
        holder: holder.into(),
        address,
    })
}

/// What the object says. Whatever is missing or makes no sense is left out.
pub(crate) fn decode(object: &Object) -> Lease {
    let spec = object.spec.clone().unwrap_or_default();
    let renewed = spec.renew_time.as_ref().map(wall);
    let none = BTreeMap::new();
    let annotations = object.metadata.annotations.as_ref().unwrap_or(&none);
    let said = |key| annotations.get(key).map(String::as_str);
    let stamp = renewed.map(|renewed| renewed.0.to_string());
    let is_ours = stamp.is_some() && stamp.as_deref() == said(RENEWED);
    let of_this_record = |key| said(key).filter(|_| is_ours);
    let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
    Lease {
        version: Version::new(object.metadata.resource_version.clone().unwrap_or_default()),
        record: LeaseRecord {
            holder: spec.holder_identity.unwrap_or_default().into(),
            process: of_this_record(PROCESS).and_then(process),
            pod: of_this_record(POD).map(Arc::from),
            duration: Duration::from_secs(seconds),
            acquired: spec.acquire_time.as_ref().map(wall),
            renewed,
            transitions: u32::try_from(spec.lease_transitions.unwrap_or(0)).unwrap_or(0),
            epoch: Epoch(said(EPOCH).and_then(|it| it.parse().ok()).unwrap_or(0)),
            transfer_to: of_this_record(TRANSFER_TO).map(Arc::from),
            transfer_requested: said(TRANSFER_REQUESTED)
                .filter(|to| !to.is_empty())
                .map(Arc::from),
        },
    }
}

/// The object that is to take the place of `before`, with everything kept that is not ours. Whoever is
/// introduced says so only in what is theirs.
pub(crate) fn encode(
    before: Option<&Object>,
    name: &str,
    namespace: &str,
    record: &LeaseRecord,
    introduced: Option<&Introduction>,
    now: WallTime,
) -> Object {
    let mut object = before.cloned().unwrap_or_default();
    object.metadata.name = Some(name.to_owned());
    object.metadata.namespace = Some(namespace.to_owned());
    object.metadata.managed_fields = None;
    let renewed = record.renewed.unwrap_or(now);
    let spec = object.spec.take().unwrap_or_default();
    object.spec = Some(LeaseSpec {
        holder_identity: Some(record.holder.to_string()),
        lease_duration_seconds: Some(i32::try_from(record.duration.as_secs()).unwrap_or(i32::MAX)),
        acquire_time: micro_time(record.acquired.unwrap_or(now)),
        renew_time: micro_time(renewed),
        lease_transitions: Some(i32::try_from(record.transitions).unwrap_or(i32::MAX)),
        ..spec
    });
    let annotations = object.metadata.annotations.get_or_insert_default();
    let epoch = (record.epoch > Epoch(0)).then(|| record.epoch.to_string());
    let introduced = introduced.filter(|it| it.holder == record.holder);
    for (key, value) in [
        (EPOCH, epoch),
        (POD, record.pod.as_ref().map(ToString::to_string)),
        (PROCESS, record.process.map(|process| process.to_string())),
        (PUBLIC_ADDRESS, introduced.map(|it| it.address.to_string())),
        (RENEWED, Some(renewed.0.to_string())),
        (
            TRANSFER_TO,
            record.transfer_to.as_ref().map(ToString::to_string),
        ),
        (
            TRANSFER_REQUESTED,
            record.transfer_requested.as_ref().map(ToString::to_string),
        ),
    ] {
        match value {
            Some(value) => annotations.insert(key.to_owned(), value),
            None => annotations.remove(key),
        };
    }
    object
}

/// The wall clock's time, for what is to take the place of `before`.
pub(crate) fn wall_clock(before: Option<&Object>) -> WallTime {
    told_apart(WallTime(WallClock::now().as_microsecond()), before)
}

/// A little later than the object's own, where the clock stands still or was set back a little: others see
/// only by the time that the holder has renewed it.
fn told_apart(now: WallTime, before: Option<&Object>) -> WallTime {
    const LITTLE: i64 = 60_000_000;
    let renewed = before.and_then(|it| it.spec.as_ref()?.renew_time.as_ref().map(wall));
    match renewed {
        Some(renewed) if (0..LITTLE).contains(&renewed.0.saturating_sub(now.0)) => {
            WallTime(renewed.0.saturating_add(1))
        }
        Some(_) | None => now,
    }
}

fn wall(time: &MicroTime) -> WallTime {
    WallTime(time.0.as_microsecond())
}

fn micro_time(time: WallTime) -> Option<MicroTime> {
    WallClock::from_microsecond(time.0).ok().map(MicroTime)
}

fn process(text: &str) -> Option<ProcessId> {
    u128::from_str_radix(text, 16).ok().map(ProcessId)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LeaseRecord {
        LeaseRecord {
            holder: "me".into(),
            process: Some(ProcessId(0xabc)),
            pod: Some("pod".into()),
            duration: Duration::from_secs(15),
            acquired: Some(WallTime(1_700_000_000_000_001)),
            renewed: Some(WallTime(1_700_000_000_000_002)),
            transitions: 7,
            epoch: Epoch(41),
            transfer_to: Some("you".into()),
            transfer_requested: None,
        }
    }

    #[test]
    fn a_record_survives_its_object() {
        let object = encode(None, "status", "here", &record(), None, WallTime(0));
        assert_eq!(decode(&object).record, record());
    }

    #[test]
    fn a_record_survives_the_wire() {
        let object = encode(None, "status", "here", &record(), None, WallTime(0));
        let wire = serde_json::to_string(&object).unwrap();
        let object: Object = serde_json::from_str(&wire).unwrap();
        assert_eq!(decode(&object).record, record());
    }

    #[test]
    fn what_belongs_to_an_older_record_is_not_believed() {
        let mut object = encode(None, "status", "here", &record(), None, WallTime(0));
        // client-go renews: it keeps annotations that it does not know of.
        let spec = object.spec.as_mut().unwrap();
        spec.renew_time = micro_time(WallTime(1_700_000_000_000_003));
        let decoded = decode(&object).record;
        assert_eq!(
            (decoded.process, decoded.pod, decoded.transfer_to),
            (None, None, None)
        );
        assert_eq!(decoded.epoch, Epoch(41), "the epoch belongs to the cluster");
    }

    #[test]
    fn a_holder_says_where_it_is_reached_until_another_writes_or_it_gives_the_lease_back() {
        let me = Introduction {
            holder: "me".into(),
            address: PublicAddress::parse("me.example:6651").unwrap(),
        };
        let own = encode(None, "status", "here", &record(), Some(&me), WallTime(0));
        assert_eq!(introduction(&own), Some(me.clone()));
        // client-go renews: it keeps annotations that it does not know of.
        let mut theirs = own.clone();
        let spec = theirs.spec.as_mut().unwrap();
        spec.renew_time = micro_time(WallTime(1_700_000_000_000_003));
        assert_eq!(introduction(&theirs), None);
        for holder in ["", "you"] {
            let record = LeaseRecord {
                holder: holder.into(),
                ..record()
            };
            let next = encode(
                Some(&own),
                "status",
                "here",
                &record,
                Some(&me),
                WallTime(0),
            );
            assert_eq!(introduction(&next), None, "{holder}");
        }
        let silent = encode(Some(&own), "status", "here", &record(), None, WallTime(0));
        assert_eq!(introduction(&silent), None);
    }

    #[test]
    fn an_address_that_is_none_is_not_passed_on() {
        for text in [
            "",
            "0.0.0.0:6651",
            "http://evil.example/",
            &"a:1".repeat(1_000),
        ] {
            let mut object = encode(None, "status", "here", &record(), None, WallTime(0));
            let annotations = object.metadata.annotations.as_mut().unwrap();
            annotations.insert(PUBLIC_ADDRESS.to_owned(), text.to_owned());
            assert_eq!(introduction(&object), None, "{text}");
        }
    }

    #[test]
    fn a_renewal_says_another_time_than_the_one_before_even_where_the_clock_stands_still() {
        let object = encode(None, "status", "here", &record(), None, WallTime(0));
        let renewed = record().renewed.unwrap().0;
        for (now, told) in [
            (renewed + 1, renewed + 1),
            (renewed, renewed + 1),
            (renewed - 1_000_000, renewed + 1),
            // Whoever has set it back by so much is believed.
            (renewed - 3_600_000_000, renewed - 3_600_000_000),
        ] {
            let told_apart = told_apart(WallTime(now), Some(&object));
            assert_eq!(told_apart, WallTime(told), "at {now}");
        }
        assert_eq!(told_apart(WallTime(7), None), WallTime(7));
    }

    #[test]
    fn an_empty_object_is_held_by_nobody() {
        let decoded = decode(&Object::default()).record;
        assert_eq!((&*decoded.holder, decoded.duration), ("", Duration::ZERO));
        assert_eq!((decoded.renewed, decoded.epoch), (None, Epoch(0)));
    }

    #[test]
    fn nonsense_is_left_out() {
        let mut object = encode(None, "status", "here", &record(), None, WallTime(0));
        let annotations = object.metadata.annotations.as_mut().unwrap();
        annotations.insert(EPOCH.to_owned(), "-1".to_owned());
        annotations.insert(PROCESS.to_owned(), "not hexadecimal".to_owned());
        let spec = object.spec.as_mut().unwrap();
        spec.lease_duration_seconds = Some(-1);
        spec.lease_transitions = Some(-1);
        let decoded = decode(&object).record;
        assert_eq!((decoded.epoch, decoded.process), (Epoch(0), None));
        assert_eq!((decoded.duration, decoded.transitions), (Duration::ZERO, 0));
    }

    #[test]
    fn what_others_have_added_is_kept() {
        let mut before = Object::default();
        before.metadata.resource_version = Some("9".to_owned());
        let labels = before.metadata.labels.get_or_insert_default();
        labels.insert("app".to_owned(), "oxia".to_owned());
        let annotations = before.metadata.annotations.get_or_insert_default();
        annotations.insert("note".to_owned(), "theirs".to_owned());
        annotations.insert(TRANSFER_REQUESTED.to_owned(), "you".to_owned());
        let object = encode(
            Some(&before),
            "status",
            "here",
            &record(),
            None,
            WallTime(0),
        );
        assert_eq!(object.metadata.labels, before.metadata.labels);
        assert_eq!(object.metadata.resource_version.as_deref(), Some("9"));
        let annotations = object.metadata.annotations.unwrap();
        assert_eq!(annotations.get("note").map(String::as_str), Some("theirs"));
        assert_eq!(annotations.get(TRANSFER_REQUESTED), None);
    }
}
