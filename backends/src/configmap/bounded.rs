//! Answers of the API server, of which no more is read than there can be. What stands between it and us
//! may answer in its place.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use tower::Service;

/// The longest answer, and the longest line of a watch, in bytes. An object has 1.5 MB at most, and grows
/// less than fourfold when it is written as JSON.
const LONGEST: usize = 8 << 20;

/// A client whose answers are bounded.
#[derive(Clone)]
pub(super) struct Bounded<S>(S);

impl<S> Bounded<S> {
    pub(super) fn new(client: S) -> Self {
        Self(client)
    }
}

impl<S, Q, A> Service<Request<Q>> for Bounded<S>
where
    S: Service<Request<Q>, Response = Response<A>>,
    S::Future: Send + 'static,
{
    type Response = Response<Answer<A>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let watches = is_watch(request.uri());
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let by_line = watches && answer.status().is_success();
            Ok(answer.map(|body| Answer {
                body,
                by_line,
                length: 0,
            }))
        })
    }
}

fn is_watch(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|pair| pair == "watch=true")
}

/// The body of an answer.
pub(super) struct Answer<B> {
    body: B,
    /// It is a watch, which goes on, line by line.
    by_line: bool,
    /// Of all of it, or of the last line, as far as it has come.
    length: usize,
}

/// It is no answer of an API server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is longer than {} MiB", LONGEST >> 20)]
struct TooLong;

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame.map(|it| it.map_err(Into::into)));
        };
        if let Some(data) = frame.data_ref() {
            let end = data.iter().rposition(|byte| *byte == b'\n');
            self.length = match end.filter(|_| self.by_line) {
                Some(end) => data.len() - end,
                None => self.length.saturating_add(data.len()),
            };
        }
        Poll::Ready(Some(if self.length > LONGEST {
            Err(TooLong.into())
        } else {
            Ok(frame)
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, StreamBody};
    use tokio_stream::StreamExt;
    use tower::ServiceExt;
    use tower::util::service_fn;

    use super::*;

    const MIB: usize = 1 << 20;

    /// How much is read, in MiB, of so many pieces of 1 MiB, and whether that is all.
    async fn read(uri: &str, code: u16, pieces: usize, end: u8) -> (usize, bool) {
        let client = service_fn(move |_: Request<()>| async move {
            let mut piece = vec![b' '; MIB];
            piece[MIB / 2] = end;
            let piece = Bytes::from(piece);
            let frames = std::iter::repeat_n(piece, pieces).map(|it| Ok(Frame::data(it)));
            let frames = tokio_stream::iter(frames).map(|it: Result<_, Infallible>| it);
            let answer = Response::builder().status(code);
            Ok::<_, Infallible>(answer.body(StreamBody::new(frames)).unwrap())
        });
        let request = Request::get(uri).body(()).unwrap();
        let answer = Bounded::new(client).oneshot(request).await.unwrap();
        let (mut body, mut read) = (answer.into_body(), 0);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => read += frame.into_data().unwrap().len() / MIB,
                Err(error) => {
                    assert!(error.to_string().contains("longer than 8 MiB"), "{error}");
                    return (read, false);
                }
            }
        }
        (read, true)
    }

    #[tokio::test]
    async fn no_more_is_read_of_an_answer_than_there_can_be() {
        for code in [200, 500] {
            assert_eq!(read("/configmaps/a", code, 8, b'\n').await, (8, true));
            assert_eq!(read("/configmaps/a", code, 99, b'\n').await, (8, false));
        }
        let filtered = "/configmaps?fieldSelector=watch=truely";
        assert_eq!(read(filtered, 200, 99, b'\n').await, (8, false));
    }

    #[tokio::test]
    async fn a_watch_goes_on_for_ever_but_no_line_of_it_does() {
        let watch = "/configmaps?&fieldSelector=x&watch=true";
        assert_eq!(read(watch, 200, 99, b'\n').await, (99, true));
        assert_eq!(read(watch, 200, 99, b' ').await, (8, false));
        // What is refused is no watch.
        assert_eq!(read(watch, 403, 99, b'\n').await, (8, false));
    }
}
