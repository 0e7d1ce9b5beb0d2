//! As much of a data server's public service as a test needs: to write a record, and to list keys.

use std::time::Duration;

use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

const WRITE: &str = "/io.oxia.proto.v1.OxiaClient/Write";
const LIST: &str = "/io.oxia.proto.v1.OxiaClient/List";

#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(int64, optional, tag = "1")]
    shard: Option<i64>,
    #[prost(message, repeated, tag = "2")]
    puts: Vec<PutRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WriteResponse {}

#[derive(Clone, PartialEq, prost::Message)]
struct ListRequest {
    #[prost(int64, optional, tag = "1")]
    shard: Option<i64>,
    #[prost(string, tag = "2")]
    start_inclusive: String,
    #[prost(string, tag = "3")]
    end_exclusive: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ListResponse {
    #[prost(string, repeated, tag = "1")]
    keys: Vec<String>,
}

/// Writes one record.
pub(super) async fn write(channel: Channel, shard: i64, key: &str) -> Result<(), Status> {
    let put = PutRequest {
        key: key.to_owned(),
        value: key.as_bytes().to_vec(),
    };
    let request = Request::new(WriteRequest {
        shard: Some(shard),
        puts: vec![put],
    });
    let mut client = ready(channel).await?;
    let codec = ProstCodec::<WriteRequest, WriteResponse>::default();
    let path = PathAndQuery::from_static(WRITE);
    client.unary(request, path, codec).await.map(|_| ())
}

/// Every key of a shard, in order.
pub(super) async fn list(channel: Channel, shard: i64) -> Result<Vec<String>, Status> {
    let mut request = Request::new(ListRequest {
        shard: Some(shard),
        start_inclusive: String::new(),
        end_exclusive: String::new(),
    });
    request.set_timeout(Duration::from_secs(10));
    let mut client = ready(channel).await?;
    let codec = ProstCodec::<ListRequest, ListResponse>::default();
    let path = PathAndQuery::from_static(LIST);
    let mut stream = client
        .server_streaming(request, path, codec)
        .await?
        .into_inner();
    let mut keys = Vec::new();
    while let Some(response) = stream.message().await? {
        keys.extend(response.keys);
    }
    Ok(keys)
}

async fn ready(channel: Channel) -> Result<Grpc<Channel>, Status> {
    let mut client = Grpc::new(channel);
    let ready = client.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(client)
}
