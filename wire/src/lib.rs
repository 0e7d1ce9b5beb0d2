//! What goes over the wire: the protocol of Oxia data servers (protobuf messages, services, error
//! reasons), and the ports, the connections and the TLS beneath every protocol.

mod brief;
mod codec;
pub mod error;
mod flood;
mod generated;
pub mod host;
pub mod port;
pub mod reach;
pub mod tls;

pub use brief::brief;
pub use flood::Flood;
/// Package `google.rpc`: rich errors.
pub use generated::google::rpc as google_rpc;
/// Package `io.oxia.proto.v1`: what clients are told.
pub use generated::io::oxia::proto::v1;
/// Package `replication`: how data servers are driven.
pub use generated::replication;
/// Package `stepdown.operator.v1`: what whoever operates a cluster asks of the coordinator that leads.
pub use generated::stepdown::operator::v1 as operator;
/// Package `stepdown.raft.v1`: how coordinators replicate their metadata.
pub use generated::stepdown::raft::v1 as raft;

#[cfg(test)]
mod tests {
    use prost::Message;

    use crate::replication::{BecomeLeaderRequest, EntryId, FollowerHead};

    /// Oxia's data servers crash on a follower without a head.
    #[test]
    fn a_follower_whose_head_is_all_zeros_is_still_sent_with_a_head() {
        let request = BecomeLeaderRequest {
            follower_maps: vec![FollowerHead {
                key: "b:1".to_owned(),
                value: Some(EntryId { term: 0, offset: 0 }),
            }],
            ..BecomeLeaderRequest::default()
        };
        // Field 5, 7 bytes: field 1, "b:1"; field 2, 0 bytes.
        let expected = [0x2a, 7, 0x0a, 3, b'b', b':', b'1', 0x12, 0];
        assert_eq!(request.encode_to_vec(), expected);
    }
}
