//! A server on this machine that answers as it is told, byte by byte.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use kube::Config;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::Clients;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Received {
    /// Whether the metadata alone is asked for.
    pub(super) fn is_partial(&self) -> bool {
        let accept = self.headers.get("accept");
        accept.is_some_and(|accept| accept.contains("as=PartialObjectMetadata"))
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Answer {
        code: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// The events of a watch, and then its end.
    Events(Vec<String>),
    /// The events of a watch, and then nothing for as long as the server lives.
    Open(Vec<String>),
    /// The connection is broken.
    Reset,
    /// Nothing ever comes.
    Silence,
    /// The start of an answer, and then the end of the connection.
    Truncated { code: u16 },
}

impl Reply {
    pub(super) fn json(code: u16, body: &serde_json::Value) -> Self {
        Self::text(code, &body.to_string())
    }

    pub(super) fn text(code: u16, body: &str) -> Self {
        Self::Answer {
            code,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// A "no" as API servers say it.
    pub(super) fn status(code: u16, reason: &str, message: &str) -> Self {
        let status = serde_json::json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        });
        Self::json(code, &status)
    }
}

pub(super) struct FakeServer {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl FakeServer {
    pub(super) async fn new(handle: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (handle, log) = (Arc::new(handle), received.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (handle, log) = (handle.clone(), log.clone());
                connections.spawn(async move { serve(stream, &*handle, &log).await });
            }
        });
        Self {
            address,
            received,
            task,
        }
    }

    pub(super) fn config(&self) -> Config {
        Config::new(self.address.parse().unwrap())
    }

    pub(super) fn clients(&self) -> Clients {
        Clients::new(self.config()).unwrap()
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection for as long as the client keeps it.
async fn serve(
    stream: TcpStream,
    handle: &(impl Fn(&Received) -> Reply + ?Sized),
    log: &Mutex<Vec<Received>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream).await? {
        log.lock().unwrap().push(request.clone());
        if !answer(&mut stream, handle(&request)).await? {
            break;
        }
    }
    Ok(())
}

async fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Received>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Received {
        method: words.next().unwrap(),
        target: words.next().unwrap(),
        ..Received::default()
    };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let value = value.to_owned();
        request.headers.insert(name.to_ascii_lowercase(), value);
    }
    let length = request.headers.get("content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await?;
    request.body = String::from_utf8(body).unwrap();
    Ok(Some(request))
}

/// Whether the connection goes on.
async fn answer(stream: &mut BufReader<TcpStream>, reply: Reply) -> io::Result<bool> {
    match reply {
        Reply::Answer {
            code,
            headers,
            body,
        } => {
            let mut head = format!("HTTP/1.1 {code} X\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            Ok(true)
        }
        Reply::Events(events) => {
            send_events(stream, &events).await?;
            stream.write_all(b"0\r\n\r\n").await?;
            Ok(true)
        }
        Reply::Open(events) => {
            send_events(stream, &events).await?;
            std::future::pending().await
        }
        Reply::Reset => {
            stream.get_ref().set_zero_linger()?;
            Ok(false)
        }
        Reply::Silence => std::future::pending().await,
        Reply::Truncated { code } => {
            let head = format!("HTTP/1.1 {code} X\r\nContent-Length: 1000\r\n\r\n{{\"kind\":");
            stream.write_all(head.as_bytes()).await?;
            Ok(false)
        }
    }
}

async fn send_events(stream: &mut BufReader<TcpStream>, events: &[String]) -> io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await?;
    for event in events {
        let chunk = format!("{:x}\r\n{event}\n\r\n", event.len() + 1);
        stream.write_all(chunk.as_bytes()).await?;
    }
    stream.flush().await
}
