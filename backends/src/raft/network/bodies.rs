//! What has come of requests that are not there as a whole yet, and how long that may take.
//!
//! A request is handed on only once all of it is there. Until then it is kept, and anybody may send one
//! that never ends. A snapshot is kept as well until it was taken over, but has no deadline here.
//!
//! Where there is no room for more, that of whoever has most is given up, if it is somebody else: so one
//! who fills all of it gives way to others. And where nobody else has more, what is larger of the same
//! address gives way to what is smaller: several may share one.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, Request};
use http_body::{Frame, SizeHint};
use stepdown_wire::port::{Peer, network};
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

use super::budget::{Budget, Full, Share};
use super::messages::Messages;
use super::pace::takes;
use super::service::LARGEST_MESSAGE;
use super::snapshot::LARGEST_PART;

/// How long a request may take to come, and longer by what has come of it.
const WITHIN: Duration = Duration::from_secs(30);
/// So much of all requests together is kept, in bytes: one of the largest, and half as much again. A
/// node has 256 MiB where the manifests run it, for its documents as well.
const MOST: usize = LARGEST_MESSAGE / 2 * 3;
/// So much of a request does not count, in bytes: votes and signs of life go through, whoever fills the
/// rest.
const FREE: usize = 4 << 10;
/// The largest request in bytes that is neither of these.
const LITTLE: usize = 64 << 10;
/// Its parts are taken in as they come. How long each may take is known where they are.
const STREAMED: &str = "/InstallSnapshot";
const APPENDING: &str = "/Append";
/// They carry a document.
const IMPORTS: [&str; 2] = ["/ImportStatus", "/ImportConfiguration"];

/// The requests of one port. Clones are one.
#[derive(Clone)]
pub(super) struct Bodies {
    budget: Budget,
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
            budget: Budget::new(most),
            within,
        }
    }

    /// The same request, which fails where it takes too long, or there is no room for more of it.
    pub(super) fn bound(&self, request: Request<Body>) -> Request<Body> {
        self.bound_of(address_of(request.extensions()), request)
    }

    fn bound_of(&self, from: IpAddr, request: Request<Body>) -> Request<Body> {
        let path = request.uri().path();
        let coming = match path.ends_with(STREAMED) {
            true => Coming::Parts,
            false => Coming::Whole(Box::pin(sleep(self.within))),
        };
        let messages = messages_of(path);
        request.map(|body| {
            Body::new(Bounded {
                body,
                share: self.budget.share(from),
                free: FREE,
                coming,
                messages,
            })
        })
    }
}

/// Whom a request is from, as far as its address tells.
pub(super) fn address_of(extensions: &Extensions) -> IpAddr {
    let from = extensions.get::<Peer>().and_then(|peer| peer.remote);
    from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| network(it.ip()))
}

/// What may come on this path.
fn messages_of(path: &str) -> Messages {
    if path.ends_with(STREAMED) {
        Messages::new(LARGEST_PART)
    } else if path.ends_with(APPENDING) {
        Messages::appending(LARGEST_MESSAGE)
    } else if IMPORTS.iter().any(|it| path.ends_with(it)) {
        Messages::new(LARGEST_MESSAGE)
    } else {
        Messages::new(LITTLE)
    }
}

struct Bounded {
    body: Body,
    /// What is kept of it counts until it was taken over as a whole.
    share: Share,
    free: usize,
    coming: Coming,
    messages: Messages,
}

enum Coming {
    /// Until when.
    Whole(Pin<Box<Sleep>>),
    Parts,
}

