//! The document that coordinators write: nothing of it is lost, and whatever can't be so is told.

mod document;
mod faults;
mod made;

use std::sync::Arc;

use stepdown_core::cluster::{Beginnings, ClusterStatus};
use stepdown_fuzz::feed;

use crate::choices::Choices;
use crate::text;
use crate::written::written;

#[test]
fn a_status_that_is_decoded_loses_nothing_when_it_is_written_and_its_faults_are_told() {
    feed("status", |bytes| {
        if let Ok(status) = ClusterStatus::decode(&text(bytes)) {
            check(&status);
        }
        let mut choices = Choices::new(bytes);
        let made = made::status(&mut choices);
        let document = document::document(&mut choices, &made);
        let text = written(&mut choices, &document);
        match ClusterStatus::decode(&text) {
            Ok(status) => assert_eq!(status, made, "{text}"),
            Err(error) => panic!("{error}: {text}"),
        }
        check(&made);
    });
}

fn check(status: &ClusterStatus) {
    check_written(status);
    faults::check(status);
    check_raised(status);
    let mut dropped = status.clone();
    let is_known = dropped.drop_beginnings();
    assert_eq!(is_known, dropped != *status);
    check_written(&dropped);
    let mut forgetful = status.clone();
    for namespace in forgetful.namespaces.values_mut() {
        for shard in namespace.shards.values_mut() {
            Arc::make_mut(shard).beginnings = Beginnings::default();
        }
    }
    assert_eq!(dropped, forgetful, "that was all that was dropped");
    let json = serde_json::to_string(status).unwrap();
    let again = serde_json::from_str::<ClusterStatus>(&json);
    assert_eq!(&again.unwrap(), status);
}

fn check_written(status: &ClusterStatus) {
    let yaml = status.encode();
    match ClusterStatus::decode(&yaml) {
        Ok(again) => assert_eq!(&again, status, "{yaml}"),
        Err(error) => panic!("{error}: {yaml}"),
    }
    assert_eq!(status.encode(), yaml);
}

/// No more than it has to be, and nothing else.
fn check_raised(status: &ClusterStatus) {
    let greatest = status.shards().map(|(_, id, _)| id.0).max();
    let free = greatest.map_or(i64::MIN, |it| it.saturating_add(1));
    let mut raised = status.clone();
    let was_too_low = raised.raise_shard_id_generator();
    assert_eq!(
        was_too_low,
        greatest.is_some_and(|it| status.shard_id_generator <= it)
    );
    let expected = ClusterStatus {
        shard_id_generator: status.shard_id_generator.max(free),
        ..status.clone()
    };
    assert_eq!(raised, expected);
}
