//! Answers that take much of a node's memory until they are read: a whole document each.
//!
//! Whoever asks need not read. So only a few are there at once, one of each address, and each no longer
//! than reading it may take. A question counts once all of it is there: it need not come, either.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::backlog::{Backlog, Place};
use super::bodies::address_of;
use super::pace::takes;

/// The call that is answered with documents.
const LARGE: &str = "/Export";
/// So many such answers are there at once.
const MOST: usize = 2;
/// So many of one address.
const MOST_OF_ONE: usize = 1;
/// How long one may take to be read, and longer by what was read of it.
const WITHIN: Duration = Duration::from_secs(30);
/// It is handed on in parts of so many bytes: what was handed on is out of reach.
const PART: usize = 64 << 10;

/// The answers of one port. Clones are one.
#[derive(Clone)]
pub(super) struct Answers {
    backlog: Arc<Backlog>,
    within: Duration,
}

/// Calls, of which those with large answers are bounded.
#[derive(Clone)]
pub(super) struct Answering<S> {
    calls: S,
    answers: Answers,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            backlog: Arc::new(Backlog::new(MOST, MOST_OF_ONE)),
            within: WITHIN,
        }
    }
}

impl<S> Layer<S> for Answers {
    type Service = Answering<S>;

    fn layer(&self, calls: S) -> Answering<S> {
        Answering {
            calls,
            answers: self.clone(),
        }
    }
}

impl<S> Service<Request<Body>> for Answering<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.calls.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !request.uri().path().ends_with(LARGE) {
            return Box::pin(self.calls.call(request));
        }
        // The one that is ready is called, and the other one takes its place.
        let other = self.calls.clone();
        let calls = std::mem::replace(&mut self.calls, other);
        Box::pin(self.answers.clone().answer(calls, request))
    }
}

impl Answers {
    async fn answer<S>(
        self,
        mut calls: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let (head, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => Body::new(body.map_err(|never| match never {})),
            Err(status) => return Ok(status.into_http()),
        };
        let Some(place) = self.backlog.place(address_of(&head.extensions)) else {
            let full = "others are being answered this: ask again once they have read it";
            return Ok(Status::resource_exhausted(full).into_http());
        };
        let answer = calls.call(Request::from_parts(head, body)).await?;
        Ok(answer.map(|body| Body::new(Leaving::new(body, place, self.within))))
    }
}

/// An answer, until it was read, or has taken too long.
struct Leaving {
    left: Arc<Mutex<Option<Left>>>,
    _clock: AbortOnDropHandle<()>,
}

/// What is left of it.
struct Left {
    body: Body,
    data: Bytes,
    until: Instant,
    _place: Place,
}

impl Leaving {
    fn new(body: Body, place: Place, within: Duration) -> Self {
        let left = Left {
            body,
            data: Bytes::new(),
            until: Instant::now() + within,
            _place: place,
        };
        let left = Arc::new(Mutex::new(Some(left)));
        // Nobody asks for more of it while nobody reads.
        let clock = tokio::spawn(give_up(Arc::downgrade(&left)));
        Self {
            left,
            _clock: AbortOnDropHandle::new(clock),
        }
    }

