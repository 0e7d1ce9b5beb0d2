//! What the Kubernetes backend is told.

use stepdown_core::lease::FlapLimit;

use super::layout::Layout;

/// Which objects, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMapOptions {
    /// The namespace of every object.
    pub namespace: String,
    /// The ConfigMap of the status document, and the Lease.
    pub status_name: String,
    /// The ConfigMap of the configuration document.
    pub config_name: String,
    /// How the status document is stored. Either layout is read.
    pub layout: Layout,
    /// Whether a status ConfigMap without a status in it is a new cluster.
    pub initialize_empty_status: bool,
    /// How many losses of leadership are borne before others go first.
    pub flaps: FlapLimit,
}
