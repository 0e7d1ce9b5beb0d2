//! The admin API on the public port: what is configured and what is so, and changes of the
//! configuration. Only the leader answers; others say who that is.

mod access;
mod bounded;
mod checks;
mod convert;
mod edits;
mod forget;
mod lasting;
mod latest;
mod method;
mod office;
mod operator;
mod plan;
mod refusals;
mod service;
mod supposed;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use stepdown_backends::{ConfigurationStore, Leadership, PublicAddress};
use stepdown_core::ConfigurationText;
use stepdown_core::cluster::ClusterConfiguration;
use stepdown_wire::operator::operator_server::OperatorServer;
use stepdown_wire::v1::oxia_admin_server::OxiaAdminServer;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::service::Routes;

pub(crate) use self::access::{Access, Protection};
use self::bounded::{Bounded, places};
pub(crate) use self::method::Method;
use self::service::Admin;
use crate::audit::Audit;
use crate::configuration::Reading;
use crate::event_loop::{Operator, View};
use crate::observe::metrics::AdminRequests;

/// The largest request, in bytes.
const REQUEST: usize = 1 << 20;

/// What the admin API is made of.
pub(crate) struct Parts {
    /// This coordinator's name.
    pub(crate) name: Arc<str>,
    /// Where people reach it, if that is known.
    pub(crate) public_address: Option<PublicAddress>,
    /// Whether it leads, and what is so.
    pub(crate) view: watch::Receiver<View>,
    /// Who can be asked what is to be moved.
    pub(crate) operator: Operator,
    /// Who leads, and where they are reached, if the configuration does not say so.
    pub(crate) leadership: Arc<dyn Leadership>,
    /// The configuration as it was read.
    pub(crate) read: watch::Receiver<Option<ConfigurationText>>,
    /// The configuration in force.
    pub(crate) in_force: watch::Receiver<Option<Arc<ClusterConfiguration>>>,
    /// All that was read.
    pub(crate) readings: watch::Receiver<Reading>,
    /// Where it is stored.
    pub(crate) store: Arc<dyn ConfigurationStore>,
    /// Who may do what.
    pub(crate) access: Access,
    /// Where changes are written down.
    pub(crate) audit: Audit,
    /// Where they are made.
    pub(crate) runtime: Handle,
    /// What is counted.
    pub(crate) requests: AdminRequests,
}

/// The admin API, for the public port.
pub(crate) fn routes(parts: Parts) -> Routes {
    let admin = Arc::new(Admin::new(parts));
    let server = OxiaAdminServer::from_arc(admin.clone()).max_decoding_message_size(REQUEST);
    let operator = OperatorServer::from_arc(admin).max_decoding_message_size(REQUEST);
    let places = places();
    Routes::new(Bounded::new(server, places.clone())).add_service(Bounded::new(operator, places))
}
