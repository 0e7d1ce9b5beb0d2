//! One request, from a client to the server and back.

use std::fmt;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri, header, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use kube::client::Body as Relayed;
use tokio::time::sleep;

use super::body::AnswerBody;
use super::counts::Counts;
use super::fault::Fault;
use super::requests::{Asked, Names};
use super::rules::{Delivered, Rules, Strike};

/// What handles requests.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) server: Server,
    pub(super) names: Names,
    pub(super) rules: Arc<Rules>,
    pub(super) counts: Mutex<Counts>,
}

/// The server, as whoever a request says it is from.
#[derive(Clone)]
pub(super) struct Server(pub(super) kube::Client);

/// The connection is cut.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut: {0}")]
pub(super) struct Cut(String);

/// A request that waits for the test to deliver it.
#[derive(Debug)]
pub(super) struct Held {
    server: Server,
    request: Request<Bytes>,
}

impl Handler {
    /// Answers a request; an error closes its connection.
    pub(super) async fn handle(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(Cut::because)?.to_bytes();
        let asked = Asked::read(&head, &body, &self.names);
        let counts = self.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).count(asked);
        let request = onwards(head, body);
        match self.rules.strike(asked) {
            None => Ok(self.relay(asked, self.server.send(request).await?)),
            Some(strike) => self.suffer(strike, asked, request).await,
        }
    }

    async fn suffer(
        &self,
        strike: Strike,
        asked: Asked,
        request: Request<Bytes>,
    ) -> Result<Response<AnswerBody>, Cut> {
        let server = self.server.clone();
        match strike.fault.clone() {
            Fault::Delay(delay) => {
                strike.has_struck();
                let delayed = async move {
                    sleep(delay).await;
                    server.send(request).await
                };
                Ok(self.relay(asked, detached(delayed).await?))
            }
            Fault::DelayAnswer(delay) => {
                let answer = server.send(request).await?;
                strike.has_struck();
                sleep(delay).await;
                Ok(self.relay(asked, answer))
            }
            Fault::Drop => {
                strike.has_struck();
                Err(Cut::because("its request was dropped"))
            }
            Fault::CutAfterSending => {
                after_sending(server, request, strike).await?;
                Err(Cut::because("its request was sent"))
            }
            Fault::Answer(answer) => {
                strike.has_struck();
                Ok(answer.respond().map(AnswerBody::Whole))
            }
            Fault::AnswerAfterSending(answer) => {
                after_sending(server, request, strike).await?;
                Ok(answer.respond().map(AnswerBody::Whole))
            }
            Fault::Hold => {
                // A test that no longer waits for it has it lost.
                let _ = strike.held.send(Held { server, request });
                strike.has_struck();
                pending().await
            }
            Fault::Truncate => {
                let (mut head, body) = server.send(request).await?.into_parts();
                let mut body = body.collect().await.map_err(Cut::because)?.to_bytes();
                body.truncate(body.len() / 2);
                head.headers.remove(header::CONTENT_LENGTH);
                strike.has_struck();
                Ok(Response::from_parts(
                    head,
                    AnswerBody::Whole(Full::new(body)),
                ))
            }
            // It strikes answers.
            Fault::Silence => Ok(self.relay(asked, server.send(request).await?)),
        }
    }

    fn relay(&self, asked: Asked, answer: Response<Relayed>) -> Response<AnswerBody> {
        let rules = Arc::clone(&self.rules);
        answer.map(|body| AnswerBody::Relayed { body, asked, rules })
    }
}

impl Server {
    /// Sends a request whole, even if nobody waits for the answer any more.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Relayed>, Cut> {
        let client = self.0.clone();
        detached(async move {
            let sent = client.send(request.map(Relayed::from)).await;
            let mut answer = sent.map_err(Cut::because)?;
            strip(answer.headers_mut());
            Ok(answer)
        })
        .await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Held {
    pub(super) async fn deliver(self) -> Delivered {
        let answer = self.server.send(self.request).await;
        let (head, body) = answer.expect("the server answers").into_parts();
        let body = body.collect().await.expect("the answer ends").to_bytes();
        Delivered {
            code: head.status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

impl Cut {
    pub(super) fn because(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// Has the request take effect, and only then calls it struck.
async fn after_sending(server: Server, request: Request<Bytes>, strike: Strike) -> Result<(), Cut> {
    detached(async move {
        let sent = server.send(request).await;
        strike.has_struck();
        sent.map(drop)
    })
    .await
}

/// Goes on when the client is gone.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Cut>> + Send + 'static,
) -> Result<T, Cut> {
    tokio::spawn(work).await.map_err(Cut::because)?
}

fn onwards(head: request::Parts, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.headers_mut() = head.headers;
    // The client adds the server's scheme and address.
    let target = head.uri.path_and_query().cloned();
    *request.uri_mut() = target.map_or_else(Uri::default, Uri::from);
    request.headers_mut().remove(header::HOST);
    request.headers_mut().remove(header::CONTENT_LENGTH);
    strip(request.headers_mut());
    request
}

/// Removes what concerns only one of the two connections.
fn strip(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
}
