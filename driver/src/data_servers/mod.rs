//! The client side towards data servers.
//!
//! # Connections
//! One HTTP/2 connection per internal address, opened by the first call and shared by all. A call
//! to a server that can't be reached fails as soon as the dial does, with everybody else who waits
//! for that dial; the next call dials again, so a server that came back is never hidden by a
//! back-off of ours. Idle connections are pinged.
//!
//! # How many calls at once
//! A server works on at most 256 ordinary calls of ours at once; more wait their turn. Calls that
//! may wait for other servers, `BecomeLeader` and `AddFollower`, have an allowance of their own
//! (1,024), so that those that hang keep no `NewTerm` out. A call waits at most 30 s for its turn,
//! then 30 s for its answer. Health checks and streams wait for no turn.
//!
//! # What is believed
//! Answers are small, and are not taken for true where they can't be: see `plausible`. A server that says
//! again and again that it serves, and that it does not, is believed later and later.
//!
//! # Dropping
//! Every future and stream here may be dropped at any time: that resets the HTTP/2 stream. The
//! server may have acted all the same.

mod address;
mod convert;
mod damped;
mod details;
mod dial;
mod dial_error;
mod failure;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod limits;
mod link;
mod options;
mod plausible;
mod server;
mod system_tls;
mod tcp;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use stepdown_core::assign::ShardAssignments;
use stepdown_core::call::{Answer, Call, CallError};
use stepdown_core::cluster::DataServerIdentity;
use tokio::sync::watch as latest;
use tokio_stream::Stream;
use tracing::warn;

pub use self::options::CallOptions;

use self::address::Address;
use self::damped::damped;
use self::dial::Dialer;
use self::link::Link;
use self::server::{Failure, Server};
use crate::gate::Gate;

/// Every data server that was called, and its connection. Clones share them. Dropping the last one,
/// with its calls, closes the connections.
#[derive(Clone)]
pub struct DataServers {
    inner: Arc<Inner>,
    gate: Option<Gate>,
}

struct Inner {
    options: CallOptions,
    dialer: Arc<Dialer>,
    instance_id: Arc<str>,
    header: HeaderValue,
    servers: Mutex<HashMap<Arc<str>, Arc<Server>>>,
}

/// A cluster's id that can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "instanceId {0:?} of the status document can't be a header: it must be printable, not empty"
)]
pub struct InvalidInstanceId(Arc<str>);

impl DataServers {
    /// Calls data servers in the name of the cluster `instance_id`. Connects to none yet.
    pub fn new(options: CallOptions, instance_id: Arc<str>) -> Result<Self, InvalidInstanceId> {
        let header = HeaderValue::from_str(&instance_id)
            .ok()
            .filter(|header| !header.is_empty())
            .ok_or_else(|| InvalidInstanceId(Arc::clone(&instance_id)))?;
        let dialer = Arc::new(Dialer::new(options.tls.clone(), options.dial_deadline));
        let inner = Arc::new(Inner {
            options,
            dialer,
            instance_id,
            header,
            servers: Mutex::default(),
        });
        Ok(Self { inner, gate: None })
    }

    /// The same data servers and connections, but calls are not sent once the gate is closed, even
    /// if they have waited for their turn, or for a connection, until then.
    pub(crate) fn within(&self, gate: Gate) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            gate: Some(gate),
        }
    }

    /// Asks a data server, at its internal address.
    pub async fn call(&self, server: &DataServerIdentity, call: Call) -> Result<Answer, CallError> {
        let asked = self.server(&server.internal)?;
        let (instance_id, gate) = (&self.inner.instance_id, self.gate.as_ref());
        let answer = asked.call(call, instance_id, gate).await;
        if let Err(Failure::Nonsense(error)) = &answer {
            self.heard_nonsense(server, error);
        }
        answer.map_err(Failure::into_error)
    }

    fn heard_nonsense(&self, server: &DataServerIdentity, error: &CallError) {
        let id = server.id();
        if let Some(nonsense) = &self.inner.options.nonsense {
            nonsense.heard(&id);
        }
        warn!(
            component = "data-server-controller",
            data_server = &*id.0,
            error = error.message.as_str(),
            "A data server gave an answer that can't be"
        );
    }

    /// Sends the latest assignments, and again whenever they change, until the stream ends or every
    /// sender is gone. Assignments that are superseded before the server takes them are never sent.
    pub async fn push(
        &self,
        server: &DataServerIdentity,
        assignments: latest::Receiver<Arc<ShardAssignments>>,
    ) -> CallError {
        match self.server(&server.internal) {
            Ok(server) => server.push(assignments).await,
            Err(error) => error,
        }
    }

    /// Watches whether the server says that it is serving. The last item is an error: why the watch
    /// ended.
    pub fn watch_health(
        &self,
        server: &DataServerIdentity,
    ) -> impl Stream<Item = Result<bool, CallError>> + Send + Unpin + use<> {
        damped(watch::health(self.server(&server.internal)))
    }

    /// Forgets an internal address. Its connection closes when the last call on it has ended; a
    /// later call opens a new one.
    pub(crate) fn forget(&self, address: &str) {
        self.servers().remove(address);
    }

    fn server(&self, internal: &Arc<str>) -> Result<Arc<Server>, CallError> {
        let mut servers = self.servers();
        if let Some(server) = servers.get(internal) {
            return Ok(Arc::clone(server));
        }
        let Inner {
            options,
            dialer,
            header,
            ..
        } = &*self.inner;
        let address = Address::parse(internal, dialer.always_encrypts())?;
        let origin = address.origin.clone();
        let link = Link::new(Arc::clone(dialer), address, header.clone());
        let server = Arc::new(Server::new(link, origin, options));
        servers.insert(Arc::clone(internal), Arc::clone(&server));
        Ok(server)
    }

    fn servers(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, Arc<Server>>> {
        let servers = &self.inner.servers;
        servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
