//! One HTTP/2 connection to one address, opened when it is needed and shared by every call.
//!
//! tonic's own channel is not used: it lets one waiting call at a time learn that a dial failed,
//! and reads certificates once.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use http::header::{HeaderName, HeaderValue, USER_AGENT};
use http::{Request, Response};
use hyper::client::conn::http2::SendRequest;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tower::Service;

use super::address::Address;
use super::details;
use super::dial::Dialer;
use super::dial_error::DialError;
use crate::causes::with_causes;
use crate::gate::Gate;

const INSTANCE_ID: HeaderName = HeaderName::from_static("instance-id");
const PRODUCT: HeaderValue =
    HeaderValue::from_static(concat!("stepdown/", env!("CARGO_PKG_VERSION")));

/// The connection to one address. Clones share it.
#[derive(Clone)]
pub(super) struct Link(Arc<Inner>);

struct Inner {
    dialer: Arc<Dialer>,
    address: Address,
    instance_id: HeaderValue,
    connection: Mutex<Connection>,
}

enum Connection {
    /// Given up as soon as nobody waits for it.
    Dialing(WeakShared<Dial>),
    Down,
    Up(SendRequest<Body>),
}

impl Link {
    pub fn new(dialer: Arc<Dialer>, address: Address, instance_id: HeaderValue) -> Self {
        Self(Arc::new(Inner {
            dialer,
            address,
            instance_id,
            connection: Mutex::new(Connection::Down),
        }))
    }

    /// A request that the connection lost before it sent it goes out once more, on a new one.
    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let headers = request.headers_mut();
        headers.insert(INSTANCE_ID, self.0.instance_id.clone());
        headers.insert(USER_AGENT, PRODUCT);
        let mut fresh = false;
        loop {
            let mut sender = self.connect().await.map_err(|error| self.status(&error))?;
            // It may have waited for long.
            if let Some(gate) = request.extensions().get::<Gate>()
                && !gate.is_open()
            {
                return Err(Status::cancelled("authority ended before it was sent"));
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(details::checked(response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(self.status(error.error())),
                },
            }
            fresh = true;
        }
    }

    fn status(&self, error: &(dyn Error + 'static)) -> Status {
        let authority = &self.0.address.authority;
        Status::unavailable(format!("{authority}: {}", with_causes(error)))
    }

    /// Everybody who waits for the same dial learns its end at the same time.
    async fn connect(&self) -> Result<SendRequest<Body>, DialError> {
        let dial = match self.open_or_dial() {
            Ok(sender) => return Ok(sender),
            Err(dial) => dial,
        };
        let sender = dial.await?;
        let mut connection = self.lock();
        match &*connection {
            Connection::Up(open) if !open.is_closed() => {}
            Connection::Dialing(_) | Connection::Down | Connection::Up(_) => {
                *connection = Connection::Up(sender.clone());
            }
        }
        Ok(sender)
    }

    fn open_or_dial(&self) -> Result<SendRequest<Body>, Shared<Dial>> {
        let mut connection = self.lock();
        match &*connection {
            Connection::Up(sender) if !sender.is_closed() => return Ok(sender.clone()),
            Connection::Dialing(dial) => {
                if let Some(dial) = dial.upgrade() {
                    match dial.peek() {
                        None => return Err(dial),
                        Some(Ok(sender)) if !sender.is_closed() => return Ok(sender.clone()),
                        // Its end belongs to those who waited for it.
                        Some(_) => {}
                    }
                }
            }
            Connection::Down | Connection::Up(_) => {}
        }
        let (dialer, address) = (Arc::clone(&self.0.dialer), self.0.address.clone());
        let dial = tokio::spawn(async move { dialer.dial(&address).await });
        let dial = Dial(AbortOnDropHandle::new(dial)).shared();
        *connection = match dial.downgrade() {
            Some(dial) => Connection::Dialing(dial),
            None => Connection::Down,
        };
        Err(dial)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        let connection = &self.0.connection;
        connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link")
            .field(&self.0.address.authority)
            .finish()
    }
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

/// A dial on its way, independent of who waits for it.
struct Dial(AbortOnDropHandle<Result<SendRequest<Body>, DialError>>);

impl Future for Dial {
    type Output = Result<SendRequest<Body>, DialError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0
            .poll_unpin(context)
            .map(|end| end.unwrap_or_else(|error| Err(DialError::Dropped(Arc::new(error)))))
    }
}
