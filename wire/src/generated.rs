//! What the build script makes of `proto/`. The modules nest as the packages do, because the
//! generated code refers from one to the other.

#![allow(
    missing_docs,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated; the .proto files carry the documentation"
)]

pub mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

pub mod io {
    pub mod oxia {
        pub mod proto {
            pub mod v1 {
                tonic::include_proto!("io.oxia.proto.v1");
            }
        }
    }
}

pub mod replication {
    tonic::include_proto!("replication");
}

pub mod stepdown {
    pub mod operator {
        pub mod v1 {
            tonic::include_proto!("stepdown.operator.v1");
        }
    }

    pub mod raft {
        pub mod v1 {
            tonic::include_proto!("stepdown.raft.v1");
        }
    }
}
