//! What an issuer answers, over HTTP: little of it, and not for long.

use std::io;
use std::time::Duration;

use http::header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use stepdown_wire::host::bare;
use stepdown_wire::reach::{Limits, reach};
use stepdown_wire::tls::{ClientTls, HTTP1, TlsError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tonic::codegen::Bytes;

/// The largest answer, in bytes.
const LARGEST: usize = 1 << 20;
/// The largest head of an answer, in bytes.
const HEAD: usize = 64 << 10;
/// For each part of the way.
const LIMITS: Limits = Limits::each(Duration::from_secs(5));

/// Asks by GET, over TLS or in plaintext, and follows no redirect: the answer says whom to let in.
#[derive(Debug, Default)]
pub(super) struct Fetcher {
    /// The system's authorities are read when they are first needed.
    tls: OnceCell<ClientTls>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {0:?}")]
    Slow(Duration),
    #[error("{0}")]
    Unreachable(#[from] io::Error),
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("it is no URL that can be asked")]
    Url,
    #[error("the answer is not HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer is {status}{}", .to.as_ref().map(|to| format!(" to {to}, which is not followed")).unwrap_or_default())]
    Status {
        status: StatusCode,
        to: Option<String>,
    },
    #[error("the answer breaks off, or is longer than {LARGEST} bytes: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

impl Fetcher {
    /// The body of the answer, whole.
    pub(super) async fn get(&self, url: &Uri, within: Duration) -> Result<Bytes, FetchError> {
        let answer = timeout(within, self.ask(url)).await;
        answer.map_err(|_| FetchError::Slow(within))?
    }

    async fn ask(&self, url: &Uri) -> Result<Bytes, FetchError> {
        let host = bare(url.host().ok_or(FetchError::Url)?);
        match url.scheme_str() {
            Some("https") => {
                let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Url)?;
                let tls = self.tls.get_or_try_init(read_authorities).await?;
                let reached = reach(host, url.port_u16().unwrap_or(443), LIMITS).await?;
                let stream = tls.connect(name, reached, LIMITS.handshake).await?;
                converse(stream, url).await
            }
            Some("http") => {
                let reached = reach(host, url.port_u16().unwrap_or(80), LIMITS).await?;
                reached.attempt.succeeded();
                converse(reached.stream, url).await
            }
            Some(_) | None => Err(FetchError::Url),
        }
    }
}

async fn read_authorities() -> Result<ClientTls, FetchError> {
    let reading = tokio::task::spawn_blocking(|| ClientTls::of_system(HTTP1));
    Ok(reading.await.map_err(io::Error::other)??)
}

/// One question and its answer.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &Uri,
) -> Result<Bytes, FetchError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let asking = async {
        let response = sender.send_request(question(url)?).await?;
        body(response).await
    };
    tokio::pin!(asking, connection);
    tokio::select! {
        answer = &mut asking => answer,
        // What has come is still read.
        ended = &mut connection => {
            let answer = asking.await;
            ended?;
            answer
        }
    }
}

fn question(url: &Uri) -> Result<Request<Empty<Bytes>>, FetchError> {
    let path = url.path_and_query().map_or("/", |it| it.as_str());
    let host = url.authority().map(|it| it.as_str()).unwrap_or_default();
    Request::get(path)
        .header(HOST, host)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "stepdown")
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|_| FetchError::Url)
}

async fn body(response: Response<Incoming>) -> Result<Bytes, FetchError> {
    let status = response.status();
    if status != StatusCode::OK {
        let to = response.headers().get(LOCATION);
        let to = to.and_then(|it| it.to_str().ok());
        return Err(FetchError::Status {
            status,
            to: to.map(|it| it.chars().take(200).collect()),
        });
    }
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    Ok(body.map_err(FetchError::Body)?.to_bytes())
}
