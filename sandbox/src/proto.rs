//! Package `stepdown.sandbox.v1`: a minimal workload, replication, and faults on demand.

#![allow(
    missing_docs,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated; the .proto file carries the documentation"
)]

tonic::include_proto!("stepdown.sandbox.v1");
