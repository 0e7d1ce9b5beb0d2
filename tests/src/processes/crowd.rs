//! Strangers at a coordinator's ports: silent ones, some that take no answers, some that ask without end.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::Request;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use stepdown_sandbox::cluster::CoordinatorProcess;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Not where those who mean well come from.
const FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// Whoever is let go comes again after this.
const AGAIN: Duration = Duration::from_millis(100);
/// So many questions are under way of whoever asks without end.
const QUESTIONS: usize = 64;
/// A call of gRPC without compression, its length, and a message that asks for the health of everything.
const QUESTION: [u8; 5] = [0; 5];
/// The same, of 4 MiB.
const LONG: [u8; 5] = [0, 0, 64, 0, 0];

/// The body of a request.
type Question = UnsyncBoxBody<Bytes, Infallible>;

/// Strangers, until this is dropped.
#[derive(Debug)]
pub struct Crowd {
    strangers: JoinSet<()>,
    came: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, Debug)]
enum Stranger {
    /// Says nothing.
    Silent,
    /// Says half of what a connection begins with.
    HalfHeard,
    /// Asks for metrics and takes none.
    Unread,
    /// Begins a call of 4 MiB, and does not go on.
    Unfinished,
    /// Asks for the health, and asks again.
    Asking,
}

impl Crowd {
    /// So many of each kind.
    pub fn at(coordinator: &CoordinatorProcess, count: usize) -> Self {
        let mut crowd = Self {
            strangers: JoinSet::new(),
            came: Arc::default(),
        };
        let grpc = [coordinator.internal(), coordinator.public()];
        let metrics = coordinator.metrics();
        for _ in 0..count {
            for address in grpc {
                for stranger in [Stranger::Silent, Stranger::HalfHeard, Stranger::Unfinished] {
                    crowd.add(stranger, address);
                }
            }
            crowd.add(Stranger::Silent, metrics);
            crowd.add(Stranger::Unread, metrics);
        }
        // More would only take the processors from those who elect, which anybody on the host can.
        for address in grpc {
            crowd.add(Stranger::Asking, address);
        }
        crowd
    }

    /// How often one of them came in.
    pub fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }

    fn add(&mut self, stranger: Stranger, address: SocketAddr) {
        let came = Arc::clone(&self.came);
        self.strangers.spawn(async move {
            loop {
                if let Ok(stream) = connect(address).await {
                    came.fetch_add(1, Ordering::Relaxed);
                    // However it ended, it comes again.
                    let _ = stranger.stay(stream).await;
                }
                sleep(AGAIN).await;
            }
        });
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((FROM, 0).into())?;
    socket.connect(address).await
}

impl Stranger {
    /// Until it is let go.
    async fn stay(self, mut stream: TcpStream) -> io::Result<()> {
        match self {
            Self::Silent => {}
            Self::HalfHeard => stream.write_all(b"PRI * HTTP/2").await?,
            Self::Unread => {
                stream
                    .write_all(b"GET /metrics HTTP/1.1\r\nHost: it\r\n\r\n")
                    .await?;
                return std::future::pending().await;
            }
            Self::Unfinished => return ask(stream, 1, || unfinished(&LONG)).await,
            Self::Asking => return ask(stream, QUESTIONS, || whole(&QUESTION)).await,
        }
        stream.read_u8().await.map(drop)
    }
}

/// Asks for the health, so many times at once, and goes on with that.
async fn ask(stream: TcpStream, times: usize, question: fn() -> Question) -> io::Result<()> {
    let executor = TokioExecutor::new();
    let shaken = http2::handshake(executor, TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(io::Error::other)?;
    let mut asking = JoinSet::new();
    for _ in 0..times {
        let mut sender = sender.clone();
        asking.spawn(async move {
            loop {
                let request = Request::post("http://it/grpc.health.v1.Health/Check")
                    .header(http::header::CONTENT_TYPE, "application/grpc")
                    .header(http::header::TE, "trailers")
                    .body(question());
                let Ok(request) = request else { return };
                if sender.ready().await.is_err() || sender.send_request(request).await.is_err() {
                    return;
                }
            }
        });
    }
    connection.await.map_err(io::Error::other)
}

/// What is asked, and then nothing more, though it goes on.
fn unfinished(said: &'static [u8]) -> Question {
    StreamBody::new(frame(said).chain(stream::pending())).boxed_unsync()
}

fn whole(said: &'static [u8]) -> Question {
    StreamBody::new(frame(said)).boxed_unsync()
}

fn frame(said: &'static [u8]) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
    stream::iter([Ok(Frame::data(Bytes::from_static(said)))])
}
