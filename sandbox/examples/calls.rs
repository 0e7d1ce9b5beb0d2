//! Measures how many coordination calls per second one data server answers:
//! `cargo run --release -p stepdown-sandbox --example calls [SHARDS] [DATA_DIR]`.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use stepdown_sandbox::server::{DataServer, DataServerOptions};
use stepdown_wire::replication::oxia_coordination_client::OxiaCoordinationClient;
use stepdown_wire::replication::{
    BecomeLeaderRequest, GetStatusRequest, HandshakeRequest, NewTermRequest,
};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

const CALLERS: i64 = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let shards: i64 = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let server = DataServer::start(DataServerOptions {
        name: "a".to_owned(),
        internal: ([127, 0, 0, 1], 0).into(),
        public: ([127, 0, 0, 1], 0).into(),
        data_dir: arguments.next().map(PathBuf::from),
    })
    .await?;
    let address = format!("http://{}", server.identity().internal);
    let mut client = OxiaCoordinationClient::new(Endpoint::from_shared(address)?.connect().await?);
    client
        .handshake(HandshakeRequest {
            instance_id: "id".to_owned(),
        })
        .await?;
    measure("NewTerm", shards, &client, new_term).await?;
    measure("BecomeLeader", shards, &client, become_leader).await?;
    measure("GetStatus", shards, &client, get_status).await?;
    server.shutdown().await;
    Ok(())
}

type Client = OxiaCoordinationClient<Channel>;

/// Asks once for each shard, with many callers on one connection.
async fn measure<F>(
    name: &str,
    shards: i64,
    client: &Client,
    call: impl Fn(Client, i64) -> F + Copy + Send + 'static,
) -> Result<(), Box<dyn Error>>
where
    F: Future<Output = Result<(), Status>> + Send,
{
    let started = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            for shard in (0..shards).filter(|shard| shard % CALLERS == caller) {
                call(client.clone(), shard).await?;
            }
            Ok::<(), Status>(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    let elapsed = started.elapsed();
    let shards = f64::from(i32::try_from(shards)?);
    println!("{name}: {:.0} calls/s", shards / elapsed.as_secs_f64());
    Ok(())
}

async fn new_term(mut client: Client, shard: i64) -> Result<(), Status> {
    let request = NewTermRequest {
        namespace: "default".to_owned(),
        shard,
        term: 1,
        options: None,
    };
    client.new_term(ours(request)).await.map(drop)
}

async fn become_leader(mut client: Client, shard: i64) -> Result<(), Status> {
    let request = BecomeLeaderRequest {
        namespace: "default".to_owned(),
        shard,
        term: 1,
        replication_factor: 1,
        ..BecomeLeaderRequest::default()
    };
    client.become_leader(ours(request)).await.map(drop)
}

async fn get_status(mut client: Client, shard: i64) -> Result<(), Status> {
    client
        .get_status(ours(GetStatusRequest { shard }))
        .await
        .map(drop)
}

fn ours<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let id = tonic::metadata::MetadataValue::from_static("id");
    request.metadata_mut().insert("instance-id", id);
    request
}
