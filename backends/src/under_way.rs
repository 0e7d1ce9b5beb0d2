//! Counts the stores under way, so that leadership is given back only after the last of them.

use tokio::sync::watch;

/// A store that is under way, for as long as this lives.
pub(crate) struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    pub(crate) fn begin(stores: &watch::Sender<usize>) -> Self {
        stores.send_modify(|count| *count += 1);
        Self(stores.clone())
    }

    /// Returns once no store is under way.
    pub(crate) async fn none(stores: &watch::Sender<usize>) {
        // The sender is borrowed, so this can't fail.
        let _ = stores.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
