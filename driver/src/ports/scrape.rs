//! `GET /metrics`, as Prometheus asks for it.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::codegen::Bytes;

use crate::observe::Metrics;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// A client that sends its request no faster than this is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `/metrics` to the connections that come in, until `stop`.
pub(super) async fn serve_metrics<I>(
    metrics: Metrics,
    mut incoming: impl Stream<Item = I> + Unpin,
    stop: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tasks = TaskTracker::new();
    while let Some(Some(connection)) = stop.run_until_cancelled(incoming.next()).await {
        let metrics = metrics.clone();
        let stop = stop.clone();
        tasks.spawn(async move {
            let service = service_fn(move |request| answer(metrics.clone(), request));
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(connection), service);
            // A scraper that breaks off is its own affair.
            let _ = stop.run_until_cancelled(serving).await;
        });
    }
    tasks.close();
    tasks.wait().await;
}

async fn answer(
    metrics: Metrics,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/metrics" {
        return Ok(short(StatusCode::NOT_FOUND, "404 page not found\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = short(StatusCode::METHOD_NOT_ALLOWED, "use GET\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return Ok(response);
    }
    let gzip = accepts_gzip(request.headers());
    // At 10,000 shards this takes a while, and the event loop must not wait for it.
    let scrape = tokio::task::spawn_blocking(move || scrape(&metrics, gzip));
    let Ok(Some(body)) = scrape.await else {
        let failed = "the metrics can't be put together\n";
        return Ok(short(StatusCode::INTERNAL_SERVER_ERROR, failed));
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    if gzip {
        let value = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, value);
    }
    Ok(response)
}

fn scrape(metrics: &Metrics, gzip: bool) -> Option<Vec<u8>> {
    let text = metrics.text().ok()?;
    if !gzip {
        return Some(text.into_bytes());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).ok()?;
    encoder.finish().ok()
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

fn short(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
