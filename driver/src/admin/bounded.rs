//! So many calls at once, until their answers are taken: an answer may be large, and whoever asks for it
//! may take it slowly.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// Calls that are worked on, or whose answers are on their way, of all who ask.
const CALLS: usize = 32;

/// A service of which no more is asked at once.
#[derive(Clone)]
pub(super) struct Bounded<S> {
    inner: S,
    places: Arc<Semaphore>,
}

impl<S> Bounded<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            places: Arc::new(Semaphore::new(CALLS)),
        }
    }
}

impl<S: NamedService> NamedService for Bounded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let told = format!("{CALLS} calls of the admin API are under way; try again");
            return Box::pin(async { Ok(Status::resource_exhausted(told).into_http()) });
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    // It is given back when the answer is gone.
                    let _held = &place;
                    frame
                }))
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tower::service_fn;

    use super::*;

    #[tokio::test]
    async fn a_call_counts_until_its_answer_is_gone() {
        let mut bounded = Bounded::new(service_fn(|_: Request<Body>| async {
            Ok::<_, Infallible>(Response::new(Body::new("answer".to_owned())))
        }));
        let mut ask = async || bounded.call(Request::new(Body::empty())).await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..CALLS {
            answers.push(ask().await);
        }
        let refused = ask().await;
        let status = Status::from_header_map(refused.headers()).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        answers.pop();
        assert!(Status::from_header_map(ask().await.headers()).is_none());
    }
}
