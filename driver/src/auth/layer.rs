//! What stands before every call on a gRPC port.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use stepdown_wire::port::Peer;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tower::{Layer, Service};
use tracing::debug;

use super::caller::Caller;
use super::verifier::{Unauthenticated, Verifier};

/// Probes have no tokens.
const HEALTH: &str = "/grpc.health.v1.Health/";
const SCHEME: &str = "Bearer ";

/// Says of every call who makes it, and lets nobody through without a good token where tokens are asked
/// for. Questions about health go through as they are.
#[derive(Clone, Debug, Default)]
pub struct Door {
    verifier: Option<Arc<Verifier>>,
}

/// A service behind a door.
#[derive(Clone)]
pub struct Guarded<S> {
    door: Door,
    inner: S,
}

impl Door {
    /// Asks for tokens, if there is something to verify them by.
    pub fn new(verifier: Option<Verifier>) -> Self {
        Self {
            verifier: verifier.map(Arc::new),
        }
    }

    /// Has issuers asked for their keys.
    pub(crate) fn begin(&self) {
        if let Some(verifier) = &self.verifier {
            verifier.begin();
        }
    }

    /// Whether it asks for tokens.
    pub(crate) fn asks(&self) -> bool {
        self.verifier.is_some()
    }
}

impl<S> Layer<S> for Door {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let door = self.clone();
        Guarded { door, inner }
    }
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.uri().path().starts_with(HEALTH) {
            return Box::pin(self.inner.call(request));
        }
        // The one that is ready is used, and its copy is not.
        let copy = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, copy);
        let verifier = self.door.verifier.clone();
        Box::pin(async move {
            let peer = request.extensions().get::<Peer>().cloned();
            let peer = peer.unwrap_or_default();
            let caller = match verifier {
                None => Caller::of_peer(peer),
                Some(verifier) => match known(&verifier, peer, request.headers()).await {
                    Ok(caller) => caller,
                    Err(refused) => return Ok(refused.into_http()),
                },
            };
            // What is behind the door has no use for it, and could only lose it.
            request.headers_mut().remove(AUTHORIZATION);
            request.extensions_mut().insert(caller);
            inner.call(request).await
        })
    }
}

async fn known(verifier: &Verifier, peer: Peer, headers: &HeaderMap) -> Result<Caller, Status> {
    let identity = async {
        let token = token(headers)?;
        if !peer.is_encrypted && !peer.is_loopback() {
            return Err(Unauthenticated::Plaintext);
        }
        verifier.verify(token).await
    };
    match identity.await {
        Ok(identity) => Ok(Caller::of_token(identity, peer)),
        Err(refused) => {
            debug!(peer = ?peer.remote, reason = %refused, "Refused a call");
            Err(Status::unauthenticated(refused.to_string()))
        }
    }
}

/// The token of a call; what it is called before it may be left out.
fn token(headers: &HeaderMap) -> Result<&str, Unauthenticated> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let first = all.next().ok_or(Unauthenticated::Empty)?;
    if all.next().is_some() {
        return Err(Unauthenticated::Malformed);
    }
    let text = first.to_str().map_err(|_| Unauthenticated::Malformed)?;
    let token = match text.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => token,
        Some(_) | None => text,
    };
    match token.trim() {
        "" => Err(Unauthenticated::Empty),
        token if token.eq_ignore_ascii_case(SCHEME.trim()) => Err(Unauthenticated::Empty),
        token => Ok(token),
    }
}
