//! `GET /metrics`, as Prometheus asks for it.

use std::convert::Infallible;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codegen::Bytes;

use super::packed::{Packed, Unpacked};
use super::scrapes::Scrapes;
use crate::observe::Metrics;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// A client that sends its request no faster than this is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection is for one scrape, which Prometheus itself gives up after 10 s unless told otherwise.
const SCRAPE: Duration = Duration::from_secs(60);
/// What of a request or an answer is kept for one connection, in bytes.
const BUFFER: usize = 16 << 10;

/// Serves `/metrics` to the connections that come in, until `stop`.
pub(super) async fn serve_metrics<I>(
    metrics: Metrics,
    mut incoming: impl Stream<Item = I> + Unpin,
    stop: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let scrapes = Scrapes::new(move || Packed::of(&metrics));
    let tasks = TaskTracker::new();
    while let Some(Some(connection)) = stop.run_until_cancelled(incoming.next()).await {
        let scrapes = scrapes.clone();
        let stop = stop.clone();
        tasks.spawn(async move {
            let service = service_fn(move |request| answer(scrapes.clone(), request));
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .keep_alive(false)
                .max_buf_size(BUFFER)
                .serve_connection(TokioIo::new(connection), service);
            // A scraper that breaks off, or takes too long, is its own affair.
            let _ = stop.run_until_cancelled(timeout(SCRAPE, serving)).await;
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn answer(
    scrapes: Scrapes,
    request: Request<Incoming>,
) -> Result<Response<Either<Full<Bytes>, Unpacked>>, Infallible> {
    if request.uri().path() != "/metrics" {
        return Ok(short(StatusCode::NOT_FOUND, "404 page not found\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = short(StatusCode::METHOD_NOT_ALLOWED, "use GET\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return Ok(response);
    }
    let Some(packed) = scrapes.latest().await else {
        let failed = "the metrics can't be put together\n";
        return Ok(short(StatusCode::INTERNAL_SERVER_ERROR, failed));
    };
    let gzip = accepts_gzip(request.headers());
    let body = if gzip {
        Either::Left(Full::new(packed.into_bytes()))
    } else {
        Either::Right(packed.unpacked())
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    if gzip {
        let value = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, value);
    }
    Ok(response)
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip") && !parts.any(|part| part == "q=0")
        })
}

fn short(status: StatusCode, text: &'static str) -> Response<Either<Full<Bytes>, Unpacked>> {
    let text = Full::new(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(Either::Left(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
