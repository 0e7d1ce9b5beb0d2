//! Compiles the .proto files, without protoc.

use std::error::Error;
use std::path::Path;

const PROTOS: [&str; 9] = [
    "admin.proto",
    "client.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "metadata.proto",
    "operator.proto",
    "raft.proto",
    "raft_admin.proto",
    "replication.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOS, [Path::new("proto")])?;
    tonic_prost_build::configure()
        .codec_path("crate::codec::SmallCodec")
        .btree_map(".")
        .bytes(".stepdown.raft.v1")
        .compile_fds(descriptors)?;
    Ok(())
}
