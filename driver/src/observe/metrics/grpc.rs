//! A tower layer that counts calls and their messages, for servers and for channels.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use prometheus::IntCounter;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Bytes, StdError};
use tower::{Layer, Service};

use super::rpc::{Counters, Method};

/// The layer.
#[derive(Clone)]
pub struct CountRpcs {
    counters: Counters,
}

impl CountRpcs {
    pub(super) fn new(counters: Counters) -> Self {
        Self { counters }
    }
}

impl<S> Layer<S> for CountRpcs {
    type Service = RpcCounter<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RpcCounter {
            inner,
            counters: self.counters.clone(),
        }
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub struct RpcCounter<S> {
    inner: S,
    counters: Counters,
}

impl<S, B> Service<Request<Body>> for RpcCounter<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(method) = self.counters.method(request.uri().path()) else {
            let answer = self.inner.call(request);
            return Box::pin(async move { Ok(answer.await?.map(Body::new)) });
        };
        self.counters.started(method);
        let mut end = End::new(self.counters.clone(), method);
        let requests = self.counters.requests(method);
        let responses = self.counters.responses(method);
        let answer = self
            .inner
            .call(request.map(|body| Body::new(Counted::new(body, requests, None))));
        Box::pin(async move {
            let response = match answer.await {
                Ok(response) => response,
                Err(error) => {
                    end.close(Code::Unavailable);
                    return Err(error);
                }
            };
            end.note(response.headers());
            Ok(response.map(|body| Body::new(Counted::new(body, responses, Some(end)))))
        })
    }
}

/// Counts the call as ended when dropped: as cancelled, unless a status was seen before.
struct End {
    counters: Counters,
    method: &'static Method,
    code: Code,
}

impl End {
    fn new(counters: Counters, method: &'static Method) -> Self {
        Self {
            counters,
            method,
            code: Code::Cancelled,
        }
    }

    fn close(mut self, code: Code) {
        self.code = code;
    }

    fn note(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.code = Code::from_bytes(status.as_bytes());
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.counters.handled(self.method, self.code).inc();
    }
}

/// A body whose messages are counted as they pass.
struct Counted<B> {
    body: Pin<Box<B>>,
    frames: FrameCounter,
    messages: IntCounter,
    end: Option<End>,
}

impl<B> Counted<B> {
    fn new(body: B, messages: IntCounter, end: Option<End>) -> Self {
        Self {
            body: Box::pin(body),
            frames: FrameCounter::default(),
            messages,
            end,
        }
    }
}

impl<B: HttpBody<Data = Bytes>> HttpBody for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = self.body.as_mut().poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            if let Some(data) = frame.data_ref() {
                let messages = self.frames.pass(data);
                self.messages.inc_by(messages);
            }
            if let (Some(trailers), Some(end)) = (frame.trailers_ref(), &mut self.end) {
                end.note(trailers);
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Finds the messages in a gRPC stream: a flag, four bytes of length, the message.
#[derive(Default)]
struct FrameCounter {
    header: Vec<u8>,
    rest: u64,
}

impl FrameCounter {
    /// How many messages begin in `data`, with their headers complete.
    fn pass(&mut self, mut data: &[u8]) -> u64 {
        let mut messages = 0;
        while !data.is_empty() {
            if self.rest > 0 {
                let skip = usize::try_from(self.rest).map_or(data.len(), |r| r.min(data.len()));
                self.rest -= skip as u64;
                data = data.get(skip..).unwrap_or_default();
                continue;
            }
            let take = (5 - self.header.len()).min(data.len());
            let (head, tail) = data.split_at(take);
            self.header.extend_from_slice(head);
            data = tail;
            if let [_, length @ ..] = self.header.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.rest = u64::from(u32::from_be_bytes(length));
                self.header.clear();
                messages += 1;
            }
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_stream_is_cut() {
        let stream = [
            &[0, 0, 0, 0, 3, b'a', b'b', b'c'][..],
            &[0, 0, 0, 0, 0],
            &[1, 0, 0, 1, 0],
            &[7; 256],
        ]
        .concat();
        for size in 1..=stream.len() {
            let mut counter = FrameCounter::default();
            let messages: u64 = stream.chunks(size).map(|chunk| counter.pass(chunk)).sum();
            assert_eq!(messages, 3, "in pieces of {size}");
        }
    }
}
