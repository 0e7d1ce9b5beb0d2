//! Why a Kubernetes backend can't be opened.

use kube::config::{InClusterError, KubeconfigError};
use stepdown_core::lease::LeaseTimingError;

/// Why a Kubernetes backend can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfigMapError {
    /// The files name another API server than the one that is in use.
    #[error(
        "they are for another API server now, {found}, and not for {known}: restart the coordinator if that is meant"
    )]
    AnotherServer {
        /// The one in use.
        known: String,
        /// The other one.
        found: String,
    },
    /// The API server's address or the credentials are of a kind that can't be used.
    #[error(
        "the API server can't be reached like this: {0}; see its address, proxy and credentials in the kubeconfig file"
    )]
    Client(#[source] Box<kube::Error>),
    /// There is a kubeconfig file, and it can't be used.
    #[error("kubeconfig: {0}; put right the file that KUBECONFIG names, or ~/.kube/config")]
    Kubeconfig(#[source] Box<KubeconfigError>),
    /// A name is none that an object can have.
    #[error(
        "{option} '{value}' is no name of a Kubernetes object: use lower-case letters, digits, '-' and '.'"
    )]
    Name {
        /// Which name.
        option: &'static str,
        /// What it is.
        value: String,
    },
    /// The election can't be timed like that.
    #[error(transparent)]
    Timing(LeaseTimingError),
    /// There is no kubeconfig file, and this is no pod.
    #[error(
        "no API server: there is no kubeconfig file ({kubeconfig}), and this is no pod with a service account ({in_cluster}); set KUBECONFIG, or mount a service account token"
    )]
    NoServer {
        /// Why there is no kubeconfig file.
        kubeconfig: Box<KubeconfigError>,
        /// Why this is no pod.
        in_cluster: Box<InClusterError>,
    },
}
