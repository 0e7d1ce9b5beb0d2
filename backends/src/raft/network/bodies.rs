//! What has come of requests that are not there as a whole yet, and how long that may take.
//!
//! A request is handed on only once all of it is there. Until then it is kept, and anybody may send one
//! that never ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

use super::carried::SLOWEST;

/// How long a request may take to come, and longer by what has come of it.
const WITHIN: Duration = Duration::from_secs(30);
/// So much of all requests together is kept, in bytes: a few of the largest.
const MOST: usize = 256 << 20;
/// So much of a request does not count, in bytes: votes and signs of life go through, whoever fills the
/// rest.
const FREE: usize = 4 << 10;
/// Its parts are taken in as they come, by rules of their own.
const STREAMED: &str = "/InstallSnapshot";

/// The requests of one port. Clones are one.
#[derive(Clone)]
pub(super) struct Bodies {
    room: Arc<Semaphore>,
    within: Duration,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new(MOST, WITHIN)
    }
}

impl Bodies {
    fn new(most: usize, within: Duration) -> Self {
        Self {
            room: Arc::new(Semaphore::new(most)),
            within,
        }
    }

    /// The same request, which fails where it takes too long, or there is no room for more of it.
    pub(super) fn bound(&self, request: Request<Body>) -> Request<Body> {
        if request.uri().path().ends_with(STREAMED) {
            return request;
        }
        request.map(|body| {
            Body::new(Bounded {
                body,
                room: self.room.clone(),
                held: None,
                free: FREE,
                late: Box::pin(sleep(self.within)),
            })
        })
    }
}

struct Bounded {
    body: Body,
    room: Arc<Semaphore>,
    /// What is kept of it counts until it is there as a whole.
    held: Option<OwnedSemaphorePermit>,
    free: usize,
    late: Pin<Box<Sleep>>,
}

impl Bounded {
    fn hold(&mut self, bytes: usize) -> Result<(), Status> {
        let counts = bytes.saturating_sub(self.free);
        self.free = self.free.saturating_sub(bytes);
        if counts == 0 {
            return Ok(());
        }
        let full = || Status::resource_exhausted("too much of other requests is on its way");
        let counts = u32::try_from(counts).map_err(|_| full())?;
        let more = self.room.clone().try_acquire_many_owned(counts);
        let more = more.map_err(|_| full())?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        Ok(())
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.late.as_mut().poll(context).is_ready() {
            let late = "the request comes too slowly, or not at all";
            return Poll::Ready(Some(Err(Status::deadline_exceeded(late))));
        }
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            if let Err(full) = this.hold(data.len()) {
                return Poll::Ready(Some(Err(full)));
            }
            let takes = data.len().saturating_mul(1_000) / SLOWEST;
            let takes = Duration::from_millis(u64::try_from(takes).unwrap_or(0));
            let later = this.late.deadline() + takes;
            this.late.as_mut().reset(later);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body::Body as _;
    use http_body_util::{Full, StreamBody};
    use tokio_stream::StreamExt as _;
    use tonic::Code;

    use super::*;

    const PATH: &str = "/stepdown.raft.v1.Raft/Append";

    fn bound(bodies: &Bodies, path: &str, body: Body) -> Body {
        let request = Request::builder().uri(path).body(body).unwrap();
        bodies.bound(request).into_body()
    }

    fn bytes(count: usize) -> Body {
        Body::new(Full::new(Bytes::from(vec![7; count])))
    }

    /// One that never comes.
    fn silent() -> Body {
        let never = tokio_stream::pending::<Result<Frame<Bytes>, Status>>();
        Body::new(StreamBody::new(never))
    }

    async fn next(body: &mut Body) -> Result<usize, Code> {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        let frame = frame.unwrap().map_err(|status| status.code())?;
        Ok(frame.into_data().unwrap().len())
    }

    // Time is not waited for: it passes when nothing else happens.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_come_is_given_up_and_parts_of_a_snapshot_are_not() {
        let bodies = Bodies::new(MOST, WITHIN);
        let mut late = bound(&bodies, PATH, silent());
        assert_eq!(next(&mut late).await, Err(Code::DeadlineExceeded));
        let mut parts = bound(&bodies, "/stepdown.raft.v1.Raft/InstallSnapshot", silent());
        let waits = tokio::time::timeout(2 * WITHIN, next(&mut parts)).await;
        assert!(waits.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_request_has_the_longer_the_more_of_it_has_come() {
        let bodies = Bodies::new(MOST, WITHIN);
        let frames = |every: Duration| {
            let frames = tokio_stream::iter(0..100).then(move |_| async move {
                sleep(every).await;
                Ok::<_, Status>(Frame::data(Bytes::from(vec![7; SLOWEST])))
            });
            bound(&bodies, PATH, Body::new(StreamBody::new(frames)))
        };
        let mut slow = frames(Duration::from_secs(1));
        for _ in 0..100 {
            assert_eq!(next(&mut slow).await, Ok(SLOWEST));
        }
        let mut slower = frames(Duration::from_secs(2));
        let mut heard = 0;
        let ended = loop {
            match next(&mut slower).await {
                Ok(_) => heard += 1,
                Err(code) => break code,
            }
        };
        assert_eq!((ended, heard < 40), (Code::DeadlineExceeded, true));
    }

    #[tokio::test]
    async fn what_has_no_room_is_refused_until_another_is_done_and_little_ones_always_have_some() {
        let bodies = Bodies::new(1_000, WITHIN);
        let large = || bound(&bodies, PATH, bytes(FREE + 600));
        let mut first = large();
        assert_eq!(next(&mut first).await, Ok(FREE + 600));
        assert_eq!(next(&mut large()).await, Err(Code::ResourceExhausted));
        let mut little = bound(&bodies, PATH, bytes(FREE));
        assert_eq!(next(&mut little).await, Ok(FREE));
        drop(first);
        assert_eq!(next(&mut large()).await, Ok(FREE + 600));
    }
}