impl Bounded {
    fn take(&mut self, data: &[u8]) -> Result<(), Status> {
        if let Coming::Whole(late) = &mut self.coming {
            let later = late.deadline() + takes(data.len());
            late.as_mut().reset(later);
        }
        let mut rest = data;
        while !rest.is_empty() {
            let taken = self.messages.take(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.hold(data.len())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Status> {
        let counts = bytes.saturating_sub(self.free);
        self.free = self.free.saturating_sub(bytes);
        if counts == 0 {
            return Ok(());
        }
        self.share.add(counts).map_err(Status::from)
    }
}

impl From<Full> for Status {
    fn from(full: Full) -> Self {
        Self::resource_exhausted(full.to_string())
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
        if let Coming::Whole(late) = &mut this.coming
            && late.as_mut().poll(context).is_ready()
        {
            let late = "the request comes too slowly, or not at all";
            return Poll::Ready(Some(Err(Status::deadline_exceeded(late))));
        }
        if let Err(full) = this.share.poll_kept(context) {
            return Poll::Ready(Some(Err(full.into())));
        }
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(refused) = this.take(data)
        {
            return Poll::Ready(Some(Err(refused)));
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

    use super::super::messages::HEAD;
    use super::super::pace::SLOWEST;
    use super::*;

    const PATH: &str = "/stepdown.raft.v1.Admin/ImportStatus";
    const APPEND: &str = "/stepdown.raft.v1.Raft/Append";
    const VOTE: &str = "/stepdown.raft.v1.Raft/Vote";
    const PARTS: &str = "/stepdown.raft.v1.Raft/InstallSnapshot";

    fn bound(bodies: &Bodies, path: &str, body: Body) -> Body {
        bound_from(bodies, "10.0.0.1", path, body)
    }

    fn bound_from(bodies: &Bodies, address: &str, path: &str, body: Body) -> Body {
        let request = Request::builder().uri(path).body(body).unwrap();
        bodies
            .bound_of(address.parse().unwrap(), request)
            .into_body()
    }

    /// One of so many bytes, its head among them.
    fn message(count: usize) -> Vec<u8> {
        part(count - HEAD, count - HEAD)
    }

    fn bytes(count: usize) -> Body {
        Body::new(Full::new(Bytes::from(message(count))))
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
        let mut parts = bound(&bodies, PARTS, silent());
        let waits = tokio::time::timeout(2 * WITHIN, next(&mut parts)).await;
        assert!(waits.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_request_has_the_longer_the_more_of_it_has_come() {
        let bodies = Bodies::new(MOST, WITHIN);
        let frames = |every: Duration| {
            let whole = Bytes::from(message(100 * SLOWEST));
            let frames = tokio_stream::iter(0..100).then(move |at| {
                let frame = whole.slice(at * SLOWEST..(at + 1) * SLOWEST);
                async move {
                    sleep(every).await;
                    Ok::<_, Status>(Frame::data(frame))
                }
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

    /// Some bytes, and no end.
    fn unfinished(count: usize) -> Body {
        let frame = Frame::data(Bytes::from(message(count)));
        let frames = tokio_stream::iter([Ok::<_, Status>(frame)]).chain(tokio_stream::pending());
        Body::new(StreamBody::new(frames))
    }

    #[tokio::test]
    async fn whoever_fills_all_room_gives_it_up_to_others_and_not_the_other_way_round() {
        let bodies = Bodies::new(1_000, WITHIN);
        let of = |address, count| bound_from(&bodies, address, PATH, unfinished(FREE + count));
        let mut larger = of("10.0.0.9", 600);
        let mut smaller = of("10.0.0.9", 400);
        assert_eq!(next(&mut larger).await, Ok(FREE + 600));
        assert_eq!(next(&mut smaller).await, Ok(FREE + 400));
        assert_eq!(
            next(&mut of("10.0.0.9", 600)).await,
            Err(Code::ResourceExhausted)
        );
        let given_up = tokio::spawn(async move { next(&mut larger).await });
        tokio::task::yield_now().await;
        let mut peer = of("10.0.0.1", 300);
        assert_eq!(next(&mut peer).await, Ok(FREE + 300));
        assert_eq!(given_up.await.unwrap(), Err(Code::ResourceExhausted));
        let mut again = of("10.0.0.9", 400);
        assert_eq!(next(&mut again).await, Err(Code::ResourceExhausted));
        let mut second = of("10.0.0.2", 350);
        assert_eq!(next(&mut second).await, Ok(FREE + 350));
        assert_eq!(next(&mut smaller).await, Err(Code::ResourceExhausted));
        drop(peer);
        assert_eq!(next(&mut of("10.0.0.9", 600)).await, Ok(FREE + 600));
    }

    /// Of so many bytes, of which some are there.
    fn part(length: usize, there: usize) -> Vec<u8> {
        let mut part = vec![0];
        part.extend(u32::try_from(length).unwrap().to_be_bytes());
        part.extend(vec![7; there]);
        part
    }

    /// In frames that end wherever they do.
    fn frames(content: &[u8], of: usize) -> Body {
        let frames: Vec<_> = content.chunks(of).map(Bytes::copy_from_slice).collect();
        let frames = frames
            .into_iter()
            .map(|it| Ok::<_, Status>(Frame::data(it)));
        Body::new(StreamBody::new(tokio_stream::iter(frames)))
    }

    #[tokio::test]
    async fn what_is_too_large_for_its_kind_is_refused_by_its_head_alone() {
        let bodies = Bodies::new(MOST, WITHIN);
        for (path, most) in [
            (PARTS, LARGEST_PART),
            (APPEND, LARGEST_MESSAGE),
            (PATH, LARGEST_MESSAGE),
            (VOTE, LITTLE),
            ("/stepdown.raft.v1.Raft/Greet", LITTLE),
        ] {
            for (length, last) in [(most, Ok(1)), (most + 1, Err(Code::OutOfRange))] {
                let mut body = bound(&bodies, path, frames(&part(length, 0), 1));
                for _ in 1..HEAD {
                    assert_eq!(next(&mut body).await, Ok(1));
                }
                assert_eq!(next(&mut body).await, last, "{path}");
            }
        }
    }

    #[tokio::test]
    async fn a_request_of_more_entries_than_any_leader_sends_is_refused_as_it_comes() {
        let bodies = Bodies::new(MOST, WITHIN);
        let entry = [0x22, 4, 0x0a, 0, 0x12, 0];
        let content = entry.repeat(10_000);
        let mut request = part(content.len(), 0);
        request.extend(content);
        let mut body = bound(&bodies, APPEND, frames(&request, 1_000));
        let mut heard = 0;
        let refused = loop {
            match next(&mut body).await {
                Ok(_) => heard += 1,
                Err(code) => break code,
            }
        };
        assert_eq!((refused, heard < 10), (Code::OutOfRange, true));
    }

    #[tokio::test]
    async fn parts_of_a_snapshot_count_until_it_was_taken_over() {
        let bodies = Bodies::new(3 * LARGEST_PART, WITHIN);
        let whole = part(LARGEST_PART, LARGEST_PART);
        let many = [&whole[..], &part(0, 0), &whole, &part(3, 3)].concat();
        for of in [1_000, 16_384, many.len()] {
            let mut body = bound(&bodies, PARTS, frames(&many, of));
            let mut heard = 0;
            while heard < many.len() {
                heard += next(&mut body).await.unwrap();
            }
        }
        let two = [&whole[..], &whole].concat();
        let mut first = bound(&bodies, PARTS, frames(&two, two.len()));
        assert_eq!(next(&mut first).await, Ok(two.len()));
        let mut second = bound(&bodies, PARTS, frames(&two, two.len()));
        assert_eq!(next(&mut second).await, Err(Code::ResourceExhausted));
        drop(first);
        let mut third = bound(&bodies, PARTS, frames(&two, two.len()));
        assert_eq!(next(&mut third).await, Ok(two.len()));
    }
}
