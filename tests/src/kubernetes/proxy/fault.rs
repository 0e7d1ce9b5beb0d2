//! What can become of a request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;
use serde_json::{Value, json};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It reaches the server only after this, even if its client is gone by then.
    Delay(Duration),
    /// It reaches the server; the answer reaches the client only after this.
    DelayAnswer(Duration),
    /// It never reaches the server; the connection is closed.
    Drop,
    /// It reaches the server; once that has answered, the connection is closed.
    CutAfterSending,
    /// It never reaches the server; this answers it.
    Answer(Answer),
    /// It reaches the server; once that has answered, this answers the client.
    AnswerAfterSending(Answer),
    /// It is never answered. It reaches the server when, and if, the test delivers it.
    Hold,
    /// It reaches the server; half of the answer's body is passed off as the whole.
    Truncate,
    /// It reaches the server, but no more of the answer's body comes through, ever: strikes
    /// watches that are open already, at their next event.
    Silence,
}

/// A made-up answer.
#[derive(Clone, Debug)]
pub struct Answer {
    code: u16,
    retry_after: Option<u64>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Status(Value),
    Raw(Bytes),
}

impl Answer {
    /// An API server's failure, with its reason (`Conflict`) and message.
    pub fn status(code: u16, reason: &str, message: &str) -> Self {
        let body = Body::Status(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "details": {"causes": []}, "code": code,
        }));
        Self {
            code,
            retry_after: None,
            body,
        }
    }

    /// Anything else, such as a load balancer's page or half a JSON text.
    pub fn raw(code: u16, body: impl Into<Bytes>) -> Self {
        Self {
            code,
            retry_after: None,
            body: Body::Raw(body.into()),
        }
    }

    /// Adds a cause to a failure: its reason (`FieldManagerConflict`), field and message.
    pub fn cause(mut self, reason: &str, field: &str, message: &str) -> Self {
        if let Some(causes) = self.details("/causes").and_then(Value::as_array_mut) {
            causes.push(json!({"reason": reason, "field": field, "message": message}));
        }
        self
    }

    /// Tells the client to wait, by the header and in a failure's details.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let Some(details) = self.details("").and_then(Value::as_object_mut) {
            details.insert("retryAfterSeconds".to_owned(), seconds.into());
        }
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn respond(self) -> Response<Full<Bytes>> {
        let (kind, body) = match self.body {
            Body::Status(status) => ("application/json", Bytes::from(status.to_string())),
            Body::Raw(body) => ("text/html", body),
        };
        let mut response = Response::builder()
            .status(self.code)
            .header(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after {
            response = response.header(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let response = response.body(Full::new(body));
        response.expect("the test gives a status code that HTTP knows")
    }

    fn details(&mut self, pointer: &str) -> Option<&mut Value> {
        match &mut self.body {
            Body::Status(status) => status.pointer_mut(&format!("/details{pointer}")),
            Body::Raw(_) => None,
        }
    }
}
