//! Connections beneath whatever is spoken, for `Endpoint::connect_with_connector` and its like.

use std::io;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::codegen::BoxFuture;
use tower::Service;

use super::{Limits, reach};
use crate::host::bare;

/// Connects, and encrypts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain(Limits);

impl Plain {
    /// Takes so long for each part of the way.
    #[must_use]
    pub const fn within(limits: Limits) -> Self {
        Self(limits)
    }
}

impl Service<Uri> for Plain {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limits = self.0;
        Box::pin(async move {
            let host = bare(uri.host().unwrap_or_default());
            let default = match uri.scheme_str() {
                Some("https") => 443,
                Some(_) | None => 80,
            };
            let port = uri.port_u16().unwrap_or(default);
            let reached = reach(host, port, limits).await?;
            reached.attempt.succeeded();
            Ok(TokioIo::new(reached.stream))
        })
    }
}
