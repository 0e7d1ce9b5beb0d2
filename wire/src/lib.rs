//! The protocol of Oxia data servers: protobuf messages, services, error reasons.

pub mod error;
mod generated;

/// Package `google.rpc`: rich errors.
pub use generated::google::rpc as google_rpc;
/// Package `io.oxia.proto.v1`: what clients are told.
pub use generated::io::oxia::proto::v1;
/// Package `replication`: how data servers are driven.
pub use generated::replication;
