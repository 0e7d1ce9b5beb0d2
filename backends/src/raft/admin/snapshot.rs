//! A snapshot is made when somebody asks for it.

use std::time::Duration;

use stepdown_wire::raft::TakeSnapshotResponse;
use tokio::time::timeout;

use super::administration::Administration;
use super::error::AdminError;

const WITHIN: Duration = Duration::from_secs(60);
/// One that is being made already may be of too little; then it is asked for again.
const ASK_EVERY: Duration = Duration::from_millis(200);

impl Administration {
    /// Returns once all that is applied now is in a snapshot.
    pub(super) async fn take_snapshot(&self) -> Result<TakeSnapshotResponse, AdminError> {
        let wanted = self.metrics().last_applied;
        let made = timeout(WITHIN, async {
            loop {
                let present = self.metrics().snapshot;
                if present >= wanted {
                    return Ok::<_, AdminError>(present.map(|id| id.index));
                }
                let asked = self.node.raft().trigger().snapshot().await;
                asked.map_err(|error| AdminError::Raft(error.to_string()))?;
                let wait = self.node.raft().wait(Some(ASK_EVERY));
                // Not made in time: then the size of the document is what it takes longer for.
                let _ = wait
                    .metrics(|metrics| metrics.snapshot >= wanted, "a snapshot")
                    .await;
            }
        });
        let index = made.await.map_err(|_| AdminError::TimedOut(WITHIN))??;
        Ok(TakeSnapshotResponse { index })
    }
}
