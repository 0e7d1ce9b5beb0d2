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

/// A service of which no more is asked at once, of it and those that it shares its room with.
#[derive(Clone)]
pub(super) struct Bounded<S> {
    inner: S,
    places: Arc<Semaphore>,
}

/// Room for the calls of all services that share it.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CALLS))
}

impl<S> Bounded<S> {
    pub(super) fn new(inner: S, places: Arc<Semaphore>) -> Self {
        Self { inner, places }
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
    async fn a_call_counts_until_its_answer_is_gone_whichever_service_gives_it() {
        let places = places();
        let service = || {
            let answer = |_: Request<Body>| async {
                Ok::<_, Infallible>(Response::new(Body::new("answer".to_owned())))
            };
            Bounded::new(service_fn(answer), places.clone())
        };
        let (mut one, mut other) = (service(), service());
        let mut answers = Vec::new();
        for number in 0..CALLS {
            let service = if number % 2 == 0 {
                &mut one
            } else {
                &mut other
            };
            answers.push(service.call(Request::new(Body::empty())).await.unwrap());
        }
        let refused = one.call(Request::new(Body::empty())).await.unwrap();
        let status = Status::from_header_map(refused.headers()).unwrap();
        assert_eq!(status.code(), Code::ResourceExhausted);
        answers.pop();
        let answered = one.call(Request::new(Body::empty())).await.unwrap();
        assert!(Status::from_header_map(answered.headers()).is_none());
    }
}
