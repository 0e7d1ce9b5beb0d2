//! One request to the API server, and what is known when it fails.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};
use hyper_util::client::legacy;
use kube::Client;
use kube::client::{AuthError, Body};
use kube::core::Status;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// How long to wait for any answer; a watch has its own limits.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
/// How much of an answer that is no `Status` is quoted.
const QUOTED: usize = 200;
/// How much of the words of a `Status` is shown, in characters.
const SHOWN: usize = 1_000;

/// Why there is no answer to go by.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request can't have reached the server.
    NotSent(String),
    /// The server said no, or something on the way to it did.
    Refused(Box<Refusal>),
    /// No answer came, or none that can be understood.
    Unanswered(String),
}

/// A "no".
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    /// Made up, where the answer was no `Status`.
    pub(crate) status: Status,
    pub(crate) retry_after: Option<Duration>,
}

/// Sends a request, once, and waits for the whole answer. Of an API server that answers 429 only
/// the header says for how long: the body is no `Status` then.
pub(crate) async fn ask(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Vec<u8>, Failure> {
    ask_within(LIMIT, client, request).await
}

pub(crate) async fn ask_within(
    limit: Duration,
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Vec<u8>, Failure> {
    let request = request.map_err(|error| Failure::NotSent(error.to_string()))?;
    timeout(limit, exchange(client, request))
        .await
        .unwrap_or_else(|_| {
            let limit = limit.as_secs_f64();
            Err(Failure::Unanswered(format!("no answer within {limit} s")))
        })
}

/// Understands an answer.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::Unanswered(format!("the answer makes no sense: {error}")))
}

async fn exchange(client: &Client, request: http::Request<Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let answer = client.send(request.map(Body::from)).await?;
    let code = answer.status();
    let retry_after = retry_after(answer.headers());
    let body = answer.into_body().collect_bytes().await;
    if code.is_success() {
        return Ok(body?.into());
    }
    if code.is_client_error() || code.is_server_error() {
        // The code alone says no, whatever became of the rest.
        let body = body.unwrap_or_default();
        return Err(Failure::Refused(Refusal::new(code, retry_after, &body)));
    }
    let code = code.as_u16();
    Err(Failure::Unanswered(format!("answered with HTTP {code}")))
}

pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

impl Refusal {
    pub(super) fn new(code: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Box<Self> {
        let code = code.as_u16();
        let status = serde_json::from_slice(body)
            .ok()
            .filter(Status::is_failure)
            .unwrap_or_else(|| {
                let text = String::from_utf8_lossy(body);
                let quoted: String = text.trim().chars().take(QUOTED).collect();
                Status::failure(&quoted, "").with_code(code)
            });
        Box::new(Self {
            code,
            retry_after: retry_after.or_else(|| details_retry_after(&status)),
            status,
        })
    }

    /// Whether one of the causes has this reason.
    pub(crate) fn has_cause(&self, reason: &str) -> bool {
        let details = self.status.details.as_ref();
        details.is_some_and(|details| details.causes.iter().any(|cause| cause.reason == reason))
    }
}

fn details_retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

impl Failure {
    /// Whether the object is one that nobody may change, which only the server's words tell.
    pub(crate) fn is_of_immutable(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                refusal.code == 422 && refusal.status.message.contains("field is immutable")
            }
            Self::NotSent(_) | Self::Unanswered(_) => false,
        }
    }
}

impl From<Status> for Failure {
    /// A "no" without an HTTP answer of its own: the last words of a watch.
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(Refusal {
            code: status.code,
            retry_after: details_retry_after(&status),
            status,
        }))
    }
}

impl From<kube::Error> for Failure {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library has more variants with more of its features; nobody knows what \
                  became of the request then"
    )]
    fn from(error: kube::Error) -> Self {
        let text = in_full(&error);
        match error {
            kube::Error::Api(status) => Self::from(*status),
            kube::Error::Auth(_) | kube::Error::BuildRequest(_) => Self::NotSent(text),
            kube::Error::Service(error) if is_before_sending(&*error) => Self::NotSent(text),
            _ => Self::Unanswered(text),
        }
    }
}

/// Whether there was no connection yet that the request could have gone out on, or no credentials.
fn is_before_sending(error: &(dyn Error + 'static)) -> bool {
    error.is::<AuthError>()
        || error
            .downcast_ref::<legacy::Error>()
            .is_some_and(legacy::Error::is_connect)
}

/// An error with its causes, which these libraries don't name themselves.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(reason) | Self::Unanswered(reason) => f.write_str(reason),
            Self::Refused(refusal) => {
                let Refusal { code, status, .. } = &**refusal;
                write!(f, "HTTP {code}")?;
                for text in [&status.reason, &status.message] {
                    if !text.is_empty() {
                        write!(f, ": {text:.SHOWN$}")?;
                    }
                }
                Ok(())
            }
        }
    }
}
