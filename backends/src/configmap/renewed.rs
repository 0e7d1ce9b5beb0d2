//! A client that is made anew, from files as they are then, once the API server does not know its
//! credentials any more, or it does not know the API server's authority: tokens and authorities are
//! replaced while a coordinator runs.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use kube::{Client, Config};
use tokio::time::Instant;
use tower::{BoxError, Service};

use super::error::ConfigMapError;
use super::stack::stack;

/// How soon it is made anew once more, where that did not help; and how late at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Where a configuration comes from.
pub(super) type Find = dyn Fn() -> BoxFuture<'static, Result<Config, ConfigMapError>> + Send + Sync;

/// The present client; clones are one.
#[derive(Clone)]
pub(super) struct Renewed {
    find: Arc<Find>,
    state: Arc<Mutex<State>>,
}

struct State {
    client: Client,
    server: http::Uri,
    /// When it may be made anew, and how long after that again.
    renewed_from: Instant,
    wait: Duration,
}

impl Renewed {
    /// With a client of this configuration, which was found there.
    pub(super) fn new(config: Config, find: Arc<Find>) -> Result<Self, ConfigMapError> {
        let server = config.cluster_url.clone();
        let state = State {
            client: stack(config)?,
            server,
            renewed_from: Instant::now(),
            wait: AGAIN.0,
        };
        Ok(Self {
            find,
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// Looks whether an answer asks for a new client.
    fn hear(&self, answer: &Result<Response<Body>, kube::Error>) {
        let is_due = match answer {
            Ok(response) if response.status() == StatusCode::UNAUTHORIZED => true,
            Ok(_) => {
                self.state().wait = AGAIN.0;
                false
            }
            Err(error) => is_distrusted(error),
        };
        let now = Instant::now();
        let mut state = self.state();
        if !is_due || state.renewed_from > now {
            return;
        }
        state.renewed_from = now + state.wait;
        state.wait = (state.wait * 2).min(AGAIN.1);
        drop(state);
        let this = self.clone();
        tokio::spawn(async move {
            if let Err(error) = this.renew().await {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "The credentials for the API server can't be read again; the last ones are used"
                );
            }
        });
    }

    async fn renew(&self) -> Result<(), ConfigMapError> {
        let config = (self.find)().await?;
        let (known, found) = (self.state().server.clone(), config.cluster_url.clone());
        if found != known {
            // The files may have been turned to another cluster, for somebody else.
            return Err(ConfigMapError::AnotherServer {
                known: known.to_string(),
                found: found.to_string(),
            });
        }
        let runtime = tokio::runtime::Handle::current();
        // A program may have to be run for credentials.
        let made = tokio::task::spawn_blocking(move || {
            let _guard = runtime.enter();
            stack(config)
        });
        if let Ok(client) = made.await {
            self.state().client = client?;
            tracing::info!("Read the credentials for the API server again");
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<Request<Body>> for Renewed {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        let client = this.state().client.clone();
        Box::pin(async move {
            let answer = client.send(request).await;
            this.hear(&answer);
            Ok(answer?)
        })
    }
}

/// Whether there is no connection since one side's certificate is not trusted.
fn is_distrusted(error: &kube::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|it| it.is::<rustls::Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::clients::Clients;
    use super::super::fake::{FakeServer, Reply};
    use super::super::object_name::ObjectName;
    use super::super::request::ask;
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::GetParams;
    use kube::config::AuthInfo;

    fn with_token(server: &FakeServer, token: &str) -> Config {
        let mut config = server.config();
        config.auth_info = AuthInfo {
            token: Some(token.to_owned().into()),
            ..AuthInfo::default()
        };
        config
    }

    async fn is_answered(client: &Client) -> bool {
        let place = ObjectName {
            namespace: "ns".to_owned(),
            name: "status".to_owned(),
        };
        let request = place.requests::<ConfigMap>();
        let request = request.get(&place.name, &GetParams::default());
        ask(client, request).await.is_ok()
    }

    async fn server() -> FakeServer {
        let server = FakeServer::new(|request| {
            match request.headers.get("authorization").map(String::as_str) {
                Some("Bearer new") => Reply::json(200, &serde_json::json!({})),
                _ => Reply::status(401, "Unauthorized", "who are you?"),
            }
        });
        server.await
    }

    #[tokio::test]
    async fn a_token_that_is_not_known_any_more_is_read_again() {
        let server = server().await;
        let (found, finds) = (with_token(&server, "new"), Arc::new(AtomicUsize::new(0)));
        let count = finds.clone();
        let find = move || -> BoxFuture<'static, Result<Config, ConfigMapError>> {
            count.fetch_add(1, Ordering::SeqCst);
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        };
        let old = with_token(&server, "old");
        let clients = Clients::renewing(&old, Arc::new(find)).unwrap();
        assert!(!is_answered(&clients.store).await);
        while !is_answered(&clients.store).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(is_answered(&clients.store).await);
        assert_eq!(finds.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn another_cluster_is_not_gone_over_to() {
        let (server, other) = (server().await, server().await);
        let found = with_token(&other, "new");
        let find = move || -> BoxFuture<'static, Result<Config, ConfigMapError>> {
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        };
        let renewed = Renewed::new(with_token(&server, "old"), Arc::new(find)).unwrap();
        let refused = renewed.renew().await;
        assert!(matches!(refused, Err(ConfigMapError::AnotherServer { .. })));
    }
}
