//! A reverse proxy in front of an API server, for clients that speak plain HTTP to it.

mod body;
mod counts;
mod fault;
mod handle;
mod line;
mod requests;
mod rules;

use std::sync::{Arc, Mutex, PoisonError};

use stepdown_sandbox::cluster::free_addresses;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use counts::Counts;
pub use fault::{Answer, Fault};
pub use requests::{Kind, Names, Requests, Verb};
pub use rules::{Delivered, Injected};

use self::handle::{Handler, Server};
use self::line::{Line, LineIs};
use self::rules::Rules;
use super::{Access, ApiServer, LIMIT};

/// Passes requests on, counts them, and makes trouble when told to. Dropping it closes every
/// connection.
#[derive(Debug)]
pub struct FaultProxy {
    url: String,
    handler: Arc<Handler>,
    line: watch::Sender<Line>,
    listens: watch::Receiver<bool>,
    serving: AbortHandle,
}

impl FaultProxy {
    /// Starts one on loopback, for ConfigMaps with the names that coordinators use by default.
    pub async fn start(server: &ApiServer) -> Self {
        Self::start_for(server, Names::default()).await
    }

    /// Starts one for ConfigMaps with these names.
    pub(crate) async fn start_for(server: &ApiServer, names: Names) -> Self {
        let nobody = Access {
            token: None,
            ..server.admin_access().clone()
        };
        let handler = Arc::new(Handler {
            server: Server(nobody.client().await),
            names,
            rules: Arc::default(),
            counts: Mutex::default(),
        });
        let (line, seen) = watch::channel(Line::default());
        let (listening, listens) = watch::channel(false);
        // The port is to stay free while connections are refused.
        let addresses = free_addresses(1).expect("there is a free port");
        let address = *addresses.first().expect("as many as were asked for");
        let serving = line::serve(address, Arc::clone(&handler), seen, listening);
        let proxy = Self {
            url: format!("http://{address}"),
            handler,
            line,
            listens,
            serving: tokio::spawn(serving).abort_handle(),
        };
        proxy.listening(true).await;
        proxy
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has a fault strike the next so many of these requests. Of several faults, the oldest
    /// strikes.
    pub fn strike_next(&self, times: u64, requests: Requests, fault: Fault) -> Injected {
        self.rules().inject(requests, Some(times), fault)
    }

    /// Has a fault strike all of these requests until [`FaultProxy::clear`].
    pub fn strike_all(&self, requests: Requests, fault: Fault) -> Injected {
        self.rules().inject(requests, None, fault)
    }

    /// Closes every connection that is open now, watches too.
    pub fn hang_up(&self) {
        self.change(None);
    }

    /// From now on connections stay open and new ones are taken, but nothing is forwarded and
    /// nothing answered.
    pub fn deaf(&self) {
        self.line.send_modify(|line| line.is = LineIs::Deaf);
    }

    /// Closes every connection, and refuses new ones.
    pub async fn refuse(&self) {
        self.change(Some(LineIs::Closed));
        self.listening(false).await;
    }

    /// Ends all faults. Requests that came to deaf ears are lost, with their connections; what
    /// is held stays held, and what has fallen silent stays silent.
    pub async fn clear(&self) {
        self.rules().clear();
        if self.line.borrow().is != LineIs::Open {
            self.change(Some(LineIs::Open));
        }
        self.listening(true).await;
    }

    /// How many requests have come.
    pub fn counts(&self) -> Counts {
        let counts = self.handler.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn rules(&self) -> &Rules {
        &self.handler.rules
    }

    fn change(&self, is: Option<LineIs>) {
        self.line.send_modify(|line| {
            line.generation += 1;
            line.is = is.unwrap_or(line.is);
        });
    }

    async fn listening(&self, wanted: bool) {
        let mut listens = self.listens.clone();
        let settled = listens.wait_for(|&listens| listens == wanted);
        let settled = timeout(LIMIT, settled).await;
        settled
            .expect("the proxy's port is its own")
            .expect("the proxy serves until it is dropped");
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
