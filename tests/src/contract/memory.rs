//! The in-memory backend under the suite.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use stepdown_backends::Backend;
use stepdown_backends::memory::{Fault, Late, MemoryCluster};
use stepdown_core::cluster::ClusterStatus;
use tokio::sync::Notify;

use super::{Cluster, Failure, NotApplicable, Outcome};

/// A cluster in memory.
#[derive(Default)]
pub struct Memory {
    cluster: MemoryCluster,
    late: Mutex<Vec<Arc<Notify>>>,
}

#[async_trait]
impl Cluster for Memory {
    async fn coordinator(&self, name: &str) -> Backend {
        self.cluster.backend(name)
    }

    async fn overwrite(&self, status: ClusterStatus) {
        self.cluster.overwrite(Arc::new(status));
    }

    async fn corrupt(&self) -> Outcome {
        self.cluster.corrupt("tested");
        Ok(())
    }

    async fn delete(&self) -> Outcome {
        self.cluster.erase();
        Ok(())
    }

    async fn configure(&self, text: Option<&str>) {
        self.cluster.set_configuration(text.map(str::to_owned));
    }

    fn leader_has_an_address(&self) -> Outcome {
        Err(NotApplicable("all are in one process"))
    }

    async fn fail_store(&self, failure: Failure) -> Outcome {
        self.cluster.inject(match failure {
            Failure::Applied => Fault::AmbiguousApplied,
            Failure::Conflict => Fault::Conflict,
            Failure::Corrupt => Fault::Corrupt,
            Failure::Forbidden => Fault::Forbidden,
            Failure::Invalid => Fault::Invalid,
            Failure::Late => {
                let notify = Arc::new(Notify::new());
                let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
                late.push(notify.clone());
                Fault::AmbiguousLate(Late::Notified(notify))
            }
            Failure::Lost => Fault::AmbiguousLost,
            Failure::TooLarge => Fault::TooLarge,
            Failure::Unavailable => Fault::Unavailable(Duration::from_millis(1)),
        });
        Ok(())
    }

    async fn deliver_late(&self) -> Outcome {
        let late = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        for notify in late {
            notify.notify_one();
            // The store that waits holds the other end until it was tried.
            while Arc::strong_count(&notify) > 1 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn fail_read(&self) -> Outcome {
        self.cluster.inject_failed_reads(1);
        Ok(())
    }

    async fn hold_stores(&self) -> Outcome {
        self.cluster.hold_stores();
        Ok(())
    }

    async fn store_held(&self) -> Outcome {
        self.cluster.stores_held(1).await;
        Ok(())
    }

    async fn resume_stores(&self) -> Outcome {
        self.cluster.let_stores_pass();
        Ok(())
    }

    async fn limit_size(&self) -> Outcome {
        self.cluster.limit_shards(Some(1));
        Ok(())
    }

    async fn take_away(&self) -> Outcome {
        if self.cluster.take_away("tested") {
            Ok(())
        } else {
            Err(NotApplicable("nobody leads"))
        }
    }

    async fn kill(&self, coordinator: Backend) {
        drop(coordinator);
        // A lock ends with its process.
        self.cluster.take_away("the process was killed");
    }
}
