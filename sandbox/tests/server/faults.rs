//! Misbehaviour on demand.

use std::time::Duration;

use stepdown_sandbox::proto::faults_client::FaultsClient;
use stepdown_sandbox::proto::{CallFault as WireFault, SetFaultsRequest};
use stepdown_sandbox::server::{CallFault, FaultSet};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::coordinator::*;

fn calls(method: &str, fault: CallFault) -> FaultSet {
    FaultSet {
        calls: [(method.to_owned(), fault)].into(),
        ..FaultSet::default()
    }
}

#[tokio::test]
async fn a_hanging_call_is_handled_when_the_fault_ends() {
    let mut server = bound(options("a", None)).await;
    let faults = server.server.faults().clone();
    faults.set(calls("NewTerm", CallFault::Hang));
    let mut client = server.coordination.clone();
    let hanging = tokio::spawn(async move {
        let request = stepdown_wire::replication::NewTermRequest {
            namespace: "default".into(),
            shard: SHARD,
            term: 1,
            options: None,
        };
        client.new_term(from_us(request)).await
    });
    assert!(server.status().await.is_err(), "other calls are handled");
    assert!(!hanging.is_finished());
    faults.clear();
    hanging.await.unwrap().unwrap();
    assert_eq!(server.status().await.unwrap().term, 1);
}

#[tokio::test]
async fn a_delayed_call_is_handled_all_the_same() {
    let mut server = bound(options("a", None)).await;
    let delay = CallFault::Delay(Duration::from_millis(5));
    server.server.faults().set(calls("NewTerm", delay));
    server.new_term(1).await.unwrap();
}

#[tokio::test]
async fn other_processes_may_set_faults_too() {
    let mut server = bound(options("a", None)).await;
    let mut knobs = FaultsClient::new(channel(&server.address()));
    let hang = WireFault {
        hang: true,
        delay_ms: 0,
    };
    let request = SetFaultsRequest {
        calls: [("Check".to_owned(), hang)].into(),
        not_serving: true,
        ..SetFaultsRequest::default()
    };
    knobs.set_faults(request).await.unwrap();
    let mut health = server.health.clone();
    let check = tokio::spawn(async move { health.check(HealthCheckRequest::default()).await });
    let request = SetFaultsRequest {
        not_serving: true,
        ..SetFaultsRequest::default()
    };
    knobs.set_faults(request).await.unwrap();
    let answer = check.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::NotServing);
    server.new_term(1).await.unwrap();
}

#[tokio::test]
async fn a_health_watch_follows_the_fault_and_can_be_broken() {
    let mut server = bound(options("a", None)).await;
    let faults = server.server.faults().clone();
    let watch = server.health.watch(HealthCheckRequest::default()).await;
    let mut watch = watch.unwrap().into_inner();
    let mut status = async || watch.message().await.map(|answer| answer.unwrap().status());
    assert_eq!(status().await.unwrap(), ServingStatus::Serving);
    faults.set(FaultSet {
        not_serving: true,
        ..FaultSet::default()
    });
    assert_eq!(status().await.unwrap(), ServingStatus::NotServing);
    faults.clear();
    assert_eq!(status().await.unwrap(), ServingStatus::Serving);
    faults.break_health_watches();
    assert_eq!(status().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn while_it_stops_accepting_new_connections_wait() {
    let mut server = bound(options("a", None)).await;
    let faults = server.server.faults().clone();
    faults.set(FaultSet {
        stop_accepting: true,
        ..FaultSet::default()
    });
    // The old connection is as good as ever, and by now the fault is known to the server.
    server.new_term(1).await.unwrap();
    let address = server.address();
    let call = tokio::spawn(async move {
        let mut health = HealthClient::new(channel(&address));
        health.check(HealthCheckRequest::default()).await
    });
    server.status().await.unwrap();
    assert!(!call.is_finished());
    faults.clear();
    call.await.unwrap().unwrap();
}