    fn left(&self) -> MutexGuard<'_, Option<Left>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives it up once it has taken too long.
async fn give_up(left: Weak<Mutex<Option<Left>>>) {
    let mut until = Instant::now();
    loop {
        sleep_until(until).await;
        let Some(left) = left.upgrade() else {
            return;
        };
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        match &*left {
            Some(present) if present.until > Instant::now() => until = present.until,
            Some(_) | None => {
                *left = None;
                return;
            }
        }
    }
}

impl Left {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.data.is_empty() {
            let frame = ready!(http_body::Body::poll_frame(
                Pin::new(&mut self.body),
                context
            ));
            match frame.map(|it| it.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.data = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let part = self.data.split_to(self.data.len().min(PART));
        self.until += takes(part.len());
        // A part that is not copied keeps all of it.
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&part)))))
    }
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match &mut *self.left() {
            Some(left) => left.poll_frame(context),
            None => {
                let late = "the answer was read too slowly, or not at all";
                Poll::Ready(Some(Err(Status::deadline_exceeded(late))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let left = self.left();
        left.as_ref()
            .is_some_and(|left| left.data.is_empty() && left.body.is_end_stream())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::ready;

    use futures_util::FutureExt;
    use http_body_util::{Full, StreamBody};
    use tokio::time::sleep;
    use tonic::Code;
    use tower::service_fn;

    use super::*;

    const EXPORT: &str = "/stepdown.raft.v1.Admin/Export";
    const LENGTH: usize = 3 * PART + 7;

    /// The answers of one port, each with a clone of this in it.
    fn port(in_it: &Arc<()>) -> impl Fn(&str) -> Option<Body> {
        let ask = asked(in_it);
        move |path| ask(path, Body::empty()).now_or_never().unwrap()
    }

    type Asked = Pin<Box<dyn Future<Output = Option<Body>>>>;

    /// The same, of questions that come as they do.
    fn asked(in_it: &Arc<()>) -> impl Fn(&str, Body) -> Asked {
        let answers = Answers::default();
        let in_it = in_it.clone();
        move |path, question| {
            let in_it = in_it.clone();
            let answered = service_fn(move |_: Request<Body>| {
                let data = Bytes::from_owner(Kept(vec![7; LENGTH], in_it.clone()));
                ready(Ok::<_, Infallible>(Response::new(Body::new(Full::new(
                    data,
                )))))
            });
            let request = Request::builder().uri(path).body(question).unwrap();
            let called = answers.layer(answered).call(request);
            Box::pin(async move {
                let answer = called.await.unwrap();
                match Status::from_header_map(answer.headers()) {
                    Some(status) => {
                        assert_eq!(status.code(), Code::ResourceExhausted);
                        None
                    }
                    None => Some(answer.into_body()),
                }
            })
        }
    }

    struct Kept(Vec<u8>, #[expect(dead_code, reason = "counted")] Arc<()>);

    impl AsRef<[u8]> for Kept {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[tokio::test]
    async fn an_answer_with_documents_comes_whole_and_counts_until_it_was_read() {
        let in_it = Arc::new(());
        let ask = port(&in_it);
        let mut first = ask(EXPORT).unwrap();
        assert!(ask(EXPORT).is_none());
        assert!(ask("/stepdown.raft.v1.Admin/Status").is_some());
        let part = first.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(part.len(), PART);
        let rest = first.collect().await.unwrap().to_bytes();
        assert_eq!(part.len() + rest.len(), LENGTH);
        assert!(ask(EXPORT).is_some());
    }

    // Time is not waited for: it passes when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_read_is_given_up_though_nobody_asks_for_more_of_it() {
        let in_it = Arc::new(());
        let ask = port(&in_it);
        let mut unread = ask(EXPORT).unwrap();
        unread.frame().await.unwrap().unwrap();
        let is_kept = || Arc::strong_count(&in_it) > 2;
        sleep(WITHIN).await;
        assert!(is_kept() && ask(EXPORT).is_none());
        sleep(Duration::from_secs(1)).await;
        assert!(!is_kept());
        let error = unread.frame().await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
        assert!(ask(EXPORT).is_some());
    }

    #[tokio::test]
    async fn a_question_that_does_not_come_takes_nobody_s_place() {
        let in_it = Arc::new(());
        let ask = asked(&in_it);
        let never = tokio_stream::pending::<Result<Frame<Bytes>, Status>>();
        let mut waits = ask(EXPORT, Body::new(StreamBody::new(never)));
        assert!((&mut waits).now_or_never().is_none());
        let answered = ask(EXPORT, Body::empty()).now_or_never().unwrap();
        assert!(answered.is_some());
        let second = ask(EXPORT, Body::empty()).now_or_never().unwrap();
        assert!(second.is_none());
    }
}
