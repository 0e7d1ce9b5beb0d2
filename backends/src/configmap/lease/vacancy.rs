//! Where nobody may watch Leases, the others are told by the status document that one is free.

use std::sync::Arc;

use crate::configmap::documents::ConfigMapDocuments;

/// Tells the others.
pub(super) struct Vacancy {
    pub(super) documents: Arc<ConfigMapDocuments>,
    /// Our name.
    pub(super) name: Arc<str>,
}

impl Vacancy {
    /// Tells them that the Lease was given back, unless they see that by themselves: if we may
    /// watch it, then so may they. Only a version of our own making is touched: at any other, the
    /// next leader is at work already, and would take the touch for a conflict.
    pub(super) async fn announce(&self, lease_is_watched: bool) {
        if lease_is_watched {
            return;
        }
        if let Some(version) = self.documents.stored_version() {
            self.documents.touch_handover(&version, &self.name).await;
        }
    }
}
