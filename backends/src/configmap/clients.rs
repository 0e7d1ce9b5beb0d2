//! The ways to the API server. Leadership, the document and watches have connections of their own,
//! so that none waits for another.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use kube::{Client, Config};

use super::error::ConfigMapError;
use super::find::find;
use super::plaintext::warn_of_plaintext;
use super::renewed::{Find, Renewed};
use super::stack::stack;

/// Clients of one API server.
#[derive(Clone)]
pub struct Clients {
    /// For the Lease.
    pub(crate) lease: Client,
    /// For the status document.
    pub(crate) store: Client,
    /// For watches, and what is read beside them.
    pub(crate) watch: Client,
}

impl Clients {
    /// Clients of the API server that the surroundings name. What it knows them by is read again when it
    /// does not know them any more.
    pub(crate) async fn infer() -> Result<Self, ConfigMapError> {
        let again = || -> BoxFuture<'static, Result<Config, ConfigMapError>> { Box::pin(find()) };
        Self::renewing(&find().await?, Arc::new(again))
    }

    /// The same, with a configuration that was found there.
    pub(super) fn renewing(config: &Config, find: Arc<Find>) -> Result<Self, ConfigMapError> {
        warn_of_plaintext(config);
        Self::each(|| {
            let namespace = config.default_namespace.clone();
            let renewed = Renewed::new(config.clone(), find.clone())?;
            Ok(Client::new(renewed, namespace))
        })
    }

    /// Clients of the API server that a configuration names; must be called within a runtime.
    /// Tokens in files are read again while they are used.
    pub fn new(config: Config) -> Result<Self, ConfigMapError> {
        warn_of_plaintext(&config);
        Self::each(|| stack(config.clone()))
    }

    fn each(client: impl Fn() -> Result<Client, ConfigMapError>) -> Result<Self, ConfigMapError> {
        Ok(Self {
            lease: client()?,
            store: client()?,
            watch: client()?,
        })
    }
}
